/**
 * Edits that are not saved, in this browser: a draft for each recording.
 *
 * @import { Edit } from "./api.js"
 *
 * @typedef {{ version: number, at: number, segments: (number | Edit)[] }} Draft - which version it is of, and when
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
