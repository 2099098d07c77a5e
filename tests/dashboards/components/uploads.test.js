import assert from "node:assert/strict";
import { test } from "node:test";

import { duplicatesOf } from "../../../dashboards/components/uploader/duplicates.js";
import {
  MB, connectionsFor, isFinal, isMedia, isWorthRetrying, markedAt, refusalOf, speedOf, startable, summaryOf,
} from "../../../dashboards/components/uploader/upload.js";
import { factsOf, paceOf } from "../../../dashboards/components/uploader/upload_row.js";
import { loudness } from "../../../dashboards/components/uploader/level_meter.js";

const upload = (state, size = MB, more = {}) => ({ state, size, sent: 0, marks: [], ...more });
const names = (uploads) => uploads.map((one) => one.key);

test("sound and video are known by type or by name", () => {
  assert.equal(isMedia({ name: "talk", type: "audio/x-odd" }), true);
  assert.equal(isMedia({ name: "TALK.MKV", type: "" }), true);
  assert.equal(isMedia({ name: "notes.txt", type: "text/plain" }), false);
  assert.equal(isMedia({ name: "mp3", type: "" }), false);
});

test("what cannot be taken is refused before it is sent", () => {
  const settings = { max_bytes: 100, free_bytes: 50, text: { empty: "empty", too_large: "large", no_room: "room" } };
  assert.deepEqual([0, 101, 60, 50].map((size) => refusalOf(size, settings)), ["empty", "large", "room", null]);
});

test("small files go four at a time, in their order", () => {
  const all = [1, 2, 3, 4, 5].map((key) => upload("waiting", MB, { key }));
  assert.deepEqual(names(startable(all)), [1, 2, 3, 4]);
  assert.deepEqual(names(startable([upload("sending"), ...all])), [1, 2, 3]);
});

test("a big file takes all connections and waits for them; nothing overtakes it", () => {
  const big = upload("waiting", 64 * MB, { key: "big" });
  const small = upload("waiting", MB, { key: "small" });
  assert.equal(connectionsFor(big), 4);
  assert.deepEqual(names(startable([big, small])), ["big"]);
  assert.deepEqual(names(startable([upload("sending"), big, small])), []);
});

test("the sizes of a folder's files are asked for together, a hundred at most", async () => {
  const asked = [];
  globalThis.fetch = async (path) => {
    asked.push(new URL(path, "http://page").searchParams.getAll("size").length);
    return { ok: true, json: async () => ({ known: [] }) };
  };
  const files = Array.from({ length: 250 }, (_, place) => upload("looking", place + 1));
  const found = await Promise.all(files.map((file) => duplicatesOf(file, () => {})));
  assert.deepEqual(asked, [100, 100, 50]);
  assert.equal(found.flat().length, 0);
});

test("where the server does not answer, every file is told", async () => {
  globalThis.fetch = async () => ({ ok: false, status: 503 });
  const asked = [1, 2].map((size) => duplicatesOf(upload("looking", size), () => {}));
  assert.deepEqual((await Promise.allSettled(asked)).map(({ status }) => status), ["rejected", "rejected"]);
});

test("paused, failed and finished files take no connection", () => {
  const rest = ["paused", "failed", "done", "offline", "known", "looking"].map((state) => upload(state));
  assert.deepEqual(names(startable([...rest, upload("waiting", MB, { key: 1 })])), [1]);
});

test("what was on the server before this page is no speed", () => {
  const early = markedAt({ began: 1000, marks: [[1000, 0]] }, 1500, 5 * MB);
  assert.deepEqual(early, [[1500, 5 * MB]]);
});

test("speed is that of the last six seconds", () => {
  let marks = [];
  for (let now = 1000; now <= 20_000; now += 500) marks = markedAt({ began: 0, marks }, now, now < 10_000 ? 0 : (now - 10_000) * 2000);
  assert.ok(marks[0][0] >= 14_000);
  assert.equal(speedOf({ state: "sending", marks }), 2_000_000);
});

test("progress that comes faster than five times a second is not all kept", () => {
  const marks = markedAt({ began: 0, marks: [[1000, 0], [1300, 10]] }, 1400, 20);
  assert.deepEqual(marks, [[1000, 0], [1300, 10]]);
});

test("what does not move has no speed", () => {
  const marks = [[0, 0], [1000, 1000]];
  assert.equal(speedOf({ state: "paused", marks }), 0);
  assert.equal(speedOf({ state: "sending", marks: [[0, 0]] }), 0);
});

test("the summary is of what is still on its way", () => {
  const all = [upload("sending", 100, { sent: 50 }), upload("waiting", 100), upload("done", 900), upload("paused", 900)];
  assert.deepEqual(summaryOf(all), { active: 2, size: 200, sent: 50, speed: 0, share: 0.25 });
  assert.equal(summaryOf([]).share, 0);
});

test("a lost network and a busy server are worth another try, a full disk and a refusal are not", () => {
  assert.deepEqual([0, 409, 423, 429, 500, 503].map(isWorthRetrying), Array(6).fill(true));
  assert.deepEqual([400, 401, 403, 413, 507].map(isWorthRetrying), Array(5).fill(false));
});

test("a refusal is for good, unless it is for want of a login", () => {
  assert.deepEqual([400, 403, 413, 401, 500, 507, 0].map(isFinal), [true, true, true, false, false, false, false]);
});

test("a row says how far a file is and what it waits for", () => {
  const text = {
    looking: "looking", waiting: "waiting", paused: "paused", offline: "offline", checking: "checking", left: "{time} left",
  };
  const facts = (state, more) => factsOf(upload(state, 2_000_000, more), text);
  assert.equal(facts("done"), "2.0 MB");
  assert.equal(facts("looking"), "2.0 MB · looking");
  assert.equal(facts("paused", { sent: 500_000 }), "500 kB / 2.0 MB · paused");
  assert.equal(facts("sending", { sent: 1, trouble: "away" }), "1 B / 2.0 MB · away");
  assert.equal(facts("sending", { sent: 2_000_000 }), "2.0 MB / 2.0 MB · checking");
  const marks = [[0, 0], [1000, 100_000]];
  assert.equal(facts("sending", { sent: 1_000_000, marks }), "1.0 MB / 2.0 MB · 100 kB/s · 10 s left");
  assert.deepEqual(paceOf({ size: 1, sent: 0, speed: 0.5 }, text), []);
});

test("silence is no level, and full scale is all of it", () => {
  assert.equal(loudness(new Float32Array(8)), 0);
  assert.equal(loudness(new Float32Array(8).fill(1)), 1);
  assert.ok(loudness(new Float32Array(8).fill(0.05)) > 0.3);
});
