/**
 * Subtitles as the exporter makes them, and the limits that it keeps.
 *
 * @import { CueSettings, PlayerText } from "../contracts.js"
 *
 * @typedef {{ from: number, until: number, speaker: string }} Pin - which words a cue shows that was set by hand
 * @typedef {{ start: number, end: number, speaker: string, text: string, pin?: Pin }} Cue - times are seconds; lines end in \n
 */
import { fill } from "../shared/format.js";

const WIDE = /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6]/u;
const NO_WIDTH = /\p{Mn}/u;
const NO_TIME_S = 0.001;

/**
 * Return the cues of a WebVTT file.
 *
 * @param {string} text
 * @returns {Cue[]}
 */
export function parseVtt(text) {
  return text.replace(/\r/g, "").split(/\n\n+/).flatMap((block) => {
    const lines = block.split("\n");
    const at = lines.findIndex((line) => line.includes("-->"));
    if (at < 0) return [];
    const [start, end] = lines[at].split("-->").map((stamp) => seconds(stamp.trim().split(" ")[0]));
    const body = lines.slice(at + 1).filter(Boolean);
    const speaker = /^<v(?:\.[^ >]*)? ([^>]*)>/.exec(body[0] ?? "")?.[1] ?? "";
    return body.length ? [{ start, end, speaker: plain(speaker), text: plain(body.join("\n")) }] : [];
  });
}

/** @param {string} stamp */
const seconds = (stamp) => stamp.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);

/** @param {string} words */
const plain = (words) =>
  words.replace(/<[^>]*>/g, "").replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&nbsp;/g, " ").replace(/&amp;/g, "&");

/** @param {Cue} cue */
export function charsPerSecond(cue) {
  return columns(cue.text) / Math.max(NO_TIME_S, cue.end - cue.start);
}

/**
 * Tell whether a cue has more characters a second than the limit, by more than rounding.
 *
 * @param {Cue} cue
 * @param {CueSettings} limits
 */
export function isTooFast(cue, limits) {
  return charsPerSecond(cue) > limits.max_chars_per_s + 0.05;
}

/**
 * Say which limits a cue breaks.
 *
 * @param {Cue} cue
 * @param {CueSettings} limits
 * @param {PlayerText["warnings"]} words
 * @returns {string[]}
 */
export function warningsOf(cue, limits, words) {
  const long = cue.end - cue.start;
  const lines = cue.text.split("\n");
  const widest = Math.max(...lines.map(columns));
  const found = [];
  if (isTooFast(cue, limits)) found.push(words.fast);
  if (widest > limits.max_line_width) found.push(fill(words.wide, { width: widest }));
  if (lines.length > limits.max_line_count) found.push(fill(words.lines, { lines: lines.length }));
  if (long < limits.min_duration_s - 0.0015) found.push(words.short);
  if (long > limits.max_duration_s + 0.0015) found.push(words.long);
  return found;
}

/**
 * Count columns as the exporter does: East Asian wide characters take two, combining marks none.
 *
 * @param {string} text
 */
export function columns(text) {
  let wide = 0;
  for (const character of text) {
    if (character !== "\n" && !NO_WIDTH.test(character)) wide += WIDE.test(character) ? 2 : 1;
  }
  return wide;
}

/**
 * Break a text that was just written into lines, until the exporter has made its own.
 *
 * @param {string} text
 * @param {number} width
 */
export function brokenIntoLines(text, width) {
  /** @type {string[]} */
  const lines = [];
  for (const word of text.split(" ")) {
    if (lines.length && columns(`${lines.at(-1)} ${word}`) <= width) lines[lines.length - 1] += ` ${word}`;
    else lines.push(word);
  }
  return lines.join("\n");
}
