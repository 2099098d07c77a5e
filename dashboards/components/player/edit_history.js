/**
 * What can be undone, and done again: lists of segments, since a change makes new ones.
 *
 * @import { Segment } from "./segments.js"
 */
const MAX_STEPS = 300;

export class EditHistory {
  /** @type {Segment[][]} */
  #past = [];
  /** @type {Segment[][]} */
  #future = [];

  get canUndo() {
    return this.#past.length > 0;
  }

  get canRedo() {
    return this.#future.length > 0;
  }

  /**
   * Note what there was before a change.
   *
   * @param {Segment[]} before
   */
  add(before) {
    this.#past.push(before);
    if (this.#past.length > MAX_STEPS) this.#past.shift();
    this.#future = [];
  }

  /**
   * Return what there was before the last change; nothing where there was none.
   *
   * @param {Segment[]} now
   */
  undo(now) {
    return step(this.#past, this.#future, now);
  }

  /** @param {Segment[]} now */
  redo(now) {
    return step(this.#future, this.#past, now);
  }

  clear() {
    this.#past = [];
    this.#future = [];
  }
}

/**
 * @param {Segment[][]} from
 * @param {Segment[][]} to
 * @param {Segment[]} now
 */
function step(from, to, now) {
  const segments = from.pop();
  if (segments) to.push(now);
  return segments;
}
