import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { DirectUpload, keyOf } from "../../../dashboards/components/uploader/direct_upload.js";
import { goesDirect } from "../../../dashboards/components/uploader/upload.js";

const PART = 4;
const place = { endpoint: "/uploads/direct", mark: "wt-ada-talk" };
const file = new File(["0123456789"], "talk.wav"); // three parts: 4, 4 and 2 bytes

/** A server and its bucket: what has arrived, and what was asked. */
class Bucket {
  arrived = new Map();
  asked = [];
  refuse = {}; // statuses by the end of a path, each once

  answer = async (url, { method = "GET", headers = {}, body } = {}) => {
    const what = url.split("/").at(-1);
    this.asked.push([method, what, headers["Idempotency-Key"], body]);
    const status = this.refuse[what]?.shift();
    if (status) return new Response(JSON.stringify({ error: { code: "no", message: "No." } }), { status });
    if (what === "parts") {
      const { numbers } = JSON.parse(body);
      return Response.json({ urls: Object.fromEntries(numbers.map((one) => [one, `bucket/${one}`])) });
    }
    if (what === "complete") return this.arrived.size === 3 ? Response.json({ job_id: "job" }) : new Response("{}", { status: 409 });
    return Response.json({ id: "u", part_bytes: PART, parts: 3, arrived: [...this.arrived.keys()], job_id: null });
  };

  put = async (url, part, onSent) => {
    const number = Number(url.split("/").at(-1));
    const status = this.refuse[number]?.shift();
    if (status !== undefined) throw Object.assign(new Error(), { originalResponse: status ? { getStatus: () => status } : null });
    onSent(part.size);
    this.arrived.set(number, await part.text());
  };
}

let bucket;
beforeEach(() => {
  bucket = new Bucket();
  const kept = new Map();
  globalThis.fetch = bucket.answer;
  globalThis.localStorage = {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => kept.set(key, value),
    removeItem: (key) => kept.delete(key),
  };
});
afterEach(() => delete globalThis.localStorage);

async function sent(delaysMs = [0, 0, 0], language = "en") {
  const said = { progress: [] };
  const handlers = {
    onProgress: (bytes) => said.progress.push(bytes),
    onSuccess: (job) => {
      said.job = job;
    },
    onError: (error) => {
      said.error = error;
    },
    shouldRetry: (status) => [0, 409].includes(status) || status >= 500,
  };
  const upload = new DirectUpload(file, place, { name: "talk.wav", options: { language } }, handlers, { delaysMs, put: bucket.put });
  await upload.start();
  return { ...said, upload };
}

test("a recording arrives part by part, and becomes a job", async () => {
  const { job, progress } = await sent();
  assert.equal(job, "job");
  assert.deepEqual([...bucket.arrived.entries()].sort(), [[1, "0123"], [2, "4567"], [3, "89"]]);
  assert.equal(progress.at(-1), 10);
  assert.equal(localStorage.getItem(keyOf(place.mark)), null);
});

test("after a break only what is missing is sent, under the same key", async () => {
  bucket.refuse = { 2: [0, 503] };
  assert.equal((await sent()).job, "job");
  const creations = bucket.asked.filter(([, what]) => what === "direct");
  assert.equal(creations.length, 3);
  assert.equal(new Set(creations.map(([, , key]) => key)).size, 1);
});

for (const status of [400, 403]) {
  test(`an address that has expired (${status}) is asked for anew`, async () => {
    bucket.refuse = { 3: [status] };
    assert.equal((await sent([])).job, "job");
  });
}

test("tries are counted anew once a part has arrived", async () => {
  bucket.refuse = { 1: [0], 3: [0, 0] };
  assert.equal((await sent([0])).job, "job");
});

test("an upload that was begun before goes on with the choices of then", async () => {
  bucket.refuse = { complete: [422] };
  await sent([], "en");
  assert.equal((await sent([], "de")).job, "job");
  const asked = bucket.asked.filter(([, what]) => what === "direct").map(([, , ...more]) => more);
  assert.deepEqual(asked[1], asked[0]);
});

test("what the server refuses is an error with its words; the browser can go on with the rest", async () => {
  bucket.refuse = { complete: [422] };
  const { error, job } = await sent();
  assert.equal(job, undefined);
  assert.equal(error.originalResponse.getStatus(), 422);
  assert.equal(JSON.parse(error.originalResponse.getBody()).error.message, "No.");
  assert.equal(JSON.parse(localStorage.getItem(keyOf(place.mark))).uploadUrl, "/uploads/direct/u");
});

test("what is cancelled is deleted there and forgotten here", async () => {
  bucket.refuse = { complete: [422] };
  const { upload } = await sent();
  await upload.abort(true);
  assert.deepEqual(bucket.asked.at(-1).slice(0, 2), ["DELETE", "u"]);
  assert.equal(localStorage.getItem(keyOf(place.mark)), null);
});

test("big files go straight to the bucket, unless the server has a part of them or must give them a header", () => {
  const big = { size: 64 * 1024 * 1024, settings: { direct: true } };
  assert.equal(goesDirect(big, []), true);
  assert.equal(goesDirect(big, [keyOf("mark")]), true);
  assert.equal(goesDirect(big, ["tus::mark::1"]), false);
  assert.equal(goesDirect({ ...big, size: 1 }, []), false);
  assert.equal(goesDirect({ ...big, throughServer: true }, []), false);
  assert.equal(goesDirect({ ...big, settings: { direct: false } }, []), false);
  assert.equal(goesDirect({ ...big, described: { format: "alaw" } }, []), false);
});
