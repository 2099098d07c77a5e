/**
 * Subtitles set by hand: moved, split and merged, with the limits that keep them in order. A pinned cue shows the words
 * that begin in a stretch of the recording, whatever they are corrected to. Times are seconds.
 *
 * @import { PinnedCue } from "../contracts.js"
 * @import { Cue } from "./cues.js"
 * @import { Segment, Word } from "./segments.js"
 *
 * @typedef {"start" | "end"} Edge
 * @typedef {{ gap_s: number, duration_s: number, width: number }} CueLimits - between cues, of the recording, of a line
 */
import { wordsOfCue } from "./cue_edits.js";
import { brokenIntoLines } from "./cues.js";

export const SHORTEST_S = 0.2;
const SAME_S = 0.002;
const LEAST_S = 0.001;

/**
 * Mark the cues that are stored as set by hand.
 *
 * @param {Cue[]} cues
 * @param {PinnedCue[]} stored
 * @returns {Cue[]}
 */
export function withPins(cues, stored) {
  const left = [...stored];
  return cues.map((cue) => {
    const at = left.findIndex((one) => Math.abs(one.start_s - cue.start) < SAME_S && Math.abs(one.end_s - cue.end) < SAME_S);
    if (at < 0) return cue;
    const [{ from_s: from, until_s: until, speaker }] = left.splice(at, 1);
    return { ...cue, pin: { from, until, speaker: speaker ?? "" } };
  });
}

/**
 * Return the cues that are set by hand, as they are stored.
 *
 * @param {Cue[]} cues
 * @returns {PinnedCue[]}
 */
export function toPins(cues) {
  return cues.flatMap(({ start, end, pin }) =>
    pin ? [{ start_s: round(start), end_s: round(end), from_s: pin.from, until_s: pin.until, speaker: pin.speaker || null }] : [],
  );
}

/** @param {number} at_s */
const round = (at_s) => Math.round(at_s * 1000) / 1000;

/**
 * Return the words that a cue shows.
 *
 * @param {Segment[]} segments
 * @param {Cue[]} cues
 * @param {number} at
 * @returns {Word[]}
 */
export function shownWords(segments, cues, at) {
  return wordsOfCue(segments, cues, at).flatMap(({ place, first, last }) => segments[place].words.slice(first, last + 1));
}

/**
 * Return the cue, with the stretch of words that it shows.
 *
 * @param {Segment[]} segments
 * @param {Cue[]} cues
 * @param {number} at
 * @returns {Cue & { pin: NonNullable<Cue["pin"]> }}
 */
export function pinned(segments, cues, at) {
  const cue = cues[at];
  if (cue.pin) return { ...cue, pin: cue.pin };
  const spots = wordsOfCue(segments, cues, at);
  const next = cues[at + 1];
  const nothing = { from: cue.start, until: Math.max(next?.start ?? cue.end, cue.start + LEAST_S), speaker: cue.speaker };
  if (!spots.length) return { ...cue, pin: nothing };
  const [begin, end] = [spots[0], spots[spots.length - 1]];
  const { speaker } = segments[begin.place];
  const from = segments[begin.place].words[begin.first].start;
  const lastWord = segments[end.place].words[end.last];
  const following = segments[end.place].words[end.last + 1] ?? segments.slice(end.place + 1).find((one) => one.speaker === speaker)?.words[0];
  const until = Math.max(following?.start ?? lastWord.end, lastWord.start + LEAST_S);
  return { ...cue, pin: { from, until, speaker } };
}

/**
 * Move an edge of a cue to a moment, as far as its neighbours and its shortest length allow. A neighbour before that is
 * made by the exporter gives way to the end of its last word, as in the exports.
 *
 * @param {Segment[]} segments
 * @param {Cue[]} cues
 * @param {{ at: number, edge: Edge, to_s: number, limits: CueLimits }} move
 * @returns {Cue[]}
 */
