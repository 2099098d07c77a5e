/**
 * The uploads of this browser tab, by the tus protocol (tus-js-client): they outlive the page that started
 * them, wait out a lost network or a restarted server, and are found again after a reload by the file's
 * name, size and date. Components listen to the window event UPLOADS_CHANGED.
 *
 * @import { DetailedError } from "tus-js-client"
 * @import { InputDescription } from "./headerless_form.js"
 * @import { Settings, Upload, UploadState } from "./upload.js"
 *
 * @typedef {object} Stored - what tus-js-client keeps of an upload in the browser
 * @property {number} size
 * @property {string} creationTime
 * @property {string} [uploadUrl]
 * @property {string[]} [parallelUploadUrls]
 * @property {{ filename?: string }} [metadata]
 *
 * @typedef {{ key: string, name: string, size: number, stored: Stored }} Unfinished
 */
import "../vendor/tus-4.3.1.min.js";
import { guardPage } from "../shared/page_guard.js";
import { sitePath } from "../shared/site_path.js";
import { UPLOADS_CHANGED } from "../shared/tab.js";
import { DirectUpload, keyOf } from "./direct_upload.js";
import { duplicatesOf, transcribeAgain } from "./duplicates.js";
import { forget } from "./unsent_store.js";
import { codeOf, explained, statusOf } from "./upload_errors.js";
import {
  MB, connectionsFor, goesDirect, isCutOff, isFinal, isWorthRetrying, markedAt, randomId, refusalOf, startable, summaryOf,
} from "./upload.js";

const DIRECT_OFF = "direct_uploads_off"; // switched off since the page was opened
const PART_BYTES = 32 * MB;
const SMALL_BYTES = 4 * MB;
const RETRY_DELAYS_MS = [0, 500, 1000, 2000, 3000, ...Array(120).fill(5000)];

export class Uploads {
  /** @type {Upload[]} */
  items = [];
  #nextKey = 1;

