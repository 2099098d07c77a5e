/**
 * The transcript's segments on the page, and what editing does to them. A change makes new segments beside the old
 * ones. Times are seconds on the recording's clock.
 *
 * @import { Edit, SegmentSource } from "./api.js"
 *
 * @typedef {object} Word
 * @property {number} start
 * @property {number} end
 * @property {string} text - with the space before it
 * @property {number} p - how probable the model found it; 1 where a person wrote it
 * @property {HTMLElement} [element] - where the page shows it by itself
 *
 * @typedef {object} Segment
 * @property {number | null} index - its place in the version that was loaded; null where it is in none
 * @property {number[]} from - the places of the loaded segments that it was made of
 * @property {number} start
 * @property {number} end
 * @property {string} text
 * @property {string} speaker - empty where nobody is named
 * @property {string} language - empty where it is not known
 * @property {Word[]} words
 * @property {boolean} changed - whether it differs from the loaded version
 * @property {boolean} [timed] - whether word times were moved by hand
 */

/**
 * @param {SegmentSource} stored
 * @param {number | null} index
 * @returns {Segment}
 */
export function segmentOf(stored, index) {
  const words = (stored.words ?? []).map((word) => ({ start: word.start_s, end: word.end_s, text: word.text, p: word.probability ?? 1 }));
  return {
    index,
    from: index === null ? [] : [index],
    start: stored.start_s,
    end: stored.end_s,
    text: stored.text.split(/\s+/).filter(Boolean).join(" "),
    speaker: stored.speaker ?? "",
    language: stored.language ?? "",
    words,
    changed: false,
  };
}

/**
 * What makes two segments the same to a reader.
 *
 * @param {Segment} segment
 */
export function identityOf(segment) {
  return `${segment.start.toFixed(3)}|${segment.end.toFixed(3)}|${segment.speaker}|${segment.text}`;
}

/**
 * Return how many parts two lists share at their beginning and, after that, at their end.
 *
 * @param {unknown[]} before
 * @param {unknown[]} after
 */
export function commonEnds(before, after) {
  const most = Math.min(before.length, after.length);
  let head = 0;
  while (head < most && before[head] === after[head]) head++;
  let tail = 0;
  while (tail < most - head && before.at(-1 - tail) === after.at(-1 - tail)) tail++;
  return { head, tail };
}

/**
 * Return the names of those who speak, in the order of their first words.
 *
 * @param {Segment[]} segments
 */
export function speakersOf(segments) {
  return [...new Set(segments.map((segment) => segment.speaker).filter(Boolean))];
}

/**
 * Return a changed copy.
 *
 * @param {Segment} segment
 * @returns {Segment}
 */
export function changedCopy(segment) {
  return { ...segment, changed: true };
}

/**
 * Return the segment with another text; words that stay keep their times, the others share the time between.
 *
 * @param {Segment} segment
 * @param {string} text
 * @param {Segment[]} [base] - the loaded version
 */
export function withText(segment, text, base) {
  return unchangedIfSame({ ...changedCopy(segment), text, words: alignWords(segment.words, text, segment.start, segment.end) }, base);
}

/**
 * Count a segment as unchanged where it is again as the loaded version has it.
 *
 * @param {Segment} segment
 * @param {Segment[]} [base]
 * @returns {Segment}
 */
export function unchangedIfSame(segment, base) {
  const old = segment.from.length === 1 ? base?.[segment.from[0]] : undefined;
  return old && identityOf(old) === identityOf(segment) ? { ...segment, words: old.words, changed: false } : segment;
}

/**
 * Return the words of a text: those that stay at its head and tail keep their times.
 *
 * @param {Word[]} words
 * @param {string} text
 * @param {number} start
 * @param {number} end
 * @returns {Word[]}
 */
export function alignWords(words, text, start, end) {
  const tokens = text.split(" ").filter(Boolean);
  if (!words.length || !tokens.length) return [];
  const same = (/** @type {Word | undefined} */ word, /** @type {string | undefined} */ token) => word?.text.trim() === token;
  const most = Math.min(words.length, tokens.length);
  let head = 0;
  while (head < most && same(words[head], tokens[head])) head++;
  let tail = 0;
  while (tail < most - head && same(words.at(-1 - tail), tokens.at(-1 - tail))) tail++;
  const fresh = tokens.slice(head, tokens.length - tail);
  const gone = words.slice(head, words.length - tail);
  const from = gone[0]?.start ?? words[head - 1]?.end ?? start;
  const to = gone.at(-1)?.end ?? words[words.length - tail]?.start ?? end;
  const step = Math.max(0, to - from) / (fresh.length || 1);
  const made = fresh.map((token, at) => ({ start: from + step * at, end: from + step * (at + 1), text: ` ${token}`, p: 1 }));
  return [...words.slice(0, head), ...made, ...words.slice(words.length - tail)];
}

