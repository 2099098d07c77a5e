/**
 * The upload page: takes files in, shows each one's way to the server and, from there, its job's progress.
 *
 * @import { UploaderData } from "../contracts.js"
 * @import { Mounted } from "../shared/mounted.js"
 * @import { DroppedFile } from "./dropped_files.js"
 * @import { Row } from "./upload_row.js"
 */
import { differs, find } from "../shared/dom.js";
import { bytes, fill } from "../shared/format.js";
import { redraw } from "../shared/redraw.js";
import { UPLOADS_CHANGED, tab } from "../shared/tab.js";
import { filesOf } from "./dropped_files.js";
import { Recorder } from "./recorder.js";
import { showRecorder } from "./recorder_panel.js";
import { isMedia } from "./upload.js";
import { drawUpload, newRow, paceOf, quietButton } from "./upload_row.js";
import { Uploads } from "./uploads.js";

const DRAW_AFTER_MS = 60;
const DRAW_MANY_AFTER_MS = 250;
const MANY = 50;
const DRAW_EVERY_MS = 1000;
const TELL_EVERY_MS = 2000;
const MOST_TELLS = 10;

/** @type {WeakMap<object, View>} */
const views = new WeakMap();

/** @param {Mounted<UploaderData>} mounted */
export default function mountUploader(mounted) {
  const { parentElement } = mounted;
  const uploads = (tab.uploads ??= new Uploads());
  const recorder = (tab.recorder ??= new Recorder());
  let view = views.get(parentElement);
  if (view) view.update(mounted);
  else {
    view = new View(find(parentElement, ".uploader"), mounted, uploads);
    views.set(parentElement, view);
    showRecorder(view, recorder);
  }
  view.drawSoon();
  return () => {
    views.get(parentElement)?.ends.abort();
    views.delete(parentElement);
  };
}

export class View {
  ends = new AbortController();
  /** @type {Map<number, Row>} */
  #rows = new Map();
  #isDrawing = false;
  #told = { jobs: "", tries: 0, at: 0 };

  /**
   * @param {HTMLElement} root
   * @param {Mounted<UploaderData>} mounted
   * @param {Uploads} uploads
   */
  constructor(root, mounted, uploads) {
    this.root = root;
    this.uploads = uploads;
    this.data = mounted.data;
    this.trigger = mounted.setTriggerValue;
    this.update(mounted);
    this.#wireDrop();
    this.#wireButtons();
    const { signal } = this.ends;
    addEventListener(UPLOADS_CHANGED, () => this.drawSoon(), { signal });
    const drawing = setInterval(() => this.drawSoon(), DRAW_EVERY_MS);
    signal.addEventListener("abort", () => clearInterval(drawing));
  }

  /** @param {Mounted<UploaderData>} mounted */
  update({ data, setTriggerValue }) {
    this.data = data;
    this.trigger = setTriggerValue;
    this.#label();
  }

  /** @param {string} path */
  find(path) {
    return find(this.root, path);
  }

  /**
   * Send files with the choices of now.
   *
   * @param {DroppedFile[]} files
   * @param {{ unsent?: string, alone?: boolean }} [more]
   */
  add(files, more) {
    this.uploads.add(files, { ...this.data.settings, text: this.data.text }, more);
  }

  /**
   * Open a job's page.
   *
   * @param {string} job
   */
  open(job) {
    this.trigger("open", job);
  }

