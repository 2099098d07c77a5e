/**
 * The recording's waveform on a canvas: a byte for each 100 ms, drawn as the loudest of each pixel, so that ten
 * hours cost no more than ten minutes. Without one (read before there were any) it is a plain bar.
 *
 * @import { FindingRow } from "../contracts.js"
 * @import { Player } from "./player.js"
 */
import { find } from "../shared/dom.js";
import { clock } from "../shared/format.js";

const BAR_PX = 3;

/**
 * Return the loudest peak of each bar, as a share of the loudest of all.
 *
 * @param {Uint8Array} peaks
 * @param {number} bars
 */
export function barHeights(peaks, bars) {
  const heights = new Float32Array(bars);
  if (!peaks.length) return heights;
  let top = 1;
  for (let bar = 0; bar < bars; bar++) {
    const first = Math.floor((bar * peaks.length) / bars);
    const last = Math.max(first + 1, Math.floor(((bar + 1) * peaks.length) / bars));
    for (let at = first; at < last; at++) if (peaks[at] > heights[bar]) heights[bar] = peaks[at];
    top = Math.max(top, heights[bar]);
  }
  return heights.map((height) => height / top);
}

export class Waveform {
  #asked = false;
  #peaks = new Uint8Array();
  /** @type {Float32Array | null} */
  #heights = null;
  /** @type {FindingRow[]} */
  #marks = [];

  /**
   * @param {Player} player
   * @param {HTMLElement} place
   * @param {string | null} url
   */
  constructor(player, place, url) {
    this.player = player;
    this.canvas = find(place, "canvas", HTMLCanvasElement);
    this.hover = find(place, ".hover");
    const { signal } = player.ends;
    const sizes = new ResizeObserver(() => this.#measure());
    sizes.observe(this.canvas);
    signal.addEventListener("abort", () => sizes.disconnect());
    place.addEventListener("pointermove", (event) => this.#showTime(event), { signal });
    place.addEventListener("pointerleave", () => (this.hover.hidden = true), { signal });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw(), { signal });
    this.from(url);
  }

  /**
   * Fetch the waveform, once; there is none before the recording has been read.
   *
   * @param {string | null} url
   */
  from(url) {
    if (!url || this.#asked) return;
    this.#asked = true;
    this.#load(url, this.player.ends.signal);
  }

  /**
   * @param {string} url
   * @param {AbortSignal} signal
   */
  async #load(url, signal) {
    try {
      const answer = await fetch(url, { signal });
      if (!answer.ok) return;
      this.#peaks = new Uint8Array(await answer.arrayBuffer());
      this.#measure();
    } catch {
      /* the bar does without */
    }
  }

  get duration_s() {
    return Number(this.player.seekBar.max) || 0;
  }

  /** @param {FindingRow[]} stretches */
  mark(stretches) {
    this.#marks = stretches;
    this.draw();
  }

  #measure() {
    const { canvas } = this;
    const scale = devicePixelRatio || 1;
    canvas.width = Math.max(1, Math.round(canvas.clientWidth * scale));
    canvas.height = Math.max(1, Math.round(canvas.clientHeight * scale));
    this.#heights = barHeights(this.#peaks, Math.max(1, Math.floor(canvas.clientWidth / BAR_PX)));
    this.draw();
  }

  draw() {
    const heights = this.#heights;
    const { canvas } = this;
    const pen = canvas.getContext("2d");
    if (!heights || !pen) return;
    const style = getComputedStyle(canvas);
    const { width, height } = canvas;
    const share = this.duration_s ? this.player.now_s / this.duration_s : 0;
    pen.clearRect(0, 0, width, height);
    pen.fillStyle = style.getPropertyValue("--wave-doubt");
    for (const { start_s, end_s } of this.#marks) {
      const from = (start_s / this.duration_s) * width;
      pen.fillRect(from, 0, Math.max(2, ((end_s - start_s) / this.duration_s) * width), height);
    }
    const step = width / heights.length;
    const colours = [style.getPropertyValue("--wave-played"), style.getPropertyValue("--wave-rest")];
    for (let bar = 0; bar < heights.length; bar++) {
      const tall = Math.max(height * 0.06, heights[bar] * height * 0.92);
      pen.fillStyle = colours[(bar + 0.5) / heights.length < share ? 0 : 1];
      pen.fillRect(bar * step, (height - tall) / 2, step * 0.66, tall);
    }
    pen.fillStyle = style.getPropertyValue("--wave-head");
    const scale = devicePixelRatio || 1;
    pen.fillRect(Math.min(width - 2 * scale, share * width), 0, 2 * scale, height);
  }

  /** @param {PointerEvent} event */
  #showTime(event) {
    const box = this.canvas.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    this.hover.hidden = !this.duration_s || event.pointerType === "touch";
    this.hover.textContent = clock(share * this.duration_s);
    this.hover.style.left = `${share * 100}%`;
  }
}
