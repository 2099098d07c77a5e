/**
 * When the page runs again for the list, and for what.
 *
 * News of a shown row is put in at once, with nothing asked of the server. The page runs again only for what a row
 * cannot know (counts, rows that come or go): seldom enough to take it a fortieth of its time and all open pages
 * together 25 times a second, and not in a hidden tab.
 *
 * @typedef {(name: string, value: unknown) => void} Trigger
 */
import { inTurn } from "../shared/turns.js";

const SOONEST_MS = 400;
const LATEST_MS = 20000;
const BUSY_SHARE = 40;
const EACH_MS = 40;
const PATIENCE_MS = 3000;
const LEAST_MS = 30;

export class Refresh {
  #askedAt = 0;
  #lookedAt = 0;
  #tookMs = 0;
  #timer = 0;
  #impatience = 0;
  #isLate = false;
  /** @type {[string, unknown][]} */
  #waiting = [];
  /** @type {number | undefined} */
  #run = undefined;
  #listeners = 1;
  /** @type {Trigger} */
  #trigger = () => {};

  close() {
    clearTimeout(this.#timer);
    clearTimeout(this.#impatience);
  }

  /**
   * The page has run.
   *
   * @param {{ run: number, crowd: number }} data - `crowd` is how many open pages there are
   * @param {Trigger} trigger
   */
  answered({ run, crowd }, trigger) {
    if (this.#askedAt && this.#run !== run) {
      this.#tookMs = performance.now() - this.#askedAt;
      this.#askedAt = 0;
    }
    this.#run = run;
    this.#listeners = crowd;
    this.#trigger = trigger;
    if (!this.#askedAt) this.#next();
  }

  /** The tab is looked at again, or no more. */
  shown() {
    if (this.#isLate) this.soon();
  }

  /**
   * Look again before long.
   *
   * @param {number} [crowd] - how many heard the same: they do not look all at once, however long ago they looked last
   */
  soon(crowd = 1) {
    this.#isLate = document.hidden;
    if (this.#timer || this.#isLate) return;
    const pause = pauseFor(this.#tookMs, this.#listeners) * (0.8 + 0.4 * Math.random());
    const wait = Math.max(LEAST_MS, EACH_MS * crowd * Math.random(), this.#lookedAt + pause - performance.now());
    this.#timer = window.setTimeout(() => {
      this.#timer = 0;
      if (this.#waiting.length) return;
      this.#lookedAt = performance.now();
      this.ask("look", Date.now());
    }, wait);
  }

  /**
   * Ask one thing at a time: what is asked while the page still runs for something else would end that run and be lost.
   *
   * @param {string} what
   * @param {unknown} value
   */
  ask(what, value) {
    if (this.#askedAt && performance.now() - this.#askedAt < PATIENCE_MS) {
      this.#waiting.push([what, value]);
      clearTimeout(this.#impatience);
      this.#impatience = window.setTimeout(() => this.#next(), PATIENCE_MS);
      return;
    }
    this.#askedAt = performance.now();
    inTurn(() => {
      this.#askedAt = performance.now();
      this.#trigger(what, value);
    });
  }

  #next() {
    clearTimeout(this.#impatience);
    const waiting = this.#waiting.shift();
    if (waiting) this.ask(...waiting);
  }
}

/**
 * Return how long to leave the server alone between two looks.
 *
 * @param {number} tookMs - how long the last one took
 * @param {number} pages - how many look
 */
export function pauseFor(tookMs, pages) {
  return Math.max(Math.min(LATEST_MS, Math.max(SOONEST_MS, BUSY_SHARE * tookMs)), EACH_MS * pages);
}
