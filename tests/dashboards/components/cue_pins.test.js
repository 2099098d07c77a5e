import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateRawSync } from "node:zlib";

import { mergedCues, moved, splitCue, toPins, withPins, wordsBefore, wordsSaid } from "../../../dashboards/components/player/cue_pins.js";
import { partOf } from "../../../dashboards/components/player/text_file.js";

const LIMITS = { gap_s: 0.1, duration_s: 10, width: 42 };

/** A segment of words that take half a second each, one after the other. */
function segment(text, begin = 0, speaker = "") {
  const words = text.split(" ").map((word, n) => ({ start: begin + n / 2, end: begin + n / 2 + 0.5, text: ` ${word}`, p: 0.9 }));
  return { index: 0, from: [0], start: begin, end: words.at(-1).end, text, speaker, language: "", words, changed: false };
}

const cue = (text, start, end, more = {}) => ({ start, end, speaker: "", text, ...more });
const ALL = [segment("one two three four"), segment("five six", 4)];
const CUES = [cue("one two", 0, 0.9), cue("three four", 1, 3), cue("five six", 4, 5)];

test("an edge moves no further than its neighbours and the shortest length", () => {
  const end = (to_s) => moved(ALL, CUES, { at: 1, edge: "end", to_s, limits: LIMITS })[1].end;
  assert.deepEqual([3.4, 9, 0].map(end), [3.4, 4, 1.2]);
  const start = (to_s) => moved(ALL, CUES, { at: 1, edge: "start", to_s, limits: LIMITS })[1].start;
  assert.deepEqual([1.5, 0, 9].map(start), [1.5, 0.9, 2.8]);
  assert.equal(moved(ALL, CUES, { at: 2, edge: "end", to_s: 99, limits: LIMITS })[2].end, 10);
});

test("a neighbour that nobody set gives way until its last word has been said, one that was set does not", () => {
  const said = [segment("one two"), segment("three four", 2)];
  const late = [cue("one two", 0, 1.9), cue("three four", 2, 3)];
  const changed = moved(said, late, { at: 1, edge: "start", to_s: 1.4, limits: LIMITS });
  assert.deepEqual([changed[0].end, changed[1].start, changed[0].pin], [1.3, 1.4, undefined]);
  assert.equal(moved(said, late, { at: 1, edge: "start", to_s: 0, limits: LIMITS })[1].start, 1);
  const held = [{ ...late[0], pin: { from: 0, until: 1, speaker: "" } }, late[1]];
  assert.equal(moved(said, held, { at: 1, edge: "start", to_s: 0, limits: LIMITS })[1].start, 1.9);
});

test("what was moved is pinned to its words, and nothing else is", () => {
  const pins = toPins(moved(ALL, CUES, { at: 1, edge: "end", to_s: 3.25, limits: LIMITS }));
  assert.deepEqual(pins, [{ start_s: 1, end_s: 3.25, from_s: 1, until_s: 4, speaker: null }]);
  assert.deepEqual(toPins(withPins(CUES, [{ start_s: 1, end_s: 3, from_s: 1, until_s: 2, speaker: null }])), [
    { start_s: 1, end_s: 3, from_s: 1, until_s: 2, speaker: null },
  ]);
  assert.deepEqual(toPins(withPins(CUES, [{ start_s: 1.5, end_s: 3, from_s: 1, until_s: 2, speaker: null }])), []);
});

test("a cue is split behind a word, where its second half begins", () => {
  const [, first, second] = splitCue(ALL, CUES, { at: 1, count: 1, limits: LIMITS });
  assert.deepEqual([first.text, first.start, first.end], ["three", 1, 1.4]);
  assert.deepEqual([second.text, second.start, second.end], ["four", 1.5, 3]);
  assert.deepEqual(toPins([first, second]).map(({ from_s, until_s }) => [from_s, until_s]), [[1, 1.5], [1.5, 4]]);
  assert.equal(splitCue(ALL, CUES, { at: 1, count: 1, to_s: 2, limits: LIMITS })[2].start, 2);
  assert.equal(splitCue(ALL, CUES, { at: 1, count: 2, limits: LIMITS }), null);
  assert.equal(splitCue(ALL, CUES, { at: 1, count: 0, limits: LIMITS }), null);
});

test("two cues become one, and split again are as they were", () => {
  const merged = mergedCues(ALL, CUES, { at: 0, limits: LIMITS });
  assert.deepEqual([merged.length, merged[0].text, merged[0].start, merged[0].end], [2, "one two three four", 0, 3]);
  const again = splitCue(ALL, merged, { at: 0, count: 2, limits: LIMITS });
  assert.deepEqual(again.map((one) => one.text), CUES.map((one) => one.text));
  assert.equal(mergedCues(ALL, CUES, { at: 2, limits: LIMITS }), null);
});

test("what two people say is never merged", () => {
  const all = [segment("one two", 0, "A"), segment("three", 1, "B")];
  const cues = [cue("one two", 0, 0.9, { speaker: "A" }), cue("three", 1, 2, { speaker: "B" })];
  assert.equal(mergedCues(all, cues, { at: 0, limits: LIMITS }), null);
});

test("the caret and the recording say behind which word to split", () => {
  const { words } = ALL[0];
  assert.deepEqual(["", "one", "one two", "one t", "one\ntwo three four"].map((text) => wordsBefore(words, text)), [0, 1, 2, 1, 4]);
  assert.deepEqual([0, 0.3, 0.9, 9].map((now) => wordsSaid(words, now)), [0, 1, 2, 4]);
});

test("a part of a Word file is found by the directory at its end", async () => {
  const [name, body] = ["word/document.xml", Buffer.from("<w:p>so</w:p>")];
  const packed = deflateRawSync(body);
  const local = Buffer.alloc(30);
  local.writeUInt16LE(name.length, 26);
  const entry = Buffer.alloc(46);
  entry.writeUInt32LE(0x02014b50, 0);
  entry.writeUInt16LE(8, 10);
  entry.writeUInt32LE(packed.length, 20);
  entry.writeUInt16LE(name.length, 28);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(30 + name.length + packed.length, 16);
  const whole = new Uint8Array(Buffer.concat([local, Buffer.from(name), packed, entry, Buffer.from(name), end]));
  assert.equal(new TextDecoder().decode(await partOf(whole, name)), "<w:p>so</w:p>");
  await assert.rejects(partOf(whole, "other"));
  await assert.rejects(partOf(new Uint8Array(40), name));
});
