import assert from "node:assert/strict";
import { test } from "node:test";

import { addressOf } from "../../../dashboards/components/downloads/address.js";
import { actionsOn, idsFor } from "../../../dashboards/components/job_list/actions.js";
import { pauseFor } from "../../../dashboards/components/job_list/refresh.js";
import { concerns, pauseAfter } from "../../../dashboards/components/live/live.js";
import { barHeights } from "../../../dashboards/components/player/waveform.js";
import { endsByIdling, nextCheck_s, secondsLeft } from "../../../dashboards/components/session/timing.js";
import { bytes, clock, duration, fileStamp, fill, instant } from "../../../dashboards/components/shared/format.js";

test("a place in a recording is minutes, and hours where there are some", () => {
  assert.deepEqual([0, 59.9, 247, 3723].map((s) => clock(s)), ["0:00", "0:59", "4:07", "1:02:03"]);
});

test("tenths are cut after what rounding has taken is given back", () => {
  assert.deepEqual([1.2, 59.9999, 0.8999].map((s) => clock(s, true)), ["0:01.2", "1:00.0", "0:00.9"]);
});

test("sizes are decimal and have a place behind the point while they are small", () => {
  assert.deepEqual([999, 1000, 99_950, 123_456_789, 5e12].map(bytes), ["999 B", "1.0 kB", "100.0 kB", "123 MB", "5000 GB"]);
});

test("numbers and dates are those of the page's language", () => {
  Object.assign(globalThis, { document: { documentElement: { lang: "de" } } });
  try {
    assert.equal(bytes(1_234_000), "1,2 MB");
    assert.match(instant("2026-03-05T12:00"), /^5\. März 2026/);
  } finally {
    Reflect.deleteProperty(globalThis, "document");
  }
  assert.match(instant("2026-03-05T12:00"), /^5 Mar 2026/);
});

test("a length of time is as rough as it is long", () => {
  assert.deepEqual([0.2, 59, 90, 5400].map(duration), ["1 s", "59 s", "2 min", "1 h 30 min"]);
});

test("an instant in a file's name has no sign that file systems refuse", () => {
  assert.equal(fileStamp(new Date(2026, 0, 2, 3, 4)), "2026-01-02 03.04");
});

test("values go into their places, also such as look like a pattern", () => {
  assert.equal(fill("{a} and {b} and {a}", { a: "$&", b: 2 }), "$& and 2 and $&");
  assert.equal(fill("{none}", {}), "");
});

const USUAL = {
  max_line_width: 42, max_line_count: 2, min_duration_s: 1, max_duration_s: 7, max_chars_per_s: 20, min_gap_s: 0.083,
  highlight_words: false, speakers: true, byte_order_mark: false,
};
const chosen = (changes) => Object.entries({ ...USUAL, ...changes }).map(([name, value]) => ({ name, value }));

test("an address names only settings that differ and that shape its file", () => {
  const address = (settings, changes) => addressOf({ url: "/d", settings }, chosen(changes), USUAL);
  const all = Object.keys(USUAL);
  assert.equal(address(all, {}), "/d");
  assert.equal(address(all, { max_line_width: 30, speakers: false }), "/d?max_line_width=30&speakers=false");
  assert.equal(address(["speakers"], { max_line_width: 30, speakers: false }), "/d?speakers=false");
  assert.equal(address([], { speakers: false }), "/d");
});

test("an action is for deleted jobs or for the others, and fits the states that it names", () => {
  const retry = { name: "retry", label: "Try again", confirm: null, deleted: false, held: null, states: ["failed", "cancelled"] };
  const restore = { ...retry, name: "restore", deleted: true };
  assert.deepEqual(actionsOn([retry, restore], false), [retry]);
  assert.deepEqual(actionsOn([retry, restore], true), [restore]);
  const jobs = [{ id: "a", state: "failed" }, { id: "b", state: "completed" }, { id: "c", state: "cancelled" }];
  assert.deepEqual(idsFor(retry, jobs), ["a", "c"]);
  const waiting = [{ id: "d", state: "queued", held: true }, { id: "e", state: "queued", held: false }];
  assert.deepEqual(idsFor({ ...retry, held: true, states: ["queued"] }, waiting), ["d"]);
  assert.deepEqual(idsFor({ ...retry, held: false, states: ["queued"] }, waiting), ["e"]);
});

test("the list leaves the server alone for forty times what a look takes, and longer where many look", () => {
  assert.equal(pauseFor(0, 1), 400);
  assert.equal(pauseFor(100, 1), 4000);
  assert.equal(pauseFor(10_000, 1), 20_000);
  assert.equal(pauseFor(0, 1000), 40_000);
});

test("a page that is drawn slowly is drawn less often, but every three seconds at least", () => {
  assert.deepEqual([0, 50, 200, 10_000].map(pauseAfter), [400, 400, 800, 3000]);
});

test("an event concerns who looks at its job, at its owner's jobs, or at all", () => {
  const event = { job_id: "j", owner_id: "o" };
  assert.equal(concerns(event, { job: "j", owner: null, everybody: false }), true);
  assert.equal(concerns(event, { job: null, owner: "other", everybody: true }), false);
  assert.equal(concerns(event, { job: null, owner: "reader", everybody: false }), true);
  assert.equal(concerns(event, { job: null, owner: null, everybody: true }), true);
  assert.equal(concerns({ missed: true }, { job: "x", owner: "y", everybody: false }), true);
});

test("a session is asked after by half of what is left, and often once its end is warned of", () => {
  const left = (idle_s, ends_s) => ({ idle_s, ends_s, by_password: true });
  assert.equal(secondsLeft(left(1000, 400)), 400);
  assert.equal(endsByIdling(left(1000, 400)), false);
  assert.equal(nextCheck_s(left(1000, 90_000), 300), 500);
  assert.equal(nextCheck_s(left(400, 90_000), 300), 100);
  assert.equal(nextCheck_s(left(302, 90_000), 300), 5);
  assert.equal(nextCheck_s(left(200, 90_000), 300), 10);
  assert.equal(nextCheck_s(left(3, 90_000), 300), 3.5); // the page is left with the session, not ten seconds later
  assert.equal(nextCheck_s(left(90_000, 90_000), 300), 3600);
});

test("a bar is as high as the loudest of its stretch, as a share of the loudest of all", () => {
  assert.deepEqual([...barHeights(Uint8Array.of(0, 100, 50, 200), 2)], [0.5, 1]);
  assert.deepEqual([...barHeights(Uint8Array.of(0, 0), 2)], [0, 0]);
  assert.deepEqual([...barHeights(new Uint8Array(), 2)], [0, 0]);
  assert.deepEqual([...barHeights(Uint8Array.of(80), 3)], [1, 1, 1]);
});
