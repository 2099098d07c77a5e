/**
 * One recording that goes straight to the bucket, in parts whose addresses the server signs.
 *
 * The server says which parts have arrived, so that a break, a pause or a reload costs no more than the parts on
 * their way. What the browser keeps of it lies beside what tus-js-client keeps, in the same form.
 *
 * @typedef {object} Place - where an upload is begun, and as what the browser remembers it
 * @property {string} endpoint
 * @property {string} mark
 *
 * @typedef {object} Handlers
 * @property {(sent: number) => void} onProgress - with the bytes that have been sent
 * @property {(job: string) => void} onSuccess
 * @property {(error: Error) => void} onError
 * @property {(status: number) => boolean} shouldRetry - 0: there was no answer
 *
 * @typedef {{ id: string, part_bytes: number, parts: number, arrived: number[], job_id?: string }} DirectState
 *
 * @typedef {(url: string, part: Blob, onSent: (sent: number) => void, signal: AbortSignal) => Promise<void>} PutPart
 */
import { randomId } from "./upload.js";
import { errorOf, statusOf } from "./upload_errors.js";

const AT_ONCE = 4;
const ADDRESSES_AT_ONCE = 8;
const EXPIRED = [400, 403]; // S3 says 400 of an address that was signed with keys for a while, and of a line that stood still
const STORED = "direct::";

export class DirectUpload {
  #turn = new AbortController();
  #tries = 0; // since the last part arrived
  #arrived = 0;
  /** @type {Map<number, number>} */
  #sent = new Map();

  /**
   * @param {File} file
   * @param {Place} place
   * @param {Record<string, unknown>} about - the body of the request that begins it
   * @param {Handlers} handlers
   * @param {{ delaysMs: number[], put?: PutPart }} how
   */
  constructor(file, place, about, handlers, { delaysMs, put = putPart }) {
    /** @type {File} */ this.file = file;
    /** @type {Place} */ this.place = place;
    /** @type {Record<string, unknown>} */ this.about = about;
    /** @type {Handlers} */ this.handlers = handlers;
    /** @type {number[]} */ this.delaysMs = delaysMs;
    /** @type {PutPart} */ this.put = put;
  }