  constructor() {
    addEventListener("online", () => this.#each("offline", (upload) => this.resume(upload.key)));
    addEventListener("offline", () => this.#each("sending", (upload) => this.#hold(upload, "offline")));
    guardPage(() => this.summary().active > 0);
  }

  /**
   * Take files in and start them.
   *
   * @param {(File & { path?: string })[]} files - `path` is where in a dropped folder
   * @param {Settings} settings
   * @param {{ unsent?: string, alone?: boolean }} [more] - `unsent` is forgotten when the file has become a job
   */
  add(files, settings, more = {}) {
    for (const file of files) {
      const mark = `wt-${settings.owner}-${file.path || file.webkitRelativePath || file.name}-${file.size}-${file.lastModified}`;
      const there = this.items.find((other) => other.mark === mark && !["failed", "done"].includes(other.state));
      if (there) {
        if (there.state === "paused") this.resume(there.key);
        continue;
      }
      const error = refusalOf(file.size, settings);
      /** @type {Upload} */
      const upload = {
        key: this.#nextKey++,
        file,
        name: file.name,
        size: file.size,
        sent: 0,
        mark,
        settings,
        marks: [],
        state: error ? "failed" : "looking",
        final: Boolean(error),
        error,
        ...more,
      };
      this.items.push(upload);
      if (!error) this.#look(upload);
    }
    this.#startNext();
  }

  /**
   * Look whether the owner has sent it before; what was begun before is simply gone on with.
   *
   * @param {Upload} upload
   */
  async #look(upload) {
    const isBegun = storedKeys(upload.mark).length > 0;
    const duplicates = isBegun ? [] : await duplicatesOf(upload, () => this.#tell()).catch(() => []);
    if (upload.state !== "looking") return;
    Object.assign(upload, { duplicates, state: duplicates.length ? "known" : "waiting" });
    this.#startNext();
  }

  /**
   * Transcribe again what the server has, with the choices of now; where it has gone meanwhile, send it.
   *
   * @param {number} key
   * @param {Settings} settings
   */
  async again(key, settings) {
    const upload = this.find(key);
    if (!upload) return;
    Object.assign(upload, { state: "looking", settings });
    const job = await transcribeAgain(upload).catch(() => null);
    this.#finish(upload, job ? { state: "done", sent: upload.size, job } : { state: "waiting" });
  }

  /**
   * Send a file again, with what its sender says of its format.
   *
   * @param {number} key
   * @param {InputDescription} described
   */
  describe(key, described) {
    const upload = this.find(key);
    if (!upload) return;
    const fresh = { state: /** @type {const} */ ("waiting"), error: null, code: undefined, final: false, sent: 0 };
    Object.assign(upload, fresh, { described, tus: undefined, started: false, creationKey: undefined });
    this.#startNext();
  }

  /** Drop all files that the server has already. */
  dropKnown() {
    this.#each("known", forgetUnsent);
    this.items = this.items.filter((upload) => upload.state !== "known");
    this.#tell();
  }

  /** @param {number} key */
  pause(key) {
    const upload = this.find(key);
    if (upload) this.#hold(upload, "paused");
    this.#startNext();
  }

  /** @param {number} key */
  resume(key) {
    const upload = this.find(key);
    if (upload) Object.assign(upload, { state: "waiting", error: null });
    this.#startNext();
  }

  /** @param {number} key */
  async cancel(key) {
    const upload = this.find(key);
    if (!upload) return;
    this.items = this.items.filter((other) => other !== upload);
    upload.stopLooking?.();
    if (upload.state !== "done") await upload.tus?.abort(true).catch(() => {});
    this.#startNext();
  }

  /** Take away what is done or has failed. */
  clear() {
    this.items = this.items.filter((upload) => !["done", "failed"].includes(upload.state));
    this.#tell();
  }

  stopAll() {
    this.#each("sending", (upload) => this.#hold(upload, "paused"));
    this.items = [];
    this.#tell();
  }

  /** @param {number} key */
  find(key) {
    return this.items.find((upload) => upload.key === key);
  }

  summary() {
    return summaryOf(this.items);
  }

  /**
   * Return the uploads of this owner that an earlier page left unfinished.
   *
   * @param {string} owner
   * @returns {Unfinished[]}
   */
  unfinished(owner) {
    const found = new Map();
    for (const key of Object.keys(localStorage)) {
      if (!/^(tus|direct)::/.test(key) || !key.split("::")[1].startsWith(`wt-${owner}-`)) continue;
      /** @type {Stored} */
      const stored = JSON.parse(localStorage.getItem(key) ?? "{}");
      const mark = key.split("::")[1];
      if (this.items.some((upload) => upload.mark === mark)) continue;
      found.set(mark, { key, name: stored.metadata?.filename ?? "", size: stored.size, stored });
    }
    return [...found.values()];
  }

  /** @param {Unfinished} entry */
  async discard({ key, stored }) {
    localStorage.removeItem(key);
    const urls = (stored.parallelUploadUrls ?? [stored.uploadUrl]).filter((url) => url !== undefined && url !== null);
    const headers = { "Tus-Resumable": "1.0.0" };
    await Promise.allSettled(urls.map((url) => fetch(url, { method: "DELETE", headers })));
    this.#tell();
  }

  /**
   * @param {UploadState} state
   * @param {(upload: Upload) => void} act
   */
  #each(state, act) {
    for (const upload of this.items.filter((one) => one.state === state)) act(upload);
  }

  /**
   * @param {Upload} upload
   * @param {"paused" | "offline"} state
   */
  #hold(upload, state) {
    upload.tus?.abort();
    Object.assign(upload, { state, marks: [] });
    this.#tell();
  }