export function moved(segments, cues, { at, edge, to_s, limits }) {
  const cue = pinned(segments, cues, at);
  const before = cues[at - 1];
  if (edge === "end") {
    const most = cues[at + 1]?.start ?? limits.duration_s;
    const end = round(Math.max(cue.start + SHORTEST_S, Math.min(to_s, most)));
    return cues.with(at, { ...cue, end: Math.min(end, Math.max(most, cue.end)) });
  }
  const lastSaid = before && !before.pin ? shownWords(segments, cues, at - 1).at(-1)?.end : undefined;
  const least = before ? Math.min(before.end, lastSaid ?? before.end) : 0;
  const start = round(Math.max(least, Math.min(to_s, cue.end - SHORTEST_S)));
  const changed = cues.with(at, { ...cue, start });
  if (!before || before.end <= start) return changed;
  return changed.with(at - 1, { ...before, end: Math.max(lastSaid ?? before.end, round(start - limits.gap_s)) });
}

/**
 * Split a cue behind some of its words; null where one half would have none.
 *
 * @param {Segment[]} segments
 * @param {Cue[]} cues
 * @param {{ at: number, count: number, to_s?: number, limits: CueLimits }} where - `to_s` is when the second appears
 * @returns {Cue[] | null}
 */
export function splitCue(segments, cues, { at, count, to_s, limits }) {
  const cue = pinned(segments, cues, at);
  const words = shownWords(segments, cues, at);
  if (count < 1 || count >= words.length) return null;
  const begins = words[count].start;
  const share = cue.start + (cue.end - cue.start) * (count / words.length);
  const fits = (/** @type {number} */ moment) => moment > cue.start + SHORTEST_S && moment < cue.end - SHORTEST_S;
  const cut = [to_s ?? begins, begins, share].find(fits) ?? share;
  const [first, second] = [words.slice(0, count), words.slice(count)].map((part) =>
    brokenIntoLines(part.map((word) => word.text).join("").trim().split(/\s+/).join(" "), limits.width),
  );
  const end = round(Math.max(cut - limits.gap_s, Math.min(cut, cue.start + SHORTEST_S)));
  const until = Math.max(begins, cue.pin.from + LEAST_S);
  const left = { ...cue, end, text: first, pin: { ...cue.pin, until } };
  const right = { ...cue, start: round(cut), text: second, pin: { ...cue.pin, from: until, until: Math.max(cue.pin.until, until + LEAST_S) } };
  return cues.toSpliced(at, 1, left, right);
}

/**
 * Return how many of a cue's words stand before a character of its text, whatever separates them.
 *
 * @param {Word[]} words
 * @param {string} before - the text before the character
 */
export function wordsBefore(words, before) {
  const letters = before.replace(/\s/g, "").length;
  let seen = 0;
  return words.filter((word) => (seen += word.text.replace(/\s/g, "").length) <= letters).length;
}

/**
 * Return how many words have been said by a moment.
 *
 * @param {Word[]} words
 * @param {number} now_s
 */
export function wordsSaid(words, now_s) {
  return words.filter((word) => (word.start + word.end) / 2 < now_s).length;
}

/**
 * Merge a cue with the next; null where there is none, or somebody else speaks in it.
 *
 * @param {Segment[]} segments
 * @param {Cue[]} cues
 * @param {{ at: number, limits: CueLimits }} where
 * @returns {Cue[] | null}
 */
export function mergedCues(segments, cues, { at, limits }) {
  if (!cues[at + 1]) return null;
  const [first, second] = [pinned(segments, cues, at), pinned(segments, cues, at + 1)];
  if (first.pin.speaker !== second.pin.speaker) return null;
  const text = brokenIntoLines(`${first.text} ${second.text}`.split(/\s+/).join(" "), limits.width);
  const pin = { ...first.pin, until: Math.max(first.pin.until, second.pin.until) };
  return cues.toSpliced(at, 2, { ...first, end: second.end, text, pin });
}
