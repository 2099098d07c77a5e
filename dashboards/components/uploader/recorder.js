/*
 * Records from the microphone. It outlives the page that started it, as uploads do, and each second is written to
 * the browser's own store at once (kept.js), so that a crash, a reload or an empty battery costs a second at most.
 * Components listen to the window event "wt-recorder".
 */
class WtRecorder {
  static types = ["audio/webm;codecs=opus", "audio/mp4", "audio/ogg;codecs=opus"];

  constructor() {
    this.state = "idle";
    this.problem = null;
    addEventListener("beforeunload", (event) => {
      if (this.busy) event.preventDefault();
    });
  }

  static possible() {
    return Boolean(navigator.mediaDevices?.getUserMedia && window.MediaRecorder);
  }

  get busy() {
    return ["recording", "paused"].includes(this.state);
  }

  async start(owner, name) {
    if (this.state !== "idle") return;
    this.#turn("asking");
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      const type = WtRecorder.types.find((one) => MediaRecorder.isTypeSupported(one));
      this.recorder = new MediaRecorder(stream, { mimeType: type, audioBitsPerSecond: 96000 });
      const kind = this.recorder.mimeType.split(";")[0];
      const ending = { "audio/mp4": "m4a", "audio/ogg": "ogg" }[kind] ?? "webm";
      this.entry = await wtKept.begin({ name: `${name}.${ending}`, type: kind, owner });
    } catch (error) {
      this.recorder?.stream.getTracks().forEach((track) => track.stop());
      return this.#turn("idle", error.name === "NotAllowedError" ? "not_allowed" : "no_microphone");
    }
    navigator.storage?.persist?.();
    Object.assign(this, { pieces: [], before: 0, since: Date.now(), written: Promise.resolve() });
    this.recorder.ondataavailable = ({ data }) => this.#keep(data);
    this.recorder.onerror = () => this.stop();
    this.#listen();
    this.recorder.start(1000);
    this.#turn("recording");
  }

  pause() {
    this.recorder.pause();
    this.before = this.seconds();
    this.#turn("paused");
  }

  resume() {
    this.recorder.resume();
    this.since = Date.now();
    this.#turn("recording");
  }

  /** End it; resolves to what was recorded, as `{entry, file}`. */
  async stop() {
    if (!this.busy) return null;
    this.before = this.seconds();
    this.#turn("saving");
    const { recorder, entry } = this;
    if (recorder.state !== "inactive") {
      await new Promise((resolve) => {
        recorder.onstop = resolve;
        recorder.stop();
      });
    }
    recorder.stream.getTracks().forEach((track) => track.stop());
    this.sound?.close();
    await this.written;
    const file = new File(this.pieces, entry.name, { type: entry.type, lastModified: entry.began });
    this.pieces = [];
    this.#turn("idle");
    return { entry, file };
  }

  seconds() {
    return this.state === "recording" ? this.before + (Date.now() - this.since) / 1000 : this.before ?? 0;
  }

  /** How loud it is now, 0 to 1 on a scale that speech fills. */
  level() {
    if (this.state !== "recording" || !this.analyser) return 0;
    this.analyser.getFloatTimeDomainData(this.samples);
    const power = this.samples.reduce((sum, one) => sum + one * one, 0) / this.samples.length;
    return Math.min(1, Math.max(0, 1 + Math.log10(power + 1e-9) / 5));
  }

  #keep(data) {
    if (!data.size) return;
    const number = this.pieces.push(data) - 1;
    const entry = { ...this.entry, seconds: this.seconds() };
    this.written = this.written
      .then(() => wtKept.append(entry, number, data))
      .catch(() => (this.problem = "not_kept"));
  }

  #listen() {
    this.sound = new AudioContext();
    this.analyser = this.sound.createAnalyser();
    this.analyser.fftSize = 2048;
    this.samples = new Float32Array(this.analyser.fftSize);
    this.sound.createMediaStreamSource(this.recorder.stream).connect(this.analyser);
  }

  #turn(state, problem = null) {
    Object.assign(this, { state, problem });
    dispatchEvent(new CustomEvent("wt-recorder"));
  }
}
