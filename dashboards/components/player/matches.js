/**
 * Finding and replacing in segments' texts.
 *
 * @import { Segment } from "./segments.js"
 *
 * @typedef {{ letters: boolean, whole: boolean, pattern: boolean }} FindOptions - letters: upper and lower case as
 *   written; whole: whole words; pattern: a regular expression
 * @typedef {{ segment: Segment, place: number, start: number, end: number }} Match - `place` is the segment's, the others
 *   are characters of its text
 */
const REPEATED_REPETITION = /\([^)]*[+*}][^)]*\)\s*[+*{]/;
const LONGEST_MS = 1500;

/** The pattern would run for too long. */
export class TooSlow extends Error {}

/**
 * Return the pattern for what somebody looks for; null for nothing.
 *
 * @param {string} wanted
 * @param {FindOptions} options
 * @throws {TooSlow} it repeats a repetition, and could run for ever
 * @throws {SyntaxError} it is no regular expression
 */
export function patternFor(wanted, { letters, whole, pattern }) {
  if (!wanted) return null;
  if (pattern && REPEATED_REPETITION.test(wanted)) throw new TooSlow();
  let source = pattern ? wanted : wanted.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  if (whole) source = `(?<![\\p{L}\\p{N}_])(?:${source})(?![\\p{L}\\p{N}_])`;
  return new RegExp(source, `gu${letters ? "" : "i"}`);
}

/**
 * @param {Segment[]} segments
 * @param {RegExp} pattern
 * @returns {Match[]}
 * @throws {TooSlow} it took longer than a reader waits
 */
export function matchesIn(segments, pattern) {
  const until = performance.now() + LONGEST_MS;
  const found = [];
  for (const [place, segment] of segments.entries()) {
    for (const match of segment.text.matchAll(pattern)) {
      if (match[0]) found.push({ segment, place, start: match.index, end: match.index + match[0].length });
    }
    if (performance.now() > until) throw new TooSlow();
  }
  return found;
}

/**
 * Return the new text of each segment with one of the matches; groups such as $1 count in patterns alone.
 *
 * @param {Match[]} matches
 * @param {RegExp} pattern
 * @param {string} replacement
 * @param {FindOptions} options
 */
export function replacedTexts(matches, pattern, replacement, options) {
  const by = options.pattern ? replacement : replacement.replace(/\$/g, "$$$$");
  /** @type {Map<Segment, string>} */
  const texts = new Map();
  for (const { segment, start, end } of matches.toReversed()) {
    const text = texts.get(segment) ?? segment.text;
    texts.set(segment, text.slice(0, start) + inPlace(segment.text, start, pattern, by) + text.slice(end));
  }
  return texts;
}

/**
 * Return what stands in a match's place, seen with what is around it: a pattern may look ahead or behind.
 *
 * @param {string} text
 * @param {number} start
 * @param {RegExp} pattern
 * @param {string} by
 */
function inPlace(text, start, pattern, by) {
  const once = new RegExp(pattern.source, pattern.flags.replace("g", "y"));
  once.lastIndex = start;
  const replaced = text.replace(once, by);
  return replaced.slice(start, replaced.length - (text.length - once.lastIndex));
}
