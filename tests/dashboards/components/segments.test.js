import assert from "node:assert/strict";
import { test } from "node:test";

import { EditHistory } from "../../../dashboards/components/player/edit_history.js";
import {
  alignWords, changedCopy, commonEnds, identityOf, lastBegun, merged, rebased, segmentOf, segmentOfEdit, speakersOf, split, toSave,
  unchangedIfSame, withText,
} from "../../../dashboards/components/player/segments.js";

/** A segment as the server has it; each word takes half a second. */
function stored(text, start_s = 0, speaker = null) {
  const words = text.split(" ").map((word, at) => {
    const from = start_s + at / 2;
    return { start_s: from, end_s: from + 0.5, text: ` ${word}`, probability: 0.9 };
  });
  return { start_s, end_s: start_s + words.length / 2, text: ` ${text}`, speaker, language: null, words };
}

const loaded = (...texts) => texts.map((text, at) => segmentOf(stored(text, 10 * at), at));
const texts = (segments) => segments.map((segment) => segment.text);
const times = (words) => words.map((word) => [word.start, word.end]);

test("a stored segment loses the space in front of it and knows its place", () => {
  const segment = segmentOf(stored("so it goes", 4), 7);
  assert.equal(segment.text, "so it goes");
  assert.deepEqual([segment.index, segment.from, segment.changed], [7, [7], false]);
  assert.deepEqual(segment.words[0], { start: 4, end: 4.5, text: " so", p: 0.9 });
});

test("a segment without words, speaker or language has none", () => {
  const segment = segmentOf({ start_s: 0, end_s: 1, text: "hm" }, 0);
  assert.deepEqual([segment.words, segment.speaker, segment.language], [[], "", ""]);
});

test("a word typed over shares the time of the word that was there", () => {
  const [segment] = loaded("one two three");
  const words = alignWords(segment.words, "one deux three", segment.start, segment.end);
  assert.deepEqual(words.map((word) => word.text), [" one", " deux", " three"]);
  assert.deepEqual(times(words), times(segment.words));
  assert.deepEqual(words.map((word) => word.p), [0.9, 1, 0.9]);
});

test("two words in the place of one share its time in halves", () => {
  const [segment] = loaded("one two three");
  const words = alignWords(segment.words, "one and a three", segment.start, segment.end);
  assert.deepEqual(times(words).slice(1, 3), [[0.5, 0.75], [0.75, 1]]);
});

test("a word put between two neighbours takes no time from them", () => {
  const [segment] = loaded("one two");
  const words = alignWords(segment.words, "one or two", segment.start, segment.end);
  assert.deepEqual(times(words), [[0, 0.5], [0.5, 0.5], [0.5, 1]]);
});

test("a word that is there twice is not counted for head and tail at once", () => {
  const [segment] = loaded("no no");
  assert.deepEqual(times(alignWords(segment.words, "no", 0, 1)), [[0, 0.5]]);
});

test("what is rewritten counts as changed, and as unchanged when it is as before", () => {
  const base = loaded("one two", "three");
  const changed = withText(base[0], "one deux", base);
  assert.equal(changed.changed, true);
  const back = withText(changed, "one two", base);
  assert.equal(back.changed, false);
  assert.equal(back.words, base[0].words);
});

test("a segment made of two is never the same as one of them", () => {
  const base = loaded("one", "two");
  const both = merged(base[0], base[1]);
  assert.equal(unchangedIfSame({ ...both, text: "one", end: base[0].end }, base).changed, true);
});

test("a split parts words and times between the halves", () => {
  const [segment] = loaded("one two three");
  const [left, right] = split(segment, 4);
  assert.deepEqual([left.text, right.text], ["one", "two three"]);
  assert.deepEqual([left.end, right.start], [0.5, 0.5]);
  assert.deepEqual([left.words.length, right.words.length], [1, 2]);
});

test("a split of a segment whose words are not timed shares the time by letters", () => {
  const segment = { ...loaded("aaaa bbbb")[0], words: [], start: 0, end: 9 };
  const [left, right] = split(segment, 5);
  assert.deepEqual([left.end, right.start], [4, 4]);
});

test("a split at either end is none", () => {
  const [segment] = loaded("one two");
  assert.equal(split(segment, 0), null);
  assert.equal(split(segment, 7), null);
});

