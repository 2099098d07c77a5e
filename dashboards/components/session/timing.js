/**
 * When a login ends, and when to ask again.
 *
 * @typedef {object} SessionLeft
 * @property {number} idle_s - until it ends because nothing is done
 * @property {number} ends_s - until it ends in any case
 * @property {boolean} by_password - whether a password was what began it
 */
const LONGEST_S = 3600; // setTimeout takes 24 days at most
const SHORTEST_S = 5;
const WARNED_S = 10;
const AFTER_END_S = 0.5;

/** @param {SessionLeft} left */
export function secondsLeft(left) {
  return Math.min(left.idle_s, left.ends_s);
}

/** @param {SessionLeft} left */
export function endsByIdling(left) {
  return left.idle_s < left.ends_s;
}

/**
 * Return when to ask again: by half of what is left, so that hands on the page are noted long before it is idle.
 *
 * @param {SessionLeft} left
 * @param {number} warn_s - from when on the end is warned of
 */
export function nextCheck_s(left, warn_s) {
  const seconds = secondsLeft(left);
  if (seconds <= warn_s) return Math.min(WARNED_S, Math.max(0, seconds) + AFTER_END_S);
  return Math.max(SHORTEST_S, Math.min(seconds - warn_s, seconds / 2, LONGEST_S));
}