  #startNext() {
    for (const upload of startable(this.items)) this.#start(upload);
    this.#tell();
  }

  /** @param {Upload} upload */
  async #start(upload) {
    Object.assign(upload, { state: "sending", began: Date.now(), marks: [] });
    if (upload.tus && upload.started) return upload.tus.start();
    if (goesDirect(upload, storedKeys(upload.mark))) return this.#startDirect(upload);
    const { file, name, settings } = upload;
    const { options, lane, tags } = settings;
    const tus = (upload.tus = new window.tus.Upload(file, {
      endpoint: sitePath("/uploads"),
      chunkSize: PART_BYTES,
      parallelUploads: connectionsFor(upload),
      ...(upload.size <= SMALL_BYTES && inOneRequest(upload)),
      retryDelays: RETRY_DELAYS_MS,
      metadata: { filename: name, filetype: file.type, options, lane, tags, ...upload.described },
      fingerprint: async () => upload.mark,
      removeFingerprintOnSuccess: true,
      onShouldRetry: (error) => this.#shouldRetry(upload, statusOf(error)),
      onProgress: (sent) => this.#progress(upload, sent),
      onAfterResponse: (_request, response) => {
        upload.job = response.getHeader("X-Job-Id") ?? upload.job;
        upload.trouble = null;
      },
      onSuccess: () => this.#finish(upload, { state: "done", sent: upload.size }),
      onError: (error) => this.#broke(upload, error),
    }));
    const [earlier] = await tus.findPreviousUploads();
    if (upload.state !== "sending") return;
    if (earlier) tus.resumeFromPreviousUpload(earlier);
    upload.started = true;
    tus.start();
  }

  /**
   * Send a file straight to the bucket.
   *
   * @param {Upload} upload
   */
  #startDirect(upload) {
    const { file, mark, name, settings, sha256 } = upload;
    const place = { endpoint: sitePath("/uploads/direct"), mark };
    const asked = { options: JSON.parse(settings.options), lane: settings.lane, tags: settings.tags };
    const about = { name, size_bytes: file.size, ...asked, ...(sha256 && { sha256 }) };
    const handlers = {
      onProgress: (/** @type {number} */ sent) => this.#progress(upload, sent),
      onSuccess: (/** @type {string} */ job) => this.#finish(upload, { state: "done", sent: upload.size, job }),
      onError: (/** @type {Error} */ error) => {
        if (isCutOff(upload) || codeOf(error) === DIRECT_OFF) this.#throughServer(upload);
        else this.#broke(upload, error);
      },
      shouldRetry: (/** @type {number} */ status) => {
        if (status === 0 && !upload.sent) upload.unanswered = (upload.unanswered ?? 0) + 1;
        return !isCutOff(upload) && this.#shouldRetry(upload, status);
      },
    };
    upload.tus = new DirectUpload(file, place, about, handlers, { delaysMs: RETRY_DELAYS_MS });
    upload.started = true;
    upload.tus.start();
  }

  /** @param {Upload} upload */
  async #throughServer(upload) {
    await upload.tus?.abort(true).catch(() => {});
    const state = upload.state === "sending" ? "waiting" : upload.state; // it may have been paused meanwhile
    Object.assign(upload, { tus: undefined, started: false, throughServer: true, sent: 0, state });
    this.#startNext();
  }

  /**
   * @param {Upload} upload
   * @param {number} status
   */
  #shouldRetry(upload, status) {
    if (status === 0 || status >= 500) upload.trouble = upload.settings.text.waiting_server;
    this.#tell();
    return isWorthRetrying(status) && navigator.onLine;
  }

  /**
   * What the server has refused for good is not offered to be gone on with.
   *
   * @param {Upload} upload
   * @param {Error | DetailedError} error
   */
  #broke(upload, error) {
    if (isFinal(statusOf(error))) {
      for (const key of storedKeys(upload.mark)) localStorage.removeItem(key);
      Object.assign(upload, { started: false, final: true });
    }
    this.#finish(upload, { state: "failed", error: explained(upload, error), code: codeOf(error) });
  }

  /**
   * @param {Upload} upload
   * @param {number} sent
   */
  #progress(upload, sent) {
    const trouble = sent > upload.sent ? null : upload.trouble;
    Object.assign(upload, { sent, trouble, marks: markedAt(upload, Date.now(), sent) });
    this.#tell();
  }

  /**
   * @param {Upload} upload
   * @param {Partial<Upload>} change
   */
  #finish(upload, change) {
    Object.assign(upload, change);
    if (upload.state === "done") forgetUnsent(upload);
    if (!navigator.onLine && upload.state === "failed") Object.assign(upload, { state: "offline", error: null });
    this.#startNext();
  }

  #tell() {
    dispatchEvent(new CustomEvent(UPLOADS_CHANGED));
  }
}

/**
 * Return under which keys the browser remembers an upload.
 *
 * @param {string} mark
 */
function storedKeys(mark) {
  return Object.keys(localStorage).filter((key) => key.startsWith(`tus::${mark}::`) || key === keyOf(mark));
}

/**
 * Options of a file that is sent with the request that creates its upload; the key lets that be sent again.
 *
 * @param {Upload} upload
 */
function inOneRequest(upload) {
  upload.creationKey ??= randomId();
  return { uploadDataDuringCreation: true, headers: { "Idempotency-Key": upload.creationKey } };
}

/** @param {Upload} upload */
function forgetUnsent(upload) {
  if (upload.unsent) forget(upload.unsent).catch(() => {});
}