test("a merge after a split gives the same text, words and origin", () => {
  const [segment] = loaded("one two three");
  const both = merged(...split(segment, 4));
  assert.equal(identityOf(both), identityOf(segment));
  assert.deepEqual(both.from, [0]);
  assert.deepEqual(both.words, segment.words);
});

test("unchanged segments are saved as their places, changed ones whole, empty ones not at all", () => {
  const base = loaded("one", "two", "three");
  const saved = toSave([base[0], withText(base[1], "", base), withText(base[2], "drei", base)]);
  assert.deepEqual(saved, [0, { from: [2], start_s: 20, end_s: 20.5, text: "drei", speaker: null }]);
});

test("word times are saved only where they were moved by hand", () => {
  const [segment] = loaded("one");
  const [edit] = toSave([{ ...changedCopy(segment), timed: true }]);
  assert.deepEqual(edit.words, [{ start_s: 0, end_s: 0.5, text: " one", probability: 0.9 }]);
});

test("a draft that is taken up again is what was saved of it", () => {
  const base = loaded("one two", "three");
  const changed = { ...changedCopy(base[0]), text: "eins zwei", speaker: "Ada", timed: true };
  const [edit] = toSave([changed]);
  assert.deepEqual(toSave([segmentOfEdit(JSON.parse(JSON.stringify(edit)))]), [edit]);
});

test("changes of different places are both there", () => {
  const base = loaded("one", "two", "three");
  const theirs = [base[0], base[1], { ...base[2], text: "drei" }];
  const { segments, clash } = rebased(base, [withText(base[0], "eins", base), base[1], base[2]], theirs);
  assert.deepEqual(texts(segments), ["eins", "two", "drei"]);
  assert.equal(clash, 0);
});

test("where both have changed the same place, mine stays and is counted", () => {
  const base = loaded("one", "two");
  const theirs = [{ ...base[0], text: "uno" }, base[1]];
  const { segments, clash } = rebased(base, [withText(base[0], "eins", base), base[1]], theirs);
  assert.deepEqual(texts(segments), ["eins", "two"]);
  assert.equal(clash, 1);
});

test("what I have deleted does not come back with their version", () => {
  const base = loaded("one", "two", "three");
  const theirs = [base[0], base[1], { ...base[2], text: "drei" }];
  const { segments } = rebased(base, [base[0], base[2]], theirs);
  assert.deepEqual(texts(segments), ["one", "drei"]);
});

test("a change on top of theirs says where it comes from there", () => {
  const base = loaded("one", "two", "three");
  const theirs = [base[1], base[2]].map((segment, index) => ({ ...segment, index, from: [index] }));
  const mine = [base[0], base[1], withText(base[2], "drei", base)];
  const { segments } = rebased(base, mine, theirs);
  assert.deepEqual(segments.find((segment) => segment.text === "drei").from, [1]);
});

test("the last part that has begun is found by halving", () => {
  const parts = [0, 1, 1, 4].map((start) => ({ start }));
  assert.deepEqual([-1, 0, 0.99, 3.9, 100].map((now) => lastBegun(parts, now)), [-1, 0, 2, 2, 3]);
  assert.equal(lastBegun([], 5), -1);
});

test("a change can be undone and done again, until another is made", () => {
  const history = new EditHistory();
  const [first, second, third] = [loaded("one"), loaded("two"), loaded("three")];
  history.add(first);
  assert.equal(history.undo(second), first);
  assert.equal(history.undo(first), undefined);
  assert.equal(history.redo(first), second);
  history.undo(second);
  history.add(first);
  assert.equal(history.canRedo, false);
  assert.equal(history.undo(third), first);
});

test("three hundred steps back are all", () => {
  const history = new EditHistory();
  for (let nth = 0; nth < 400; nth++) history.add([nth]);
  let steps = 0;
  while (history.canUndo) steps += history.undo([]) ? 1 : 0;
  assert.equal(steps, 300);
});

test("lists share what is the same at their ends, and nothing twice", () => {
  assert.deepEqual(commonEnds([1, 2, 3], [1, 9, 3]), { head: 1, tail: 1 });
  assert.deepEqual(commonEnds([1, 1], [1, 1, 1]), { head: 2, tail: 0 });
  assert.deepEqual(commonEnds([], [1]), { head: 0, tail: 0 });
});

test("speakers are counted in the order of their first words", () => {
  const said = [{ speaker: "" }, { speaker: "Ben" }, { speaker: "Anna" }, { speaker: "Ben" }];
  assert.deepEqual(speakersOf(said), ["Ben", "Anna"]);
});
