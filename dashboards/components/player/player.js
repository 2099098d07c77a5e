/**
 * Player, transcript and what belongs to them. A click, a key or `?t=` in the address moves the recording. Times are
 * seconds on the recording's clock.
 *
 * @import { PlayerData } from "../contracts.js"
 * @import { Mounted } from "../shared/mounted.js"
 * @import { Sheet } from "./sheet_tabs.js"
 *
 * @typedef {readonly [label: string, act: () => void, primary?: boolean]} NoticeButton
 */
import { find, make } from "../shared/dom.js";
import { clock } from "../shared/format.js";
import { aheadOf, delay } from "./media_clock.js";
import { CueList } from "./cue_list.js";
import { Editor } from "./editor.js";
import { FindReplace } from "./find_replace.js";
import { askApi } from "./job_api.js";
import { Listening } from "./listening.js";
import { Panels } from "./panels.js";
import { PartialText } from "./partial_text.js";
import { Passages } from "./passages.js";
import { Playback } from "./playback.js";
import { SheetTabs } from "./sheet_tabs.js";
import { ShortcutsDialog } from "./shortcuts_dialog.js";
import { TextCorrection } from "./text_correction.js";
import { TranscriptView } from "./transcript_view.js";
import { ViewFrame } from "./view_frame.js";
import { Waveform } from "./waveform.js";

const PLAY = "M7 4.5v15l13-7.5z";
const PAUSE = "M6 5h4v14H6zm8 0h4v14h-4z";
const WRITING = "input:not(.seek), textarea, select, [contenteditable], dialog[open], [role=dialog], [role=listbox]";
const NOTICE_MS = 8000;

/** @type {WeakMap<Element | ShadowRoot, { print: string, player: Player }>} */
const players = new WeakMap();

/** @param {Mounted<PlayerData>} mounted */
export default function mountPlayer({ data, parentElement }) {
  const print = JSON.stringify([data.media.source, data.api]);
  const before = players.get(parentElement);
  if (before?.print === print) before.player.update(data);
  else {
    before?.player.close();
    players.set(parentElement, { print, player: new Player(find(parentElement, ".player"), data) });
  }
  return () => {
    players.get(parentElement)?.player.close();
    players.delete(parentElement);
  };
}

export class Player {
  /** @type {Sheet} */
  sheet = "script";
  #frame = 0;
  #noticeTimer = 0;
  #shown_s = -1;
  #hasJumped = false;
  /** By how much the video's clock is ahead of the transcript's. */
  #ahead_s = 0;

  /**
   * @param {HTMLElement} root
   * @param {PlayerData} data
   */
  constructor(root, data) {
    this.root = root;
    this.rootNode = /** @type {Document | ShadowRoot} */ (root.getRootNode());
    this.data = data;
    this.text = data.text;
    this.ends = new AbortController();
    this.video = find(root, "video", HTMLVideoElement);
    this.seekBar = find(root, ".seek", HTMLInputElement);
    this.speed = find(root, ".speed", HTMLSelectElement);
    this.listening = new Listening(this);
    this.shortcuts = new ShortcutsDialog(this);
    this.frame = new ViewFrame(this);
    this.#label();
    this.tabs = new SheetTabs(this, this.find(".tabs"));
    this.wave = new Waveform(this, this.find(".wave"), data.peaks);
    this.script = new TranscriptView(this);
    this.finder = new FindReplace(this);
    this.panels = new Panels(this);
    this.cues = new CueList(this);
    this.editor = data.may_edit ? new Editor(this) : null;
    this.correction = data.may_edit && data.timed ? new TextCorrection(this) : null;
    this.passages = new Passages(this);
    this.partial = data.partial ? new PartialText(this) : null;
    this.#wire();
    this.playback = new Playback(this);
    this.tabs.show();
    this.open("script");
    if (this.partial) this.partial.update();
    else this.script.load();
  }

  close() {
    this.editor?.keepDraft();
    this.ends.abort();
    cancelAnimationFrame(this.#frame);
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.load();
  }

  /**
   * The page has looked again: somebody may have saved another version, or written a note.
   *
   * @param {PlayerData} data
   */
  update(data) {
    const wasPartial = this.data.partial;
    this.data = data;
    this.playback.choose();
    if (data.partial) {
      this.wave.from(data.peaks);
      this.partial?.update();
      return;
    }
    if (wasPartial) this.#becomeFinal();
    if (data.version > this.script.version) {
      if (this.editor?.dirty) this.editor.overtaken(data.version);
      else this.script.load();
    }
    this.panels.refresh();
    this.passages.load();
  }

  /** All of it is transcribed: the same page, where it is, with all that belongs to a transcript. */
  #becomeFinal() {
    this.find(".partial").hidden = true;
    if (this.data.may_edit) {
      this.editor = new Editor(this);
      this.correction = new TextCorrection(this);
    }
    this.script.showTools();
    this.tabs.show();
    this.open("script");
    this.find(".whole").textContent = clock(this.data.duration_s ?? 0);
    this.wave.from(this.data.peaks);
  }

