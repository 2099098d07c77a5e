import assert from "node:assert/strict";
import { test } from "node:test";

import { ListeningKeys, chordOf, mayListen } from "../../../dashboards/components/player/listening_keys.js";

const NONE = { ctrlKey: false, altKey: false, shiftKey: false, metaKey: false };

function pressed(key, code, held = {}) {
  return { ...NONE, key, code, ...held };
}

function store() {
  const kept = new Map();
  return {
    getItem: (name) => kept.get(name) ?? null,
    setItem: (name, value) => kept.set(name, value),
    removeItem: (name) => kept.delete(name),
  };
}

test("a key is named with what is held beside it", () => {
  assert.equal(chordOf(pressed("k", "KeyK", { altKey: true })), "Alt+K");
  assert.equal(chordOf(pressed(" ", "Space", { ctrlKey: true })), "Ctrl+Space");
  assert.equal(chordOf(pressed("F8", "F8")), "F8");
  assert.equal(chordOf(pressed("Alt", "AltLeft", { altKey: true })), null);
});

test("a Mac writes another sign with Alt, and the key's place counts", () => {
  assert.equal(chordOf(pressed("˚", "KeyK", { altKey: true })), "Alt+K");
  assert.equal(chordOf(pressed("≤", "Comma", { altKey: true })), "Alt+,");
});

test("no key can be chosen that somebody needs for typing", () => {
  for (const free of ["F8", "Alt+K", "Ctrl+Space", "Alt++", "Pause", "F13"]) assert.ok(mayListen(free), free);
  for (const taken of ["K", "Shift+K", "ü", "Enter", "Space", "ArrowLeft", "Ctrl+ArrowLeft", "Escape", "Ctrl+Enter"]) {
    assert.ok(!mayListen(taken), taken);
  }
});

test("media keys always work", () => {
  const keys = new ListeningKeys(store());
  assert.equal(keys.actOf(pressed("MediaPlayPause", "MediaPlayPause")), "play");
  assert.equal(keys.actOf(pressed("MediaTrackPrevious", "MediaTrackPrevious")), "back");
});

test("a chosen key is kept, and the act that had it takes the one before", () => {
  const kept = store();
  new ListeningKeys(kept).choose("play", "Alt+J");
  const keys = new ListeningKeys(kept);
  assert.equal(keys.actOf(pressed("j", "KeyJ", { altKey: true })), "play");
  assert.equal(keys.actOf(pressed("k", "KeyK", { altKey: true })), "back");
  keys.reset();
  assert.equal(new ListeningKeys(kept).actOf(pressed("k", "KeyK", { altKey: true })), "play");
});

test("what is stored badly is left aside", () => {
  const kept = store();
  kept.setItem("wt-keys", "{broken");
  assert.equal(new ListeningKeys(kept).chosen.play, "Alt+K");
  kept.setItem("wt-keys", '{"play": 3, "fly": "F1"}');
  assert.deepEqual(Object.keys(new ListeningKeys(kept).chosen), ["play", "back", "ahead", "slower", "faster"]);
});
