/**
 * Records from the microphone. It outlives the page that started it, as uploads do, and each second is written to
 * the browser's own store at once (unsent_store.js), so that a crash, a reload or an empty battery costs a second at
 * most. Components listen to the window event RECORDER_CHANGED.
 *
 * @import { UnsentFile } from "./unsent_store.js"
 *
 * @typedef {"idle" | "asking" | "recording" | "paused" | "saving"} RecorderState
 * @typedef {"not_allowed" | "no_microphone" | "not_kept"} RecorderProblem
 * @typedef {object} Take - what is being recorded
 * @property {MediaRecorder} media
 * @property {UnsentFile} entry
 * @property {Blob[]} pieces
 * @property {Promise<unknown>} written - done when all pieces are in the store
 */
import { guardPage } from "../shared/page_guard.js";
import { RECORDER_CHANGED } from "../shared/tab.js";
import { LevelMeter } from "./level_meter.js";
import { append, begin } from "./unsent_store.js";

const TYPES = ["audio/webm;codecs=opus", "audio/mp4", "audio/ogg;codecs=opus"];
/** @type {Record<string, string>} */
const SUFFIXES = { "audio/mp4": "m4a", "audio/ogg": "ogg" };
const BITS_PER_SECOND = 96000;
const PIECE_MS = 1000;

export class Recorder {
  /** @type {RecorderState} */
  state = "idle";
  /** @type {RecorderProblem | null} */
  problem = null;
  /** @type {Take | null} */
  #take = null;
  /** @type {LevelMeter | null} */
  #meter = null;
  #before_s = 0;
  #since = 0;

  constructor() {
    guardPage(() => this.busy);
  }

  get busy() {
    return this.state === "recording" || this.state === "paused";
  }

  /** The id of what is being made, which is not yet to be sent. */
  get makingId() {
    return this.busy || this.state === "saving" ? (this.#take?.entry.id ?? null) : null;
  }

  /**
   * @param {string} owner
   * @param {string} name - of the file, without its suffix
   */
  async start(owner, name) {
    if (this.state !== "idle") return;
    this.#turn("asking");
    let media;
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      const mimeType = TYPES.find((one) => MediaRecorder.isTypeSupported(one));
      media = new MediaRecorder(stream, { mimeType, audioBitsPerSecond: BITS_PER_SECOND });
      const [type] = media.mimeType.split(";");
      const entry = await begin({ name: `${name}.${SUFFIXES[type] ?? "webm"}`, type, owner });
      this.#take = { media, entry, pieces: [], written: Promise.resolve() };
    } catch (error) {
      stopTracks(media);
      const isRefused = error instanceof DOMException && error.name === "NotAllowedError";
      return this.#turn("idle", isRefused ? "not_allowed" : "no_microphone");
    }
    navigator.storage?.persist?.();
    this.#before_s = 0;
    this.#since = Date.now();
    media.ondataavailable = ({ data }) => this.#keep(data);
    media.onerror = () => this.stop();
    this.#meter = new LevelMeter(media.stream);
    media.start(PIECE_MS);
    this.#turn("recording");
  }

  pause() {
    this.#take?.media.pause();
    this.#before_s = this.seconds();
    this.#turn("paused");
  }

  resume() {
    this.#take?.media.resume();
    this.#since = Date.now();
    this.#turn("recording");
  }

  /**
   * End it; resolves to what was recorded.
   *
   * @returns {Promise<{ entry: UnsentFile, file: File } | null>}
   */
  async stop() {
    const take = this.#take;
    if (!this.busy || !take) return null;
    this.#before_s = this.seconds();
    this.#turn("saving");
    const { entry, media } = take;
    if (media.state !== "inactive") {
      await new Promise((resolve) => {
        media.onstop = resolve;
        media.stop();
      });
    }
    stopTracks(media);
    this.#meter?.close();
    await take.written;
    const file = new File(take.pieces, entry.name, { type: entry.type, lastModified: entry.began });
    this.#take = null;
    this.#turn("idle");
    return { entry, file };
  }

  seconds() {
    return this.state === "recording" ? this.#before_s + (Date.now() - this.#since) / 1000 : this.#before_s;
  }

  /** How loud it is now, 0 to 1 on a scale that speech fills. */
  level() {
    return this.state === "recording" ? (this.#meter?.level() ?? 0) : 0;
  }

  /** @param {Blob} data */
  #keep(data) {
    const take = this.#take;
    if (!data.size || !take) return;
    const number = take.pieces.push(data) - 1;
    const entry = { ...take.entry, seconds: this.seconds() };
    take.written = take.written
      .then(() => append(entry, number, data))
      .catch(() => {
        this.problem = "not_kept";
      });
  }

  /**
   * @param {RecorderState} state
   * @param {RecorderProblem | null} [problem]
   */
  #turn(state, problem = null) {
    Object.assign(this, { state, problem });
    dispatchEvent(new CustomEvent(RECORDER_CHANGED));
  }
}

/** @param {MediaRecorder | undefined} media */
function stopTracks(media) {
  for (const track of media?.stream.getTracks() ?? []) track.stop();
}
