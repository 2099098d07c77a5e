/**
 * Whether its owner has sent a file before, found out before it is sent. The server is asked for the size first, for all
 * files of a folder at once: only where something of that size is there is a file hashed, one at a time, in a web worker.
 *
 * @import { Upload } from "./upload.js"
 *
 * @typedef {{ id: string, name: string, state: string, created_at: string }} KnownJob
 */
import { sitePath } from "../shared/site_path.js";
import { randomId } from "./upload.js";

const MOST_SIZES = 100;

/** @type {{ size: number, resolve: (isKnown: boolean) => void, reject: (error: unknown) => void }[]} */
let sizesToAsk = [];
/** @type {Promise<unknown>} files are hashed one after the other */
let line = Promise.resolve();
/** @type {Worker | null} for the files in line: to start one takes longer than to hash a small file */
let hasher = null;
let inLine = 0;

/**
 * Return the owner's jobs of the same bytes.
 *
 * @param {Upload} upload - its `read` tells how far the hashing is
 * @param {() => void} tell - called when that has changed
 * @returns {Promise<KnownJob[]>}
 */
export async function duplicatesOf(upload, tell) {
  if (!(await isSizeKnown(upload.size))) return [];
  inLine += 1;
  const hashing = line.then(() => hash(upload, tell));
  line = hashing;
  upload.sha256 = await hashing;
  if (--inLine === 0) stopHasher();
  return upload.sha256 ? (await ask(`/uploads/known?sha256=${upload.sha256}`)).jobs : [];
}

/**
 * Ask whether something of this size is there; sizes that are asked for at the same moment are asked for together.
 *
 * @param {number} size - in bytes
 * @returns {Promise<boolean>}
 */
function isSizeKnown(size) {
  if (!sizesToAsk.length) setTimeout(askForSizes);
  return new Promise((resolve, reject) => sizesToAsk.push({ size, resolve, reject }));
}

async function askForSizes() {
  const waiting = sizesToAsk;
  sizesToAsk = [];
  while (waiting.length) {
    const some = waiting.splice(0, MOST_SIZES);
    try {
      const { known } = await ask(`/uploads/known?${some.map(({ size }) => `size=${size}`).join("&")}`);
      for (const { size, resolve } of some) resolve(known.includes(size));
    } catch (error) {
      for (const { reject } of some) reject(error);
    }
  }
}

/** @param {string} path */
async function ask(path) {
  const answer = await fetch(sitePath(path), { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}

/**
 * @param {Upload} upload
 * @param {() => void} tell
 * @returns {Promise<string | null>} null where it was stopped, or cannot be read
 */
function hash(upload, tell) {
  if (upload.state !== "looking") return Promise.resolve(null);
  return new Promise((resolve) => {
    const worker = (hasher ??= new Worker(new URL("./hash_worker.js", import.meta.url), { type: "module" }));
    const end = (/** @type {string | null} */ sha256) => {
      if (!sha256) stopHasher();
      upload.stopLooking = null;
      resolve(sha256);
    };
    upload.stopLooking = () => end(null);
    worker.onerror = () => end(null);
    worker.onmessage = ({ data }) => {
      if (data.read) {
        upload.read = data.read;
        tell();
      } else end(data.sha256 ?? null);
    };
    worker.postMessage(upload.file);
  });
}

function stopHasher() {
  hasher?.terminate();
  hasher = null;
}

/**
 * Make a job of bytes that the server has; resolves to its id, or null where they have to be sent after all.
 *
 * @param {Upload} upload
 * @returns {Promise<string | null>}
 */
export async function transcribeAgain(upload) {
  const { lane, options, tags } = upload.settings;
  const key = (upload.againKey ??= randomId());
  const answer = await fetch(sitePath("/uploads/again"), {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify({ sha256: upload.sha256, name: upload.name, options: JSON.parse(options), lane, tags, key }),
  });
  return answer.ok ? (await answer.json()).id : null;
}