  /** @param {string} path */
  find(path) {
    return find(this.root, path);
  }

  /**
   * Listen until the player is closed.
   *
   * @param {EventTarget} target
   * @param {string} name
   * @param {(event: Event) => void} action
   * @param {AddEventListenerOptions} [options]
   */
  on(target, name, action, options = {}) {
    target.addEventListener(name, action, { signal: this.ends.signal, ...options });
  }

  /**
   * Name an element, for who hears the page and for who points at it.
   *
   * @param {HTMLElement} element
   * @param {string} words
   */
  name(element, words) {
    element.ariaLabel = words;
    element.title = words;
  }

  #label() {
    const { data, text } = this;
    for (const part of /** @type {const} */ (["play", "back", "ahead", "seek", "speed", "link", "keys"])) {
      this.name(this.find(`.${part}`), text[part]);
    }
    for (const option of this.speed.options) option.label = `${option.value}×`;
    this.find(".follow").textContent = text.follow;
    this.find(".text .state").textContent = text.loading;
    find(this.root, ".play path", SVGPathElement).setAttribute("d", PLAY);
    this.find(".whole").textContent = clock(data.duration_s ?? 0);
    this.seekBar.max = String(data.duration_s ?? 0);
  }

  #wire() {
    const { speed, video } = this;
    this.on(video, "loadedmetadata", () => this.#ready());
    this.on(video, "play", () => this.#running());
    this.on(video, "pause", () => this.#running());
    this.on(video, "timeupdate", () => this.show());
    this.on(video, "seeked", () => this.show());
    this.on(video, "click", () => this.toggle());
    this.on(this.seekBar, "input", () => this.seek(Number(this.seekBar.value)));
    this.on(speed, "change", () => (video.playbackRate = Number(speed.value)));
    this.on(document, "keydown", (event) => this.#key(/** @type {KeyboardEvent} */ (event)));
    /** @type {Record<string, () => void>} */
    const acts = {
      toggle: () => this.toggle(),
      back: () => this.step(-10),
      ahead: () => this.step(10),
      link: () => this.#copyLink(),
      keys: () => this.shortcuts.show(),
    };
    for (const [name, act] of Object.entries(acts)) this.on(this.find(`[data-act=${name}]`), "click", act);
  }

  /** Where the recording is, in seconds on the transcript's clock. */
  get now_s() {
    return Math.max(0, this.video.currentTime - this.#ahead_s);
  }

  /** @param {Sheet} sheet */
  open(sheet) {
    this.sheet = sheet;
    this.root.dataset.open = sheet;
    this.tabs.mark(sheet);
    for (const part of /** @type {NodeListOf<HTMLElement>} */ (this.root.querySelectorAll(".sheet"))) {
      part.hidden = part.dataset.sheet !== sheet;
    }
    if (sheet === "cues") this.cues.show();
    else if (sheet !== "script") this.panels.show(sheet);
    this.passages.show(sheet);
  }

  #ready() {
    const { video } = this;
    this.find(".screen").hidden = video.videoWidth === 0;
    this.#ahead_s = aheadOf(video.currentTime, this.playback.start_s);
    if (video.videoWidth) this.captions();
    const length_s = this.#ahead_s ? this.data.duration_s : video.duration;
    if (length_s && Number.isFinite(length_s)) {
      this.seekBar.max = String(length_s);
      this.find(".whole").textContent = clock(length_s);
    }
    const wanted_s = Number(new URLSearchParams(location.search).get("t"));
    if (wanted_s > 0 && !this.#hasJumped) this.seek(wanted_s);
    this.#hasJumped = true;
  }

  /** Where the captions of the shown version are. */
  get captionsUrl() {
    const { captions } = this.data;
    return `${captions}${captions.includes("?") ? "&" : "?"}v=${this.script.version}`;
  }

  /** Captions over a picture; fetched anew with each version. */
  captions() {
    for (const track of this.video.querySelectorAll("track")) track.remove();
    if (!this.video.videoWidth || this.data.partial) return;
    const track = make("track", { kind: "captions", src: this.captionsUrl, default: true, label: this.text.captions });
    track.srclang = this.data.language ?? "";
    track.addEventListener("load", () => delay(track.track, this.#ahead_s));
    this.video.append(track);
  }

  #running() {
    const { paused } = this.video;
    find(this.root, ".play path", SVGPathElement).setAttribute("d", paused ? PLAY : PAUSE);
    this.name(this.find(".play"), paused ? this.text.play : this.text.pause);
    cancelAnimationFrame(this.#frame);
    const tick = () => {
      this.show();
      if (!this.video.paused) this.#frame = requestAnimationFrame(tick);
    };
    tick();
  }

  show() {
    const now = this.now_s;
    if (now !== this.#shown_s) {
      this.#shown_s = now;
      this.seekBar.value = String(now);
      this.seekBar.ariaValueText = clock(now);
      this.find(".now").textContent = clock(now);
      this.wave.draw();
    }
    this.script.show(now);
    this.cues.at(now);
  }

  toggle() {
    if (this.video.paused) this.video.play().catch(() => {});
    else this.video.pause();
  }

  /** @param {number} by_s */
  step(by_s) {
    this.seek(this.now_s + by_s);
  }

  /** @param {number} to_s */
  seek(to_s) {
    const end = Number(this.seekBar.max) || Infinity;
    this.script.handsOff();
    this.video.currentTime = Math.min(Math.max(0, to_s), end) + this.#ahead_s;
    this.show();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const target = /** @type {Element} */ (event.composedPath()[0]);
    const writing = target.closest?.(WRITING);
    if (!this.shortcuts.open && this.listening.pressed(event)) return;
    if (this.editor?.key(event, writing)) return;
    if (event.metaKey || event.ctrlKey || event.altKey || writing || this.shortcuts.open) return;
    if (event.key === " " && target.closest?.("button, a, summary, [role=button], [role=tab]")) return;
    if (this.passages.pressed(event)) return;
    const { script } = this;
    /** @type {Record<string, () => void>} */
    const acts = {
      " ": () => this.toggle(),
      k: () => this.toggle(),
      j: () => this.step(-10),
      l: () => this.step(10),
      ArrowLeft: () => this.step(-5),
      ArrowRight: () => this.step(5),
      ArrowUp: () => script.go(-1),
      ArrowDown: () => script.go(1),
      "<": () => this.faster(-1),
      ">": () => this.faster(1),
      n: () => script.doubt(1),
      N: () => script.doubt(-1),
      u: () => script.shade(!script.shading),
      f: () => script.setFollow(!script.following),
      "/": () => this.finder.open(),
      e: () => this.editor?.toggle(true),
      "?": () => this.shortcuts.show(),
    };
    const act = acts[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  /** @param {1 | -1} by */
  faster(by) {
    const { speed } = this;
    speed.selectedIndex = Math.min(Math.max(0, speed.selectedIndex + by), speed.options.length - 1);
    this.video.playbackRate = Number(speed.value);
  }

  async #copyLink() {
    const url = new URL(location.href);
    url.searchParams.set("t", this.now_s.toFixed(1));
    const button = this.find(".link");
    const done = await navigator.clipboard?.writeText(url.href).then(() => true, () => false);
    this.name(button, done ? this.text.copied : url.href);
    button.classList.toggle("primary", Boolean(done));
    setTimeout(() => {
      button.classList.remove("primary");
      this.name(button, this.text.link);
    }, 1500);
  }

  /**
   * Ask our own API for JSON.
   *
   * @param {string} path - below the job's
   * @param {{ method?: string, body?: unknown }} [request]
   * @throws {import("./job_api.js").ApiError} it was refused
   */
  ask(path, request = {}) {
    return askApi(`${this.data.api}${path}`, { ...request, signal: this.ends.signal, noAnswer: this.text.no_answer });
  }

  /**
   * Show one line above the sheets, with buttons; null takes it away.
   *
   * @param {string | null} words
   * @param {NoticeButton[]} [buttons]
   * @param {"info" | "good" | "warn"} [kind]
   */
  notice(words, buttons = [], kind = "info") {
    const place = this.find(".notice");
    place.hidden = !words;
    place.className = `notice ${kind}`;
    const made = buttons.map(([label, act, primary]) =>
      make("button", { type: "button", className: `button small${primary ? " primary" : ""}`, onclick: act }, label),
    );
    place.replaceChildren(make("span", {}, words ?? ""), ...made);
    clearTimeout(this.#noticeTimer);
    if (kind === "good") this.#noticeTimer = window.setTimeout(() => (place.hidden = true), NOTICE_MS);
  }
}
