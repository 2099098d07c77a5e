/**
 * One file in the list of uploads: its way to the server and, from there, its job's progress.
 *
 * @import { UploadJob, UploaderText } from "../contracts.js"
 * @import { Upload } from "./upload.js"
 * @import { View } from "./uploader.js"
 *
 * @typedef {ReturnType<typeof newRow>} Row
 */
import { differs, find, make } from "../shared/dom.js";
import { bytes, duration, fill, locale } from "../shared/format.js";
import { redraw } from "../shared/redraw.js";
import { headerlessForm } from "./headerless_form.js";
import { speedOf } from "./upload.js";

const HTML =
  '<div class="row"><span class="title"></span><span class="pill" hidden></span>' +
  '<span class="facts muted small number"></span><span class="acts"></span></div>' +
  '<span class="bar" role="progressbar" aria-valuemin="0" aria-valuemax="100" hidden><i></i></span>' +
  '<p class="known small" hidden></p><p class="problem" hidden></p><div class="asked" hidden></div>';
const HEADER_MISSING = "header_missing";
const ON_THE_WAY = ["looking", "sending", "waiting", "paused", "offline"];

/** What a row is drawn from, beside its job and its speed. */
const WHAT_SHOWS = /** @type {const} */ (["state", "job", "sent", "read", "error", "code", "trouble", "duplicates", "final"]);

export function newRow() {
  const li = make("li", { innerHTML: HTML });
  const part = (/** @type {string} */ path) => find(li, path);
  return {
    li,
    title: part(".title"),
    pill: part(".pill"),
    facts: part(".facts"),
    acts: part(".acts"),
    bar: part(".bar"),
    share: part(".bar i"),
    known: part(".known"),
    problem: part(".problem"),
    asked: part(".asked"),
  };
}

/**
 * @param {string} words
 * @param {() => void} act
 */
export function quietButton(words, act) {
  return make("button", { type: "button", className: "button quiet", onclick: act }, words);
}

/**
 * @param {Row} row
 * @param {Upload} upload
 * @param {View} view
 */
export function drawUpload(row, upload, view) {
  const { jobs, text } = view.data;
  const job = upload.job === undefined ? undefined : jobs[upload.job];
  if (!differs(row.li, [job, ...WHAT_SHOWS.map((field) => upload[field]), speedOf(upload)])) return; // one of hundreds
  const error = upload.error ?? job?.error ?? "";
  const share = shareOf(upload, job);
  row.title.textContent = upload.name;
  row.title.title = upload.name;
  row.pill.hidden = !job && upload.state !== "done";
  row.pill.className = `pill ${job ? job.kind : "active"}`;
  row.pill.textContent = job ? job.label : text.uploaded;
  row.facts.textContent = job ? job.detail : factsOf(upload, text);
  row.bar.hidden = !(job ? job.active : ON_THE_WAY.includes(upload.state));
  row.bar.ariaValueNow = String(Math.round(100 * share));
  row.bar.ariaLabel = upload.name;
  row.share.style.setProperty("--share", String(share));
  const isAsked = upload.code === HEADER_MISSING;
  row.problem.hidden = !error && !isAsked;
  row.problem.textContent = isAsked ? text.header_missing : error;
  row.asked.hidden = !isAsked;
  if (differs(row.asked, isAsked)) row.asked.replaceChildren(...(isAsked ? [formFor(upload, view)] : []));
  row.known.hidden = upload.state !== "known";
  if (upload.state === "known") row.known.textContent = knownWords(upload, text);
  if (differs(row.acts, [upload.state, upload.job])) redraw(row.acts, ...actsOf(upload, view));
}

/**
 * @param {Upload} upload
 * @param {View} view
 */
function formFor({ key, name }, { data, uploads }) {
  return headerlessForm(name, data.headerless, data.text, (described) => uploads.describe(key, described));
}

/**
 * @param {Upload} upload
 * @param {UploadJob | undefined} job
 */
function shareOf(upload, job) {
  if (job) return job.progress;
  const done = upload.state === "looking" ? (upload.read ?? 0) : upload.sent;
  return upload.size ? done / upload.size : 0;
}

/**
 * @param {Upload} upload
 * @param {View} view
 */
function actsOf(upload, view) {
  const { settings, text } = view.data;
  const { uploads } = view;
  const { job, key } = upload;
  const cancel = quietButton(text.cancel, () => uploads.cancel(key));
  const remove = quietButton(text.remove, () => uploads.cancel(key));
  if (job) return [quietButton(text.open, () => view.open(job))];
  switch (upload.state) {
    case "done":
      return [];
    case "looking":
      return [cancel];
    case "known":
      return [
        quietButton(text.open_it, () => upload.duplicates?.[0] && view.open(upload.duplicates[0].id)),
        quietButton(text.hear_again, () => uploads.again(key, { ...settings, text })),
        remove,
      ];
    case "failed":
      return upload.final ? [remove] : [quietButton(text.again, () => uploads.resume(key)), remove];
    case "paused":
      return [quietButton(text.resume, () => uploads.resume(key)), cancel];
    default:
      return [quietButton(text.pause, () => uploads.pause(key)), cancel];
  }
}

/**
 * @param {Upload} upload
 * @param {UploaderText} text
 */
export function factsOf(upload, text) {
  const { size, state } = upload;
  if (state === "done" || state === "failed" || state === "known") return bytes(size);
  if (state === "looking") return `${bytes(size)} · ${text.looking}`;
  if (state === "waiting") return `${bytes(size)} · ${text.waiting}`;
  const sent = `${bytes(upload.sent)} / ${bytes(size)}`;
  if (state === "paused") return `${sent} · ${text.paused}`;
  if (state === "offline") return `${sent} · ${text.offline}`;
  if (upload.trouble) return `${sent} · ${upload.trouble}`;
  if (upload.sent >= size) return `${sent} · ${text.checking}`;
  return [sent, ...paceOf({ size, sent: upload.sent, speed: speedOf(upload) }, text)].join(" · ");
}

/**
 * Say how fast it goes and how long it takes; nothing where it does not move.
 *
 * @param {{ size: number, sent: number, speed: number }} way
 * @param {UploaderText} text
 */
export function paceOf({ size, sent, speed }, text) {
  if (speed < 1) return [];
  return [`${bytes(speed)}/s`, fill(text.left, { time: duration((size - sent) / speed) })];
}

/**
 * @param {Upload} upload
 * @param {UploaderText} text
 */
function knownWords({ duplicates = [] }, text) {
  const [job] = duplicates;
  const date = new Date(job.created_at).toLocaleDateString(locale(), { day: "numeric", month: "long", year: "numeric" });
  return fill(job.state === "completed" ? text.known : text.known_waiting, { name: job.name, date });
}
