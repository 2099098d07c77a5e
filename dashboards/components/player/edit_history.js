/**
 * What can be undone, and done again: lists of segments and of cues, since a change makes new ones.
 *
 * @import { Cue } from "./cues.js"
 * @import { Segment } from "./segments.js"
 *
 * @typedef {{ segments: Segment[], cues: Cue[] | null }} Snapshot - `cues` is null where nobody has looked at them
 */
const MAX_STEPS = 300;

export class EditHistory {
  /** @type {Snapshot[]} */
  #past = [];
  /** @type {Snapshot[]} */
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
   * @param {Snapshot} before
   */
  add(before) {
    this.#past.push(before);
    if (this.#past.length > MAX_STEPS) this.#past.shift();
    this.#future = [];
  }

  /**
   * Return what there was before the last change; nothing where there was none.
   *
   * @param {Snapshot} now
   */
  undo(now) {
    return step(this.#past, this.#future, now);
  }

  /** @param {Snapshot} now */
  redo(now) {
    return step(this.#future, this.#past, now);
  }

  clear() {
    this.#past = [];
    this.#future = [];
  }
}

/**
 * @param {Snapshot[]} from
 * @param {Snapshot[]} to
 * @param {Snapshot} now
 */
function step(from, to, now) {
  const snapshot = from.pop();
  if (snapshot) to.push(now);
  return snapshot;
}
