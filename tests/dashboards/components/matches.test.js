import assert from "node:assert/strict";
import { test } from "node:test";

import { TooSlow, matchesIn, patternFor, replacedTexts } from "../../../dashboards/components/player/matches.js";
import { wordDiff } from "../../../dashboards/components/player/word_diff.js";

const PLAIN = { letters: false, whole: false, pattern: false };
const PATTERN = { ...PLAIN, pattern: true };

function found(text, wanted, options = PLAIN) {
  return matchesIn([{ text }], patternFor(wanted, options)).map(({ start, end }) => text.slice(start, end));
}

function replaced(text, wanted, replacement, options = PLAIN, pick = (matches) => matches) {
  const segment = { text };
  const pattern = patternFor(wanted, options);
  return replacedTexts(pick(matchesIn([segment], pattern)), pattern, replacement, options).get(segment);
}

test("nothing is looked for by no words", () => {
  assert.equal(patternFor("", PLAIN), null);
});

test("case counts only where it is asked for", () => {
  assert.deepEqual(found("Ada and ada", "ada"), ["Ada", "ada"]);
  assert.deepEqual(found("Ada and ada", "ada", { ...PLAIN, letters: true }), ["ada"]);
});

test("whole words end at letters of any script", () => {
  assert.deepEqual(found("äda ada adä", "ada", { ...PLAIN, whole: true }), ["ada"]);
  assert.deepEqual(found("c++ c", "c++", { ...PLAIN, whole: true }), ["c++"]);
});

test("signs of a pattern are plain text unless a pattern is asked for", () => {
  assert.deepEqual(found("a.b axb", "a.b"), ["a.b"]);
  assert.deepEqual(found("a.b axb", "a.b", PATTERN), ["a.b", "axb"]);
});

test("a pattern that could run for ever is refused, a broken one is a SyntaxError", () => {
  assert.throws(() => patternFor("(a+)+$", PATTERN), TooSlow);
  assert.throws(() => patternFor("(", PATTERN), SyntaxError);
});

test("an empty match is none", () => {
  assert.deepEqual(found("abc", "x*", PATTERN), []);
});

test("all matches are replaced, or the chosen one", () => {
  assert.equal(replaced("one two one", "one", "1"), "1 two 1");
  assert.equal(replaced("one two one", "one", "1", PLAIN, (matches) => [matches[1]]), "one two 1");
});

test("groups count in patterns alone", () => {
  assert.equal(replaced("ab", "a", "$1$&"), "$1$&b");
  assert.equal(replaced("2024-05", "(\\d+)-(\\d+)", "$2.$1", PATTERN), "05.2024");
});

test("a pattern that looks around itself is replaced where it was found", () => {
  assert.equal(replaced("foo bar foo", "(?<=bar )foo", "baz", PATTERN), "foo bar baz");
});

test("two texts are compared word by word", () => {
  assert.deepEqual(wordDiff("the cat sat", "the dog sat down"), [
    { kind: "same", text: "the" },
    { kind: "removed", text: "cat" },
    { kind: "added", text: "dog" },
    { kind: "same", text: "sat" },
    { kind: "added", text: "down" },
  ]);
});

test("what was added to nothing, or taken away whole, is one part", () => {
  assert.deepEqual(wordDiff("", "a b"), [{ kind: "added", text: "a b" }]);
  assert.deepEqual(wordDiff("a b", ""), [{ kind: "removed", text: "a b" }]);
});

test("the parts of a difference put together are both texts", () => {
  const [before, after] = ["a b c a b b a", "c b a b a c"];
  const parts = wordDiff(before, after);
  const side = (...kinds) => parts.filter((part) => kinds.includes(part.kind)).map((part) => part.text).join(" ");
  assert.equal(side("same", "removed"), before);
  assert.equal(side("same", "added"), after);
});

test("long texts are compared as wholes", () => {
  const long = "word ".repeat(600);
  assert.deepEqual(wordDiff(long, `${long}x`).map((part) => part.kind), ["removed", "added"]);
});
