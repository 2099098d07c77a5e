/**
 * Edits of a cue, as edits of the segments whose words it shows.
 *
 * @import { Cue } from "./cues.js"
 * @import { Segment } from "./segments.js"
 *
 * @typedef {{ place: number, first: number, last: number }} Spot - the words of one segment that a cue shows
 */
import { lastBegun, withText } from "./segments.js";

const SAME_TIME_S = 0.002;
const OVERLAPPING_SEGMENTS = 3;

/**
 * Find the words that a cue shows, by the segment that each is in.
 *
 * @param {Segment[]} segments
 * @param {Cue[]} cues
 * @param {number} at - the cue's place
 * @returns {Spot[]}
 */
export function wordsOfCue(segments, cues, at) {
  const { pin, start, speaker } = cues[at];
  const next = cues[at + 1];
  const from = (pin?.from ?? start) - SAME_TIME_S;
  const until = pin?.until ?? next?.pin?.from ?? next?.start ?? Infinity;
  const spots = [];
  const begin = Math.max(0, lastBegun(segments, from) - OVERLAPPING_SEGMENTS);
  for (let place = begin; place < segments.length && segments[place].start < until; place++) {
    const { words } = segments[place];
    if (speaker && segments[place].speaker && segments[place].speaker !== speaker) continue;
    const isShown = (/** @type {{ start: number }} */ word) => word.start > from && word.start < until - SAME_TIME_S;
    const first = words.findIndex(isShown);
    if (first >= 0) spots.push({ place, first, last: words.findLastIndex(isShown) });
  }
  return spots;
}

/**
 * Write a cue's text into the words of its segments; words that stay keep their times.
 *
 * @param {Segment[]} segments
 * @param {Spot[]} spots
 * @param {string} text
 * @param {Segment[]} [base] - the loaded version
 */
export function writeCue(segments, spots, text, base) {
  const tokens = text.split(" ").filter(Boolean);
  const written = [...segments];
  let used = 0;
  for (const [nth, { place, first, last }] of spots.entries()) {
    const segment = segments[place];
    const isLast = nth === spots.length - 1;
    const mine = tokens.slice(used, isLast ? undefined : used + last - first + 1);
    used += mine.length;
    const old = segment.words.map((word) => word.text.trim());
    written[place] = withText(segment, [...old.slice(0, first), ...mine, ...old.slice(last + 1)].join(" "), base);
  }
  return written;
}
