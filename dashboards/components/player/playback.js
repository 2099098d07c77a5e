/**
 * What the player plays: the recording, or a copy of its sound where the browser cannot play that.
 *
 * @import { Player } from "./player.js"
 */
import { make } from "../shared/dom.js";

/** What Firefox says where the machine has no sound output; Chromium plays on without one. */
const NO_OUTPUT = "OnMediaSinkAudioError";
const AGAIN_MS = 4000;
const SERVER_ERROR = 500;

export class Playback {
  #url = "";
  #failed = false;

  /** @param {Player} player */
  constructor(player) {
    this.player = player;
    player.on(player.video, "error", () => this.#trouble());
    this.choose();
  }

  /** The first moment of what is played, on its own clock. */
  get start_s() {
    const { copy, start_s } = this.player.data.media;
    return this.#url === copy ? 0 : start_s;
  }

  /** Load the source or the copy, as the data say now, and stay where the recording is. */
  choose() {
    const { video, now_s } = this.player;
    const { source, copy, copy_first } = this.player.data.media;
    const url = copy && (copy_first || this.#failed) ? copy : source;
    if (url === this.#url) return;
    this.#url = url;
    this.player.find(".trouble").hidden = true;
    if (now_s > 0) this.player.on(video, "loadedmetadata", () => this.player.seek(now_s), { once: true });
    video.src = url;
  }

  /** The browser cannot play it: take the copy, or say why nothing is heard. */
  async #trouble() {
    const { data, text, video } = this.player;
    const { source, copy } = data.media;
    const place = this.player.find(".trouble");
    if (video.error?.message.includes(NO_OUTPUT)) {
      place.replaceChildren(text.no_output);
      place.hidden = false;
      return;
    }
    this.#failed = true;
    if (copy && this.#url !== copy) {
      this.choose();
      return;
    }
    const answer = await fetch(this.#url, { method: "HEAD" }).catch(() => null);
    const link = make("a", { href: source, download: data.name }, text.download_original);
    place.replaceChildren(...(answer?.ok ? [text.cannot_play, " ", link] : [mayPass(answer) ? text.media_away : text.media_refused]));
    place.hidden = false;
    if (mayPass(answer)) this.#waitForIt();
  }

  /** Load it once the server, or its storage, is back. */
  async #waitForIt() {
    const { signal } = this.player.ends;
    /** @type {Response | null} */
    let answer = null;
    while (mayPass(answer)) {
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      if (signal.aborted) return;
      answer = await fetch(this.#url, { method: "HEAD", signal }).catch(() => null);
    }
    this.#failed = false;
    this.#url = "";
    this.choose();
  }
}

/**
 * Return whether an answer may be another one in a while: the server, or its storage, is away.
 *
 * @param {Response | null} answer
 */
function mayPass(answer) {
  return !answer || answer.status >= SERVER_ERROR;
}
