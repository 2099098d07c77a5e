/*
 * The recording's waveform on a canvas: a byte for each 100 ms, drawn as the loudest of each pixel, so that ten
 * hours cost no more than ten minutes. Without one (read before there were any) it is a plain bar.
 */
const PEAK_S = 0.1;

class Wave {
  constructor(player, place, url) {
    this.player = player;
    this.canvas = place.querySelector("canvas");
    this.seekBar = place.querySelector(".seek");
    this.hover = place.querySelector(".hover");
    this.peaks = null;
    this.shapes = null;
    this.marks = [];
    const { signal } = player.ends;
    this.watch = new ResizeObserver(() => this.#measure());
    this.watch.observe(this.canvas);
    signal.addEventListener("abort", () => this.watch.disconnect());
    place.addEventListener("pointermove", (event) => this.#tell(event), { signal });
    place.addEventListener("pointerleave", () => (this.hover.hidden = true), { signal });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw(), { signal });
    this.from(url);
  }

  /* Fetch the waveform, once; there is none before the recording has been read. */
  from(url) {
    if (!url || this.asked) return;
    this.asked = true;
    this.#load(url, this.player.ends.signal);
  }

  async #load(url, signal) {
    try {
      const answer = await fetch(url, { signal });
      if (!answer.ok) return;
      this.peaks = new Uint8Array(await answer.arrayBuffer());
      this.#measure();
    } catch {
      /* the bar does without */
    }
  }

  get duration_s() {
    return Number(this.seekBar.max) || 0;
  }

  mark(stretches) {
    this.marks = stretches;
    this.draw();
  }

  #measure() {
    const { canvas, peaks } = this;
    const scale = devicePixelRatio || 1;
    canvas.width = Math.max(1, Math.round(canvas.clientWidth * scale));
    canvas.height = Math.max(1, Math.round(canvas.clientHeight * scale));
    const bars = Math.max(1, Math.floor(canvas.clientWidth / 3));
    this.shapes = new Float32Array(bars);
    if (peaks?.length) {
      let top = 1;
      for (let bar = 0; bar < bars; bar++) {
        const first = Math.floor((bar * peaks.length) / bars);
        const last = Math.max(first + 1, Math.floor(((bar + 1) * peaks.length) / bars));
        let loud = 0;
        for (let at = first; at < last; at++) if (peaks[at] > loud) loud = peaks[at];
        this.shapes[bar] = loud;
        if (loud > top) top = loud;
      }
      for (let bar = 0; bar < bars; bar++) this.shapes[bar] /= top;
    }
    this.draw();
  }

  draw() {
    if (!this.shapes) return;
    const { canvas, shapes } = this;
    const pen = canvas.getContext("2d");
    const style = getComputedStyle(canvas);
    const { width, height } = canvas;
    const share = this.duration_s ? this.player.video.currentTime / this.duration_s : 0;
    pen.clearRect(0, 0, width, height);
    pen.fillStyle = style.getPropertyValue("--wave-doubt");
    for (const { start_s, end_s } of this.marks) {
      const from = (start_s / this.duration_s) * width;
      pen.fillRect(from, 0, Math.max(2, ((end_s - start_s) / this.duration_s) * width), height);
    }
    const step = width / shapes.length;
    const colours = [style.getPropertyValue("--wave-played"), style.getPropertyValue("--wave-rest")];
    for (let bar = 0; bar < shapes.length; bar++) {
      const tall = Math.max(height * 0.06, shapes[bar] * height * 0.92);
      pen.fillStyle = colours[(bar + 0.5) / shapes.length < share ? 0 : 1];
      pen.fillRect(bar * step, (height - tall) / 2, step * 0.66, tall);
    }
    pen.fillStyle = style.getPropertyValue("--wave-head");
    const scale = devicePixelRatio || 1;
    pen.fillRect(Math.min(width - 2 * scale, share * width), 0, 2 * scale, height);
  }

  #tell(event) {
    const box = this.canvas.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    this.hover.hidden = !this.duration_s || event.pointerType === "touch";
    this.hover.textContent = clock(share * this.duration_s);
    this.hover.style.left = `${share * 100}%`;
  }
}