  /** Send what has not arrived yet, until the recording has become a job or another try would not help. */
  async start() {
    const { signal } = (this.#turn = new AbortController());
    this.#tries = 0;
    while (!signal.aborted) {
      try {
        const job = await this.#send(signal);
        localStorage.removeItem(keyOf(this.place.mark));
        return this.handlers.onSuccess(job);
      } catch (thrown) {
        if (signal.aborted) return;
        const error = /** @type {Error} */ (thrown);
        const delayMs = this.delaysMs[this.#tries++];
        if (delayMs === undefined || !this.handlers.shouldRetry(statusOf(error))) return this.handlers.onError(error);
        await new Promise((resolve) => setTimeout(resolve, delayMs));
      }
    }
  }

  /**
   * Stop sending.
   *
   * @param {boolean} [forGood] - also delete what has arrived
   */
  async abort(forGood = false) {
    this.#turn.abort();
    const stored = storedOf(this.place.mark);
    if (!forGood || !stored) return;
    localStorage.removeItem(keyOf(this.place.mark));
    if (stored.uploadUrl) await fetch(stored.uploadUrl, { method: "DELETE" });
  }

  /**
   * @param {AbortSignal} signal
   * @returns {Promise<string>} the id of the job
   */
  async #send(signal) {
    const { endpoint } = this.place;
    const { about, creationKey } = this.#keep();
    /** @type {DirectState} */
    const begun = await ask(endpoint, about, signal, { "Idempotency-Key": creationKey });
    const url = `${endpoint}/${begun.id}`;
    this.#keep(url);
    if (begun.job_id) return begun.job_id;
    if (begun.arrived.length > this.#arrived) this.#tries = 0;
    this.#arrived = begun.arrived.length;
    this.#sent = new Map(begun.arrived.map((number) => [number, sizeOf(this.file, begun, number)]));
    this.#tell();
    await this.#sendParts(url, begun, signal);
    return (await ask(`${url}/complete`, {}, signal)).job_id;
  }

  /**
   * Send the parts that have not arrived, some at once; the first failure stops the others.
   *
   * @param {string} url
   * @param {DirectState} begun
   * @param {AbortSignal} signal
   */
  async #sendParts(url, begun, signal) {
    const missing = Array.from({ length: begun.parts }, (_, place) => place + 1).filter((one) => !this.#sent.has(one));
    const failed = new AbortController();
    const until = AbortSignal.any([signal, failed.signal]);
    const addresses = addressesOf(url, missing, until);
    const sendInTurn = async () => {
      for (let number = missing.shift(); number !== undefined && !until.aborted; number = missing.shift()) {
        await this.#sendPart(number, begun, addresses, until);
      }
    };
    try {
      await Promise.all(Array.from({ length: AT_ONCE }, sendInTurn));
    } catch (error) {
      failed.abort();
      throw error;
    }
    until.throwIfAborted();
  }

  /**
   * @param {number} number
   * @param {DirectState} begun
   * @param {(number: number, anew?: boolean) => Promise<string>} addresses
   * @param {AbortSignal} signal
   */
  async #sendPart(number, begun, addresses, signal) {
    const from = (number - 1) * begun.part_bytes;
    const part = this.file.slice(from, from + begun.part_bytes);
    const onSent = (/** @type {number} */ sent) => {
      this.#sent.set(number, sent);
      this.#tell();
    };
    try {
      await this.put(await addresses(number), part, onSent, signal);
    } catch (error) {
      if (!EXPIRED.includes(statusOf(/** @type {Error} */ (error)))) throw error;
      await this.put(await addresses(number, true), part, onSent, signal);
    }
    onSent(part.size);
  }

  #tell() {
    this.handlers.onProgress([...this.#sent.values()].reduce((sum, sent) => sum + sent, 0));
  }

  /**
   * Remember the upload, so that a reload finds it; return with which request and key it was begun.
   *
   * @param {string} [uploadUrl]
   * @returns {{ about: Record<string, unknown>, creationKey: string }}
   */
  #keep(uploadUrl) {
    const { file, place } = this;
    const kept = storedOf(place.mark) ?? {
      size: file.size,
      creationTime: new Date().toString(),
      metadata: { filename: file.name },
      creationKey: randomId(),
      about: this.about,
    };
    localStorage.setItem(keyOf(place.mark), JSON.stringify(uploadUrl ? { ...kept, uploadUrl } : kept));
    return kept;
  }
}

/**
 * The key under which the browser remembers an upload.
 *
 * @param {string} mark
 */
export function keyOf(mark) {
  return `${STORED}${mark}::1`;
}

/** @param {string} mark */
function storedOf(mark) {
  return JSON.parse(localStorage.getItem(keyOf(mark)) ?? "null");
}

/**
 * Return a function that gives each part its address, and asks the server for some at a time.
 *
 * @param {string} url
 * @param {number[]} missing
 * @param {AbortSignal} signal
 * @returns {(number: number, anew?: boolean) => Promise<string>}
 */
function addressesOf(url, missing, signal) {
  const waiting = [...missing];
  /** @type {Map<number, Promise<Record<string, string>>>} */
  const asked = new Map();
  return async (number, anew = false) => {
    if (anew || !asked.has(number)) {
      const place = waiting.indexOf(number);
      const numbers = anew ? [number] : waiting.slice(place, place + ADDRESSES_AT_ONCE);
      const answer = ask(`${url}/parts`, { numbers }, signal).then(({ urls }) => urls);
      for (const one of numbers) asked.set(one, answer);
    }
    return (await /** @type {Promise<Record<string, string>>} */ (asked.get(number)))[number];
  };
}

/**
 * @param {File} file
 * @param {DirectState} begun
 * @param {number} number
 */
function sizeOf(file, { part_bytes }, number) {
  return Math.min(part_bytes, file.size - (number - 1) * part_bytes);
}

/**
 * Ask the server, and return its answer.
 *
 * @param {string} url
 * @param {unknown} body
 * @param {AbortSignal} signal
 * @param {Record<string, string>} [headers]
 */
async function ask(url, body, signal, headers = {}) {
  const kind = { "Content-Type": "application/json" };
  const answer = await fetch(url, { method: "POST", headers: { ...kind, ...headers }, body: JSON.stringify(body), signal });
  const text = await answer.text();
  if (!answer.ok) throw errorOf(answer.status, text);
  return JSON.parse(text);
}

/**
 * Send one part; `fetch` does not say how far it is.
 *
 * @type {PutPart}
 */
function putPart(url, part, onSent, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.upload.addEventListener("progress", ({ loaded }) => onSent(loaded));
    request.addEventListener("load", () => (request.status < 300 ? resolve() : reject(errorOf(request.status))));
    request.addEventListener("error", () => reject(errorOf(0)));
    request.addEventListener("abort", () => reject(errorOf(0)));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.open("PUT", url);
    request.send(part);
  });
}
