/**
 * Edits of a cue, as edits of the segments whose words it shows.
 *
 * @import { Cue } from "./cues.js"
 * @import { Segment } from "./segments.js"
 *
 * @typedef {{ place: number, first: number, last: number }} Spot - the words of one segment that a cue shows
 */
import { changedCopy, lastBegun, withText } from "./segments.js";

const SAME_TIME_S = 0.002;
const SHORTEST_WORD_S = 0.02;
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
  const from = cues[at].start - SAME_TIME_S;
  const until = cues[at + 1]?.start ?? Infinity;
  const spots = [];
  const begin = Math.max(0, lastBegun(segments, cues[at].start) - OVERLAPPING_SEGMENTS);
  for (let place = begin; place < segments.length && segments[place].start < until; place++) {
    const { words } = segments[place];
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

/**
 * Move a cue's edge by moving the word at it, no further than the words beside it.
 *
 * @param {Segment[]} segments
 * @param {Spot[]} spots
 * @param {{ cue: Cue, edge: "start" | "end", by_s: number, duration_s: number }} move
 * @returns {{ cue: Cue, segments: Segment[] }}
 */
export function moveEdge(segments, spots, { cue, edge, by_s, duration_s }) {
  const { place, first, last } = edge === "start" ? spots[0] : spots[spots.length - 1];
  const segment = segments[place];
  const words = segment.words.map((word) => ({ ...word }));
  let { start, end } = segment;
  let moved;
  if (edge === "start") {
    const least = words[first - 1]?.end ?? segments[place - 1]?.end ?? 0;
    moved = Math.min(Math.max(words[first].start + by_s, least), words[first].end - SHORTEST_WORD_S);
    words[first].start = moved;
    if (first === 0) start = moved;
  } else {
    const most = words[last + 1]?.start ?? segments[place + 1]?.start ?? duration_s;
    moved = Math.max(Math.min(Math.max(cue.end, words[last].end) + by_s, most), words[last].start + SHORTEST_WORD_S);
    words[last].end = moved;
    if (last === words.length - 1) end = moved;
  }
  start = Math.min(start, words[0].start);
  const segmentMoved = { ...changedCopy(segment), start, end, words, timed: true };
  return { cue: { ...cue, [edge]: moved }, segments: segments.with(place, segmentMoved) };
}
