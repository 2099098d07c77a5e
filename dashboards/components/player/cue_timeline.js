/**
 * The subtitles over a waveform that zooms: edges are dragged, or moved by keys; cues are split and merged. What is
 * changed is the list's business.
 *
 * @import { CueList } from "./cue_list.js"
 * @import { Cue } from "./cues.js"
 * @import { Edge } from "./cue_pins.js"
 */
import { make } from "../shared/dom.js";
import { clock } from "../shared/format.js";
import { barHeights } from "./waveform.js";

export const NUDGE_S = 0.1;
export const FRAME_S = 0.04; // of a picture at 25 a second
const BAR_PX = 2;
const MIN_SPAN_S = 2;
const FIRST_SPAN_S = 15;
const ZOOM = 1.6;
const MOST_REGIONS = 150;
/** @type {Edge[]} */
const EDGES = ["start", "end"];

export class CueTimeline {
  #left_s = 0;
  #span_s = FIRST_SPAN_S;
  #peaks = new Uint8Array();
  #loudest = 1;
  #hasAsked = false;
  /** @type {Map<number, HTMLElement>} the regions in sight, by the place of their cue */
  #regions = new Map();
  #frame = 0;

  /** @param {CueList} list */
  constructor(list) {
    this.list = list;
    this.player = list.player;
    const { timeline } = this.player.text;
    this.canvas = make("canvas");
    this.canvas.ariaHidden = "true";
    this.over = make("div", { className: "regions" });
    this.stage = make("div", { className: "stage", role: "group", tabIndex: 0 }, this.canvas, this.over);
    this.stage.ariaLabel = timeline.about;
    this.tools = make("div", { className: "zoom" }, ...this.#buttons());
    this.element = make("div", { className: "timeline" }, this.stage, this.tools);
    this.stage.addEventListener("keydown", (event) => this.#key(event));
    this.stage.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.stage.addEventListener("click", (event) => this.#clicked(event));
    const sizes = new ResizeObserver(() => this.redraw());
    sizes.observe(this.stage);
    this.player.ends.signal.addEventListener("abort", () => sizes.disconnect());
  }

  #buttons() {
    const { timeline } = this.player.text;
    const button = (/** @type {keyof typeof timeline.acts} */ name, /** @type {() => void} */ act) => {
      const [label, about] = timeline.acts[name];
      const made = make("button", { type: "button", className: `button small ${name}`, onclick: act }, label);
      if (/\p{L}/u.test(label)) made.title = about;
      else this.player.name(made, about);
      return made;
    };
    return [
      button("out", () => this.zoom(ZOOM)),
      button("in", () => this.zoom(1 / ZOOM)),
      button("fit", () => this.fit()),
      button("split", () => this.list.splitHere()),
      button("merge", () => this.list.mergeHere()),
    ];
  }

  get duration_s() {
    return this.player.data.duration_s || Number(this.player.seekBar.max) || 1;
  }

  /** Fetch the fine waveform, once; of old recordings there is a coarse one alone. */
  async load() {
    const { peaks } = this.player.data;
    if (!peaks || this.#hasAsked) return;
    this.#hasAsked = true;
    try {
      const answer = await fetch(`${peaks}?fine=true`, { signal: this.player.ends.signal });
      if (!answer.ok) return;
      this.#peaks = new Uint8Array(await answer.arrayBuffer());
      this.#loudest = this.#peaks.reduce((most, one) => Math.max(most, one), 1);
      this.redraw();
    } catch {
      /* the subtitles stand over a plain bar */
    }
  }

  /** Draw soon: many changes make one picture. */
  redraw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#draw());
  }

  /** Cues were added or are gone, so that places have another meaning. */
  forget() {
    this.#regions.clear();
    this.over.replaceChildren();
    this.redraw();
  }

  /** @param {number} now - where the recording is, which stays in sight */
  at(now) {
    const right_s = this.#left_s + this.#span_s;
    if (now < this.#left_s || now > right_s) this.#look(now - this.#span_s * (this.player.video.paused ? 0.3 : 0.1));
    this.redraw();
  }

  /** @param {number} left_s */
  #look(left_s) {
    this.#left_s = Math.min(Math.max(0, left_s), Math.max(0, this.duration_s - this.#span_s));
    this.redraw();
  }

  /**
   * @param {number} by - above 1 shows more
   * @param {number} [around_s]
   */
  zoom(by, around_s = this.#centre()) {
    const span_s = Math.min(Math.max(MIN_SPAN_S, this.#span_s * by), Math.max(MIN_SPAN_S, this.duration_s));
    const share = (around_s - this.#left_s) / this.#span_s;
    this.#span_s = span_s;
    this.#look(around_s - share * span_s);
  }

  #centre() {
    const now = this.player.now_s;
    const isSeen = now >= this.#left_s && now <= this.#left_s + this.#span_s;
    return isSeen ? now : this.#left_s + this.#span_s / 2;
  }

  /** Show the chosen cue with some room around it. */
  fit() {
    const cue = this.list.chosenCue;
    if (!cue) return;
    this.#span_s = Math.min(Math.max(MIN_SPAN_S, (cue.end - cue.start) * 2), this.duration_s);
    this.#look((cue.start + cue.end) / 2 - this.#span_s / 2);
  }

  /** @param {number} at_s */
  #x(at_s) {
    return ((at_s - this.#left_s) / this.#span_s) * this.stage.clientWidth;
  }

  /** @param {number} clientX */
  #moment(clientX) {
    const box = this.stage.getBoundingClientRect();
    return this.#left_s + ((clientX - box.left) / Math.max(1, box.width)) * this.#span_s;
  }

  #draw() {
    if (!this.stage.clientWidth) return;
    this.#drawWave();
    this.#drawRegions();
  }

  #drawWave() {
    const { canvas } = this;
    const scale = devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    canvas.width = Math.max(1, Math.round(width * scale));
    canvas.height = Math.max(1, Math.round(height * scale));
    const pen = canvas.getContext("2d");
    if (!pen) return;
    pen.scale(scale, scale);
    const style = getComputedStyle(canvas);
    pen.fillStyle = style.getPropertyValue("--wave-rest");
    const heights = this.#heights(Math.max(1, Math.floor(width / BAR_PX)));
    for (let bar = 0; bar < heights.length; bar++) {
      const tall = Math.max(1, heights[bar] * height * 0.94);
      pen.fillRect(bar * BAR_PX, (height - tall) / 2, BAR_PX * 0.7, tall);
    }
    pen.fillStyle = style.getPropertyValue("--wave-head");
    pen.fillRect(this.#x(this.player.now_s) - 1, 0, 2, height);
  }

  /**
   * How loud each bar in sight is, as a share of the loudest of all.
   *
   * @param {number} bars
   */
  #heights(bars) {
    if (!this.#peaks.length) return new Float32Array(bars);
    const step_s = this.duration_s / this.#peaks.length;
    const first = Math.floor(this.#left_s / step_s);
    const seen = this.#peaks.subarray(first, Math.ceil((this.#left_s + this.#span_s) / step_s));
    const loudest = seen.reduce((most, one) => Math.max(most, one), 1);
    return barHeights(seen, bars).map((height) => (height * loudest) / this.#loudest);
  }

  #drawRegions() {
    const cues = this.list.cues ?? [];
    const right_s = this.#left_s + this.#span_s;
    const seen = new Set();
    for (const [at, cue] of cues.entries()) {
      if (cue.end < this.#left_s || cue.start > right_s || seen.size >= MOST_REGIONS) continue;
      seen.add(at);
      this.#place(at, cue);
    }
    for (const [at, region] of this.#regions) {
      if (seen.has(at)) continue;
      region.remove();
      this.#regions.delete(at);
    }
  }

  /**
   * @param {number} at
   * @param {Cue} cue
   */
  #place(at, cue) {
    const region = this.#regions.get(at) ?? this.#region(at);
    const left = this.#x(cue.start);
    region.style.left = `${left}px`;
    region.style.width = `${Math.max(2, this.#x(cue.end) - left)}px`;
    const label = /** @type {HTMLElement} */ (region.firstElementChild);
    if (label.textContent !== cue.text) label.textContent = cue.text;
    region.classList.toggle("pinned", Boolean(cue.pin));
    region.classList.toggle("warned", this.list.isWarned(at));
    const isChosen = at === this.list.chosen;
    region.classList.toggle("chosen", isChosen);
    const handles = /** @type {HTMLElement[]} */ ([...region.querySelectorAll(".handle")]);
    if (isChosen && !handles.length) region.append(...EDGES.map((edge) => this.#handle(at, edge)));
    if (!isChosen) for (const handle of handles) handle.remove();
    if (isChosen) this.#tell(region, cue);
  }

  /** @param {number} at */
  #region(at) {
    const label = make("button", { type: "button", className: "label", tabIndex: -1 });
    label.onclick = (event) => {
      event.stopPropagation();
      this.list.choose(at);
      this.stage.focus({ preventScroll: true });
    };
    const region = make("div", { className: "region" }, label);
    this.#regions.set(at, region);
    this.over.append(region);
    return region;
  }

  /**
   * @param {number} at
   * @param {Edge} edge
   */
  #handle(at, edge) {
    const handle = make("div", { className: `handle ${edge}`, role: "slider", tabIndex: 0 });
    handle.ariaLabel = this.player.text.edge[edge];
    handle.ariaValueMin = "0";
    handle.ariaValueMax = this.duration_s.toFixed(2);
    handle.dataset.edge = edge;
    handle.onpointerdown = (event) => this.#drag(event, at, edge, handle);
    handle.onclick = (event) => event.stopPropagation();
    return handle;
  }

  /**
   * @param {HTMLElement} region
   * @param {Cue} cue
   */
  #tell(region, cue) {
    for (const edge of EDGES) {
      const handle = /** @type {HTMLElement | null} */ (region.querySelector(`.handle.${edge}`));
      if (!handle) continue;
      handle.ariaValueNow = cue[edge].toFixed(2);
      handle.ariaValueText = clock(cue[edge], true);
    }
  }

  /**
   * @param {PointerEvent} event
   * @param {number} at
   * @param {Edge} edge
   * @param {HTMLElement} handle
   */
  #drag(event, at, edge, handle) {
    event.preventDefault();
    event.stopPropagation();
    handle.focus({ preventScroll: true });
    handle.setPointerCapture(event.pointerId);
    const off_s = this.#moment(event.clientX) - (this.list.cues?.[at]?.[edge] ?? 0);
    handle.onpointermove = (move) => this.list.preview(at, edge, this.#moment(move.clientX) - off_s);
    const end = (/** @type {boolean} */ keep) => {
      handle.onpointermove = handle.onpointerup = handle.onpointercancel = null;
      this.list.endPreview(keep);
    };
    handle.onpointerup = () => end(true);
    handle.onpointercancel = () => end(false);
  }

  /** @param {MouseEvent} event */
  #clicked(event) {
    if (event.target === this.canvas || event.target === this.over || event.target === this.stage) {
      this.player.seek(this.#moment(event.clientX));
    }
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    if (event.ctrlKey || event.metaKey) this.zoom(event.deltaY > 0 ? ZOOM : 1 / ZOOM, this.#moment(event.clientX));
    else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      this.#look(this.#left_s + ((event.deltaX || event.deltaY) / this.stage.clientWidth) * this.#span_s);
    } else return;
    event.preventDefault();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step_s = event.shiftKey ? FRAME_S : NUDGE_S;
    const edge = /** @type {Edge | undefined} */ (/** @type {HTMLElement} */ (event.target).dataset.edge);
    const move = (/** @type {number} */ by_s) => (edge ? this.list.nudge(this.list.chosen, edge, by_s) : this.player.step(by_s));
    /** @type {Record<string, () => void>} */
    const acts = {
      ArrowLeft: () => move(-step_s),
      ArrowRight: () => move(step_s),
      ArrowUp: () => this.list.choose(this.list.chosen - 1),
      ArrowDown: () => this.list.choose(this.list.chosen + 1),
      "[": () => this.list.setEdge("start"),
      "]": () => this.list.setEdge("end"),
      s: () => this.list.splitHere(),
      m: () => this.list.mergeHere(),
      "+": () => this.zoom(1 / ZOOM),
      "=": () => this.zoom(1 / ZOOM),
      "-": () => this.zoom(ZOOM),
      0: () => this.fit(),
    };
    const act = acts[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }
}
