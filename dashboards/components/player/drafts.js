/**
 * Edits that are not saved, in this browser: a draft for each recording.
 *
 * @import { Edit } from "./api.js"
 * @import { Cue } from "./cues.js"
 *
 * @typedef {{ version: number, at: number, segments: (number | Edit)[], cues?: Cue[] }} Draft - which version it is of,
 *   and when; `cues` are there where some were set
 */

export class DraftStore {
  /** @param {string} recording - the address of its API */
  constructor(recording) {
    this.key = `wt-draft-${recording}`;
  }

  /** @param {Draft} draft */
  keep(draft) {
    try {
      localStorage.setItem(this.key, JSON.stringify(draft));
    } catch {
      /* the browser's store is full: what is typed stays on the page */
    }
  }

  /** @returns {Draft | null} */
  read() {
    return JSON.parse(localStorage.getItem(this.key) ?? "null");
  }

  drop() {
    localStorage.removeItem(this.key);
  }
}
