/**
 * Passages of a transcript: which words a selection or a stretch of time covers, and how they are copied. Times are
 * seconds on the recording's clock, so that a passage outlives edits of the text.
 *
 * @import { Segment } from "./segments.js"
 *
 * @typedef {{ start_s: number, end_s: number, quote: string }} Passage
 * @typedef {{ segment: Segment, from: number, to: number }} Part - characters of a line's text
 * @typedef {{ place: number, from: number, to: number }} Place - characters of the line at a place
 */
import { lastBegun } from "./segments.js";

export const COLOURS = /** @type {const} */ (["yellow", "green", "blue", "pink"]);
const MAX_QUOTE = 2000;
const SLACK_S = 0.03;

/**
 * Where the words of a segment are in its text; nothing where they do not spell it.
 *
 * @param {Segment} segment
 */
export function wordPlaces({ text, words }) {
  let at = 0;
  const found = words.map((word, place) => {
    const from = at + (place && /^\s/.test(word.text) ? 1 : 0);
    at = from + word.text.trim().length;
    return { word, from, to: at };
  });
  const spells = found.every(({ word, from, to }) => text.slice(from, to) === word.text.trim());
  return spells && at === text.length ? found : [];
}

/**
 * Return the passage that parts of lines are, in whole words; null where they hold none.
 *
 * @param {Part[]} parts
 * @returns {Passage | null}
 */
export function passageOf(parts) {
  const found = parts.map(wholeWords).filter((part) => part !== null);
  if (!found.length) return null;
  const quote = found.map((part) => part.text).join(" ");
  const cut = quote.length > MAX_QUOTE ? `${quote.slice(0, MAX_QUOTE - 1)}…` : quote;
  return { start_s: round(found[0].start), end_s: round(found[found.length - 1].end), quote: cut };
}

/** @param {Part} part */
function wholeWords({ segment, from, to }) {
  const all = wordPlaces(segment);
  const inside = all.filter((one) => one.to > from && one.from < to);
  if (inside.length) {
    const [first, last] = [inside[0], inside[inside.length - 1]];
    return { start: first.word.start, end: last.word.end, text: segment.text.slice(first.from, last.to) };
  }
  const text = segment.text.slice(from, to).trim();
  return text ? { start: segment.start, end: segment.end, text } : null;
}

/** @param {number} s */
function round(s) {
  return Math.round(s * 1000) / 1000;
}

/**
 * Where a stretch of time is in the lines, whatever they say by now.
 *
 * @param {Segment[]} segments
 * @param {{ start_s: number, end_s: number }} stretch
 * @returns {Place[]}
 */
export function placesOf(segments, { start_s, end_s }) {
  const found = [];
  for (let place = Math.max(0, lastBegun(segments, start_s)); place < segments.length; place++) {
    const segment = segments[place];
    if (segment.start >= end_s && found.length) break;
    if (segment.start > end_s) break;
    const all = wordPlaces(segment);
    const inside = all.filter(({ word }) => word.start < end_s - SLACK_S && word.end > start_s + SLACK_S);
    if (inside.length) found.push({ place, from: inside[0].from, to: inside[inside.length - 1].to });
    else if (!all.length && segment.end > start_s && segment.start < end_s) found.push({ place, from: 0, to: segment.text.length });
  }
  return found;
}

/**
 * Return lines as they are pasted into a report: `[00:12:03] Anna: Good morning.`
 *
 * @param {Part[]} parts
 */
export function withTimes(parts) {
  const lines = [];
  for (const part of parts) {
    const found = wholeWords(part);
    if (!found) continue;
    const who = part.segment.speaker ? `${part.segment.speaker}: ` : "";
    lines.push(`[${stamp(found.start)}] ${who}${found.text}`);
  }
  return lines.join("\n");
}

/**
 * Return a time with all its digits, as in 00:12:03.
 *
 * @param {number} s
 */
export function stamp(s) {
  const whole = Math.floor(s + 0.0005);
  return [whole / 3600, (whole / 60) % 60, whole % 60].map((n) => String(Math.floor(n)).padStart(2, "0")).join(":");
}