/**
 * Return the two halves of a segment that is split before a character; null where one would be empty.
 *
 * @param {Segment} segment
 * @param {number} offset
 * @returns {[Segment, Segment] | null}
 */
export function split(segment, offset) {
  const [left, right] = [segment.text.slice(0, offset).trim(), segment.text.slice(offset).trim()];
  if (!left || !right) return null;
  const { words } = segment;
  const count = left.split(" ").length;
  const timed = words.length === segment.text.split(" ").length;
  const share = segment.start + (segment.end - segment.start) * (left.length / segment.text.length);
  const [ends, begins] = timed ? [words[count - 1].end, words[count].start] : [share, share];
  return [
    { ...changedCopy(segment), end: ends, text: left, words: timed ? words.slice(0, count) : [] },
    { ...changedCopy(segment), start: begins, text: right, words: timed ? words.slice(count) : [] },
  ];
}

/**
 * Return two neighbours as one.
 *
 * @param {Segment} first
 * @param {Segment} second
 * @returns {Segment}
 */
export function merged(first, second) {
  return {
    ...changedCopy(first),
    from: [...new Set([...first.from, ...second.from])],
    text: `${first.text} ${second.text}`.trim(),
    words: first.words.length && second.words.length ? [...first.words, ...second.words] : [],
    end: Math.max(first.end, second.end),
  };
}

/**
 * Return the segments as they are saved: those without a text left out, unchanged ones by their place.
 *
 * @param {Segment[]} segments
 * @returns {(number | Edit)[]}
 */
export function toSave(segments) {
  return segments
    .filter((segment) => segment.text)
    .map((segment) => (segment.changed || segment.index === null ? editOf(segment) : segment.index));
}

/**
 * @param {Segment} segment
 * @returns {Edit}
 */
function editOf(segment) {
  const { from, start, end, text, speaker } = segment;
  /** @type {Edit} */
  const edit = { from: from.length ? from : undefined, start_s: start, end_s: end, text, speaker: speaker || null };
  if (segment.timed) edit.words = segment.words.map((word) => ({ start_s: word.start, end_s: word.end, text: word.text, probability: word.p }));
  return edit;
}

/**
 * @param {Edit} edit
 * @returns {Segment}
 */
export function segmentOfEdit(edit) {
  const segment = { ...segmentOf(edit, null), from: edit.from ?? [], changed: true };
  return edit.words ? { ...segment, timed: true } : segment;
}

/**
 * Put changes that began at `base` on top of another version: what only one side changed is taken; mine wins a clash.
 *
 * @param {Segment[]} base
 * @param {Segment[]} mine
 * @param {Segment[]} theirs
 * @returns {{ segments: Segment[], clash: number }} `clash` is how many places both have changed
 */
export function rebased(base, mine, theirs) {
  const now = new Map(theirs.map((segment, at) => [identityOf(segment), at]));
  const stays = new Set(mine.filter((segment) => !segment.changed).map((segment) => segment.index));
  const gone = base.filter((segment) => !stays.has(segment.index));
  const placeOf = (/** @type {number} */ index) => now.get(identityOf(base[index]));
  const edits = mine.filter((segment) => segment.changed);
  const covered = new Set(gone.map((segment) => now.get(identityOf(segment))));
  const touched = edits.filter((edit) => edit.from.some((index) => placeOf(index) === undefined));
  const rest = theirs.filter((segment, at) => !covered.has(at) && !touched.some((edit) => overlap(segment, edit)));
  const moved = edits.map((edit) => {
    const from = edit.from.map(placeOf).filter((at) => at !== undefined);
    const over = theirs.flatMap((segment, at) => (overlap(segment, edit) ? [at] : []));
    return { ...changedCopy(edit), from: from.length < edit.from.length ? over : from };
  });
  return { segments: [...rest, ...moved].sort((a, b) => a.start - b.start), clash: touched.length };
}

/**
 * @param {Segment} one
 * @param {Segment} other
 */
function overlap(one, other) {
  return other.start < one.end - 0.01 && other.end > one.start + 0.01;
}

/**
 * Return the place of the last part that has begun by now, in parts ordered by their start; -1 before the first.
 *
 * @param {{ start: number }[]} parts
 * @param {number} now
 */
export function lastBegun(parts, now) {
  let low = 0;
  let high = parts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (parts[middle].start <= now + 0.02) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
