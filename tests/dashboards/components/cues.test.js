import assert from "node:assert/strict";
import { test } from "node:test";

import { wordsOfCue, writeCue } from "../../../dashboards/components/player/cue_edits.js";
import { brokenIntoLines, charsPerSecond, columns, parseVtt, warningsOf } from "../../../dashboards/components/player/cues.js";

const LIMITS = {
  max_line_width: 42, max_line_count: 2, min_duration_s: 5 / 6, max_duration_s: 7, max_chars_per_s: 20, min_gap_s: 0.083,
  highlight_words: false, speakers: true, byte_order_mark: false,
};
const WORDS = { fast: "fast", wide: "{width} wide", lines: "{lines} lines", short: "short", long: "long" };
const cue = (text, start, end) => ({ start, end, speaker: "", text });
const warned = (...given) => warningsOf(cue(...given), LIMITS, WORDS);

test("cues are read with hours, settings, identifiers, notes and Windows line ends", () => {
  const vtt = "WEBVTT\r\n\r\nNOTE none\r\n\r\n7\r\n00:00:01.500 --> 00:00:02.000 align:start\r\nOne\r\ntwo\r\n\r\n01:00:00.000 --> 01:00:01.000\r\nlater\r\n";
  assert.deepEqual(parseVtt(vtt), [cue("One\ntwo", 1.5, 2), cue("later", 3600, 3601)]);
});

test("a speaker's name is taken out of the text, and entities are letters again", () => {
  const vtt = "WEBVTT\n\n00:01.000 --> 00:02.000\n<v.loud Ada &amp; Bo>Fish &lt;&amp;&gt;&nbsp;<c>chips</c>\n";
  assert.deepEqual(parseVtt(vtt), [{ start: 1, end: 2, speaker: "Ada & Bo", text: "Fish <&> chips" }]);
});

test("an escaped entity is not undone twice", () => {
  assert.equal(parseVtt("WEBVTT\n\n00:01.000 --> 00:02.000\n&amp;lt;\n")[0].text, "&lt;");
});

test("a cue without a text is none", () => {
  assert.deepEqual(parseVtt("WEBVTT\n\n00:01.000 --> 00:02.000\n\n"), []);
});

test("East Asian characters take two columns, combining marks and line ends none", () => {
  assert.deepEqual(["abc", "日本", "e\u0301", "a\nb", "한국"].map(columns), [3, 4, 1, 2, 4]);
});

test("a cue within all limits is not warned of", () => {
  assert.deepEqual(warned("Twenty characters ok", 0, 1), []);
});

test("each limit has its warning", () => {
  assert.deepEqual(warned("x".repeat(43), 0, 3), ["43 wide"]);
  assert.deepEqual(warned("a\nb\nc", 0, 3), ["3 lines"]);
  assert.deepEqual(warned("a", 0, 0.5), ["short"]);
  assert.deepEqual(warned("a", 0, 7.5), ["long"]);
  assert.deepEqual(warned("x".repeat(42), 0, 1), ["fast"]);
});

test("what rounding to milliseconds has made shorter or faster is no fault", () => {
  assert.deepEqual(warned("a", 0, 0.833), []);
  assert.deepEqual(warned("x".repeat(40), 0, 1.998), []);
});

test("a cue of no length has a speed all the same", () => {
  assert.equal(charsPerSecond(cue("abc", 1, 1)), 3000);
});

test("lines are broken at words, and a word that is too long stays whole", () => {
  assert.equal(brokenIntoLines("one two three", 7), "one two\nthree");
  assert.equal(brokenIntoLines("incomprehensibilities now", 7), "incomprehensibilities\nnow");
});

/** Segments of words that take half a second each, one after the other. */
function segments(...texts) {
  let now = 0;
  return texts.map((text, index) => {
    const words = text.split(" ").map((word) => ({ start: now, end: (now += 0.5), text: ` ${word}`, p: 0.9 }));
    return {
      index, from: [index], start: words[0].start, end: now, text, speaker: "", language: "", words, changed: false,
    };
  });
}

test("a cue is found again in the words of two segments", () => {
  const all = segments("one two", "three four");
  const cues = [cue("one", 0, 0.5), cue("two three", 0.5, 1.5), cue("four", 1.5, 2)];
  assert.deepEqual(wordsOfCue(all, cues, 1), [{ place: 0, first: 1, last: 1 }, { place: 1, first: 0, last: 0 }]);
  assert.deepEqual(wordsOfCue(all, cues, 2), [{ place: 1, first: 1, last: 1 }]);
});

test("a cue's text goes into the words that it shows and leaves the others alone", () => {
  const all = segments("one two", "three four");
  const spots = [{ place: 0, first: 1, last: 1 }, { place: 1, first: 0, last: 0 }];
  const written = writeCue(all, spots, "zwei drei und", all);
  assert.deepEqual(written.map((segment) => segment.text), ["one zwei", "drei und four"]);
  assert.deepEqual(written[1].words.at(-1), all[1].words[1]);
  assert.deepEqual(all.map((segment) => segment.text), ["one two", "three four"]);
});
