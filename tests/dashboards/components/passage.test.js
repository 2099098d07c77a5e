import assert from "node:assert/strict";
import { test } from "node:test";

import { passageOf, placesOf, stamp, withTimes, wordPlaces } from "../../../dashboards/components/player/passage.js";
import { segmentOf, withText } from "../../../dashboards/components/player/segments.js";

function segment(start_s, text, speaker = "", step_s = 0.5) {
  const words = text.split(" ").map((word, place) => ({
    start_s: start_s + step_s * place,
    end_s: start_s + step_s * (place + 1),
    text: ` ${word}`,
  }));
  return segmentOf({ start_s, end_s: words.at(-1).end_s, text: ` ${text}`, speaker, words }, 0);
}

const FERRY = segment(10, "The ferry leaves at nine.", "Anna");
const KEYS = segment(14, "Bring the keys.", "Ben");

test("a selection becomes whole words with their times", () => {
  const part = { segment: FERRY, from: 6, to: 12 }; // "rry le"
  assert.deepEqual(passageOf([part]), { start_s: 10.5, end_s: 11.5, quote: "ferry leaves" });
});

test("a selection over lines ends in the last one", () => {
  const parts = [{ segment: FERRY, from: 20, to: 25 }, { segment: KEYS, from: 0, to: 5 }];
  assert.deepEqual(passageOf(parts), { start_s: 12, end_s: 14.5, quote: "nine. Bring" });
  assert.equal(passageOf([{ segment: FERRY, from: 3, to: 3 }]), null);
});

test("a passage that is too long keeps its times and a cut quote", () => {
  const long = segment(0, Array(600).fill("word").join(" "));
  const found = passageOf([{ segment: long, from: 0, to: long.text.length }]);
  assert.equal(found.quote.length, 2000);
  assert.equal(found.end_s, 300);
});

test("a passage is found again by its times, also after an edit", () => {
  const stretch = { start_s: 10.5, end_s: 11.5 };
  assert.deepEqual(placesOf([FERRY, KEYS], stretch), [{ place: 0, from: 4, to: 16 }]);
  const edited = withText(FERRY, "Well, the small ferry leaves at nine.", [FERRY]);
  const [found] = placesOf([edited, KEYS], stretch);
  assert.match(edited.text.slice(found.from, found.to), /ferry leaves|small ferry leaves/);
});

test("a passage over lines, and one that no line has any more", () => {
  const both = placesOf([FERRY, KEYS], { start_s: 12, end_s: 14.5 });
  assert.deepEqual(both.map(({ place, from, to }) => [place, [FERRY, KEYS][place].text.slice(from, to)]), [[0, "nine."], [1, "Bring"]]);
  assert.deepEqual(placesOf([FERRY, KEYS], { start_s: 20, end_s: 21 }), []);
  assert.deepEqual(placesOf([], { start_s: 0, end_s: 1 }), []);
});

test("words that do not spell the line are no guide: the line is", () => {
  const odd = { ...FERRY, text: "Something else" };
  assert.deepEqual(wordPlaces(odd), []);
  assert.deepEqual(passageOf([{ segment: odd, from: 0, to: 9 }]), { start_s: 10, end_s: 12.5, quote: "Something" });
});

test("lines are copied with time and speaker", () => {
  const late = segment(3723.4, "Good evening.", "");
  const parts = [{ segment: FERRY, from: 4, to: 16 }, { segment: late, from: 0, to: 13 }];
  assert.equal(withTimes(parts), "[00:00:10] Anna: ferry leaves\n[01:02:03] Good evening.");
  assert.equal(stamp(59.9999), "00:01:00");
});
