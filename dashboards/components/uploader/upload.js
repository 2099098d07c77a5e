/**
 * One file on its way to the server, and what can be said of it.
 *
 * @typedef {{ start(): unknown, abort(forGood?: boolean): Promise<void> }} Transfer - tus-js-client's, or one straight to the bucket
 *
 * @import { UploadSettings, UploaderText } from "../contracts.js"
 * @import { KnownJob } from "./duplicates.js"
 * @import { InputDescription } from "./headerless_form.js"
 *
 * @typedef {UploadSettings & { text: UploaderText }} Settings
 * @typedef {"looking" | "known" | "waiting" | "sending" | "paused" | "offline" | "done" | "failed"} UploadState -
 *   known: its owner has sent the same bytes before, and is asked what to do
 *
 * @typedef {object} Upload
 * @property {number} key
 * @property {File} file
 * @property {string} name
 * @property {number} size - in bytes
 * @property {number} sent - in bytes
 * @property {string} mark - by which it is found again after a reload: owner, path, size and date
 * @property {Settings} settings
 * @property {UploadState} state
 * @property {[at: number, sent: number][]} marks - how far it was in the last seconds
 * @property {boolean} [final] - a failure that another try would not change
 * @property {string | null} [error]
 * @property {string} [code] - the server's code of that error
 * @property {InputDescription} [described] - what its sender says of a file without a header
 * @property {string | null} [trouble] - why nothing moves just now
 * @property {string} [job] - the id of the job that came out of it
 * @property {KnownJob[]} [duplicates]
 * @property {string | null} [sha256]
 * @property {number} [read] - how many bytes are hashed
 * @property {(() => void) | null} [stopLooking]
 * @property {string} [againKey]
 * @property {string} [creationKey] - by which the server knows its creation when that is sent again
 * @property {Transfer} [tus]
 * @property {number} [unanswered] - how often the bucket did not answer before it had anything
 * @property {boolean} [throughServer] - whether it takes the server's way, since the other one is closed
 * @property {boolean} [started]
 * @property {number} [began]
 * @property {string} [unsent] - the id of what the browser holds of it (unsent_store.js)
 * @property {boolean} [alone] - whether its job is opened by itself
 * @property {boolean} [opened]
 */

export const MB = 1024 * 1024;
const BIG_BYTES = 64 * MB;
export const CONNECTIONS = 4;
const CUT_OFF_AFTER = 4;
const WARM_UP_MS = 700;
const MARK_EVERY_MS = 200;
const SPEED_OVER_MS = 6000;
const MEDIA =
  /\.(aac|ac3|aif|aiff|amr|asf|au|avi|caf|dss|flac|flv|gsm|m4a|m4b|m4v|mka|mkv|mov|mp1|mp2|mp3|mp4|mpe?g|mts|m2ts|mxf|oga|ogg|ogv|opus|ra|rm|spx|ts|wav|webm|wma|wmv|w64|3gp|3g2)$/i;

/**
 * Whether a file looks like sound or video, by its type or its name.
 *
 * @param {{ name: string, type: string }} file
 */
export function isMedia({ name, type }) {
  return /^(audio|video)\//.test(type) || MEDIA.test(name);
}

/**
 * Return what is known to be wrong with a file before it is sent.
 *
 * @param {number} size
 * @param {Settings} settings
 */
export function refusalOf(size, { free_bytes, max_bytes, text }) {
  if (size === 0) return text.empty;
  if (size > max_bytes) return text.too_large;
  return size > free_bytes ? text.no_room : null;
}

/**
 * How many connections a file takes: a big one all, so that the browser's six are never used up.
 *
 * @param {{ size: number }} upload
 */
export function connectionsFor({ size }) {
  return size >= BIG_BYTES ? CONNECTIONS : 1;
}

/**
 * Whether a file is sent straight to the bucket: a big one, unless the server has a part of it, or has to give it a header.
 *
 * @param {Pick<Upload, "size" | "settings" | "described" | "throughServer">} upload
 * @param {string[]} stored - the keys under which the browser remembers it
 */
export function goesDirect(upload, stored) {
  const { size, settings, described, throughServer } = upload;
  return settings.direct && size >= BIG_BYTES && !described && !throughServer && !stored.some((key) => key.startsWith("tus::"));
}

/**
 * Whether the bucket cannot be reached from this browser, as without its CORS configuration.
 *
 * @param {Pick<Upload, "unanswered">} upload
 */
export function isCutOff({ unanswered = 0 }) {
  return unanswered >= CUT_OFF_AFTER;
}

/**
 * Return which waiting uploads may start now, in their order.
 *
 * @param {Upload[]} uploads
 */
export function startable(uploads) {
  const sending = uploads.filter((upload) => upload.state === "sending");
  let free = CONNECTIONS - sending.reduce((sum, upload) => sum + connectionsFor(upload), 0);
  const found = [];
  for (const upload of uploads) {
    if (upload.state !== "waiting") continue;
    free -= connectionsFor(upload);
    if (free < 0) break;
    found.push(upload);
  }
  return found;
}

/**
 * Return the marks with how far it is now; what was there before it began is no speed.
 *
 * @param {Pick<Upload, "began" | "marks">} upload
 * @param {number} now
 * @param {number} sent
 * @returns {Upload["marks"]}
 */
export function markedAt({ began = 0, marks }, now, sent) {
  const last = marks.at(-1);
  if (!last || now - began < WARM_UP_MS) return [[now, sent]];
  /** @type {Upload["marks"]} */
  const all = now - last[0] > MARK_EVERY_MS ? [...marks, [now, sent]] : marks;
  return all.filter(([at], place) => now - at <= SPEED_OVER_MS || place >= all.length - 2);
}

/**
 * Return the bytes a second over the last few seconds.
 *
 * @param {Pick<Upload, "state" | "marks">} upload
 */
export function speedOf({ state, marks }) {
  if (state !== "sending" || marks.length < 2) return 0;
  const [first, last] = [marks[0], marks[marks.length - 1]];
  return last[0] > first[0] ? Math.max(0, (1000 * (last[1] - first[1])) / (last[0] - first[0])) : 0;
}

/**
 * Return how all that is still on its way is doing.
 *
 * @param {Upload[]} uploads
 */
export function summaryOf(uploads) {
  const open = uploads.filter((upload) => ["looking", "waiting", "sending", "offline"].includes(upload.state));
  const size = open.reduce((sum, upload) => sum + upload.size, 0);
  const sent = open.reduce((sum, upload) => sum + upload.sent, 0);
  const speed = open.reduce((sum, upload) => sum + speedOf(upload), 0);
  return { active: open.length, size, sent, speed, share: size ? sent / size : 0 };
}

/** Return a new id; pages without https have no `crypto.randomUUID`. */
export function randomId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Whether another try may help, by the status of the answer; 0 is none.
 *
 * @param {number} status
 */
export function isWorthRetrying(status) {
  return [0, 409, 423, 429].includes(status) || (status >= 500 && status !== 507);
}

/**
 * Whether the server refuses the file for good; a login can come back.
 *
 * @param {number} status
 */
export function isFinal(status) {
  return status >= 400 && status < 500 && status !== 401;
}
