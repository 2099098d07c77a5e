/**
 * The text so far of a recording that is still being transcribed, part by part: what has been fetched is not fetched
 * again. Of a new attempt, what the one before had further on stays until the new one has come as far.
 *
 * @import { PartialTranscript, StoredSegment } from "./api.js"
 * @import { Player } from "./player.js"
 */
import { clock, fill } from "../shared/format.js";

export class PartialText {
  #busy = false;
  #attempt = 0;
  #parts = 0;
  #until_s = 0;
  /** @type {StoredSegment[]} */
  #segments = [];
  /** @type {StoredSegment[]} those of an earlier attempt, beyond where this one is */
  #older = [];

  /** @param {Player} player */
  constructor(player) {
    this.player = player;
    player.find(".partial .pill").textContent = player.text.partial;
    player.find(".text .state").textContent = player.text.partial_waiting;
  }

  /** The page has looked again: there may be more. */
  async update() {
    this.#say();
    if (this.#busy) return;
    this.#busy = true;
    try {
      while (this.#isBehind() && (await this.#fetchMore()));
    } catch {
      /* the next look tries again */
    } finally {
      this.#busy = false;
    }
    this.#say();
  }

  #isBehind() {
    const { partial } = this.player.data;
    return partial && partial.parts > 0 && (partial.attempt !== this.#attempt || partial.parts > this.#parts);
  }

  async #fetchMore() {
    /** @type {PartialTranscript} */
    const found = await this.player.ask(`/transcript?partial=true&after=${this.#parts}`);
    if (!found.partial || !this.player.data.partial) return false;
    if (found.attempt !== this.#attempt) {
      this.#older = [...this.#segments, ...this.#older.filter((one) => one.start_s >= this.#until_s)];
      [this.#attempt, this.#parts, this.#segments] = [found.attempt, 0, []];
      if (found.after) return true;
    }
    if (found.after !== this.#parts) return false;
    this.#segments.push(...found.segments);
    [this.#parts, this.#until_s] = [found.parts, found.until_s];
    this.player.script.grow([...this.#segments, ...this.#older.filter((one) => one.start_s >= found.until_s)]);
    return true;
  }

  #say() {
    const { partial } = this.player.data;
    const far = { percent: Math.floor(100 * (partial?.share ?? 0)), time: clock(this.#until_s) };
    this.player.find(".partial").hidden = !partial || !this.#parts;
    this.player.find(".partial .far").textContent = fill(this.player.text.partial_far, far);
  }
}
