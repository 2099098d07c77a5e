/**
 * Notices of recordings that have become ready or failed while another page is read.
 *
 * @import { SessionData } from "../contracts.js"
 * @import { JobEvent } from "../shared/mounted.js"
 *
 * @typedef {{ id: string, name: string, state: "completed" | "failed", finished_at: string | null }} FinishedJob
 */
import { make } from "../shared/dom.js";
import { fill } from "../shared/format.js";
import { sitePath } from "../shared/site_path.js";

const MOST = 4;
const MOST_NAME_CHARS = 40;
const SHOWN_MS = 12_000;
const NEWS_MS = 60_000;

/**
 * Return a name that leaves room for what is said about it.
 *
 * @param {string} name
 */
export const shortened = (name) => (name.length > MOST_NAME_CHARS ? `${name.slice(0, MOST_NAME_CHARS - 1).trimEnd()}…` : name);

export class FinishedNotices {
  /**
   * @param {HTMLElement} place
   * @param {SessionData} data
   * @param {(id: string) => void} open
   */
  constructor(place, data, open) {
    this.place = place;
    this.data = data;
    this.open = open;
  }

  /** @param {JobEvent} event */
  async hear(event) {
    if (event.owner_id !== this.data.me || !["completed", "failed"].includes(event.state ?? "")) return;
    const mark = `wt-told-${event.job_id}-${event.attempt}`;
    const isOpen = new URLSearchParams(location.search).get("id") === event.job_id;
    if (isOpen || sessionStorage.getItem(mark)) return;
    const answer = await fetch(sitePath(`/api/v1/jobs/${event.job_id}`)).catch(() => null);
    /** @type {FinishedJob | null} */
    const job = answer?.ok ? await answer.json() : null;
    if (!job?.finished_at || Date.now() - Date.parse(job.finished_at) > NEWS_MS) return;
    if (sessionStorage.getItem(mark)) return; // the same news again, while this answer was on its way
    sessionStorage.setItem(mark, "1");
    this.show(job.state, fill(this.data.text[job.state], { name: shortened(job.name) }), job.id);
  }

  /**
   * @param {string} kind
   * @param {string} words
   * @param {string} job - which is opened by the notice
   * @param {() => void} [dismissed] - the reader has closed it
   */
  show(kind, words, job, dismissed) {
    const { text } = this.data;
    const drop = () => {
      line.remove();
      if (!this.place.children.length && this.place.matches(":popover-open")) this.place.hidePopover();
    };
    const open = () => {
      drop();
      this.open(job);
    };
    const close = () => {
      drop();
      dismissed?.();
    };
    const button = { type: "button", className: "button quiet" };
    const line = make(
      "div",
      { className: `notice ${kind}` },
      make("span", {}, words),
      make("button", { ...button, onclick: open }, text.open),
      make("button", { ...button, onclick: close, ariaLabel: text.close }, "✕"),
    );
    this.place.prepend(line);
    while (this.place.children.length > MOST) this.place.lastChild?.remove();
    if (!this.place.matches(":popover-open")) this.place.showPopover();
    setTimeout(drop, SHOWN_MS);
  }
}