  #label() {
    const { text } = this.data;
    const touch = matchMedia("(pointer: coarse)").matches;
    const words = {
      ".lead": touch ? text.lead_touch : text.lead,
      ".formats": text.formats,
      ".limit": text.limit,
      ".files": text.choose_files,
      ".folder": text.choose_folder,
      ".record": text.record,
      ".unsent h2": text.kept,
      ".unfinished h2": text.unfinished,
      ".clear": text.clear,
    };
    for (const [path, said] of Object.entries(words)) this.find(path).textContent = said;
    this.find(".folder").hidden = touch;
    this.find(".record").hidden = !("MediaRecorder" in window) || !navigator.mediaDevices;
  }

  #wireDrop() {
    const drop = this.find(".drop");
    const { signal } = this.ends;
    const hasFiles = (/** @type {DragEvent} */ event) => Boolean(event.dataTransfer?.types.includes("Files"));
    let depth = 0;
    addEventListener(
      "dragenter",
      (event) => {
        if (!hasFiles(event)) return;
        depth += 1;
        drop.classList.add("over");
      },
      { signal },
    );
    addEventListener(
      "dragleave",
      (event) => {
        if (hasFiles(event) && --depth <= 0) drop.classList.remove("over");
      },
      { signal },
    );
    addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault(), { signal });
    addEventListener(
      "drop",
      async (event) => {
        if (!hasFiles(event) || !event.dataTransfer) return;
        event.preventDefault();
        depth = 0;
        drop.classList.remove("over");
        const { files, fromFolder } = await filesOf(event.dataTransfer);
        this.#take(files, fromFolder);
      },
      { signal },
    );
  }

  #wireButtons() {
    const files = find(this.root, ".pick-files", HTMLInputElement);
    const folder = find(this.root, ".pick-folder", HTMLInputElement);
    this.find(".files").onclick = () => files.click();
    this.find(".folder").onclick = () => folder.click();
    this.find(".clear").onclick = () => this.uploads.clear();
    this.find(".skip").onclick = () => this.uploads.dropKnown();
    for (const input of [files, folder]) {
      input.onchange = () => {
        this.#take([...(input.files ?? [])], input === folder);
        input.value = "";
      };
    }
  }

  /**
   * Take files in; what is neither sound nor video in a folder is left out, and said.
   *
   * @param {DroppedFile[]} files
   * @param {boolean} fromFolder
   */
  #take(files, fromFolder) {
    const { text } = this.data;
    const media = fromFolder ? files.filter(isMedia) : files;
    const left = files.length - media.length;
    const note = this.find(".note");
    note.hidden = left === 0;
    note.textContent = fill(left === 1 ? text.left_out_one : text.left_out, { n: left });
    this.add(media);
  }

  drawSoon() {
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    setTimeout(() => {
      this.#isDrawing = false;
      this.#draw();
    }, this.uploads.items.length < MANY ? DRAW_AFTER_MS : DRAW_MANY_AFTER_MS);
  }

  #draw() {
    const { items } = this.uploads;
    this.#drawUnfinished();
    this.#drawHead();
    const list = this.find(".queue ul");
    for (const upload of items) {
      let row = this.#rows.get(upload.key);
      if (!row) {
        row = newRow();
        this.#rows.set(upload.key, row);
        list.prepend(row.li);
      }
      drawUpload(row, upload, this);
      if (upload.alone && upload.job && !upload.opened) {
        upload.opened = true;
        this.open(upload.job);
      }
    }
    const keys = new Set(items.map((upload) => upload.key));
    for (const [key, { li }] of this.#rows) {
      if (keys.has(key)) continue;
      li.remove();
      this.#rows.delete(key);
    }
    this.#tellOfJobs();
  }

  #drawHead() {
    const { items } = this.uploads;
    const { text } = this.data;
    const sum = this.uploads.summary();
    const known = items.filter((upload) => upload.state === "known").length;
    const overall = this.find(".overall");
    this.find(".queue").hidden = items.length === 0;
    this.root.classList.toggle("small-drop", items.length > 0);
    this.find(".queue h2").textContent = items.length === 1 ? text.one_file : fill(text.files, { n: items.length });
    const totals = [`${bytes(sum.sent)} / ${bytes(sum.size)}`, ...paceOf(sum, text)].join(" · ");
    this.find(".totals").textContent = sum.active ? totals : "";
    overall.hidden = sum.active < 2;
    overall.ariaValueNow = String(Math.round(100 * sum.share));
    overall.ariaLabel = text.all_files;
    this.find(".overall i").style.setProperty("--share", String(sum.share));
    this.find(".skip").hidden = known < 2;
    this.find(".skip").textContent = fill(text.skip_known, { n: known });
    this.find(".clear").hidden = !items.some((upload) => ["done", "failed"].includes(upload.state));
  }

  /** Said again until the page has heard it: the first time it may have been on its way to a server that went. */
  #tellOfJobs() {
    const jobs = this.uploads.items.flatMap(({ job }) => (job && !this.data.jobs[job] ? [job] : []));
    const all = jobs.join();
    if (all !== this.#told.jobs) this.#told = { jobs: all, tries: 0, at: 0 };
    if (!jobs.length || this.#told.tries >= MOST_TELLS || Date.now() - this.#told.at < TELL_EVERY_MS) return;
    this.#told = { jobs: all, tries: this.#told.tries + 1, at: Date.now() };
    this.trigger("uploaded", jobs);
  }

  #drawUnfinished() {
    const { settings, text } = this.data;
    const entries = this.uploads.unfinished(settings.owner);
    const section = this.find(".unfinished");
    section.hidden = entries.length === 0;
    if (!differs(section, entries.map((entry) => entry.key))) return;
    const rows = entries.map((entry) => {
      const row = newRow();
      row.title.textContent = entry.name;
      row.facts.textContent = bytes(entry.size);
      row.acts.append(
        quietButton(text.choose_again, () => this.find(".pick-files").click()),
        quietButton(text.discard, () => this.uploads.discard(entry)),
      );
      return row.li;
    });
    redraw(find(section, "ul"), ...rows);
  }
}
