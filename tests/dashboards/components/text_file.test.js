import assert from "node:assert/strict";
import { test } from "node:test";

import { textOfFile } from "../../../dashboards/components/player/text_file.js";

const file = (...parts) => new File(parts, "said.txt");
const bytes = (text, encoding) => Buffer.from(text, encoding);

test("a text is read in the encodings in which editors write it", async () => {
  const said = "Grüße – “an alle”\nund Łódź";
  assert.equal(await textOfFile(file(said)), said);
  assert.equal(await textOfFile(file("\ufeff", said)), said);
  assert.equal(await textOfFile(file(bytes(`\ufeff${said}`, "utf16le"))), said);
  assert.equal(await textOfFile(file(bytes(`\ufeff${said}`, "utf16le").swap16())), said);
  const ansi = [...bytes("Gr\u00fc\u00dfe ", "latin1"), 0x96, 0x20, 0x93, ...bytes("an alle", "latin1"), 0x94];
  assert.equal(await textOfFile(file(new Uint8Array(ansi))), "Grüße – “an alle”");
});

test("subtitles in an older encoding are read like others", async () => {
  assert.equal(await textOfFile(file(bytes("1\r\n00:00:01,000 --> 00:00:02,000\r\nGr\u00fc\u00dfe\r\n", "latin1"))), "Grüße");
});

test("texts older than Unicode are read as their language was written", async () => {
  const polish = new Uint8Array([0x5a, 0x61, 0xbf, 0xf3, 0xb3, 0xe6]);
  assert.equal(await textOfFile(file(polish), "pl"), "Zażółć");
  assert.equal(await textOfFile(file(new Uint8Array([0xcf, 0xf0, 0xe8, 0xe2, 0xe5, 0xf2])), "ru"), "Привет");
  assert.equal(await textOfFile(file(new Uint8Array([0x93, 0xfa, 0x96, 0x7b])), "ja"), "日本");
});

test("a damaged text of UTF-8 is not taken for an older one", async () => {
  assert.equal(await textOfFile(file(new TextEncoder().encode("Grüße an "), new Uint8Array([0xff]), new TextEncoder().encode("Jürgen")), "de"), null);
});

test("a line break of Word and an end of DOS are no letters", async () => {
  assert.equal(await textOfFile(file("one\vtwo\x1a"), "en"), "one\ntwo");
});

test("what is no text alone is not taken for one", async () => {
  for (const begin of ["{\\rtf1\\ansi hello}", "<!DOCTYPE html><p>hello", "<html><p>hello", "%PDF-1.7 hello", "[Script Info]\nTitle: x"]) {
    assert.equal(await textOfFile(file(begin)), null, begin);
  }
  assert.equal(await textOfFile(file(new Uint8Array([0xd0, 0xcf, 0x11, 0xe0, 0x00, 0x01]))), null);
  assert.equal(await textOfFile(file(new Uint8Array([0xff, 0xfb, 0x90, 0x64, 0x00, 0x0f]))), null);
});

test("a file without text is empty, and not unreadable", async () => {
  assert.deepEqual([await textOfFile(file("")), await textOfFile(file("\ufeff"))], ["", ""]);
});
