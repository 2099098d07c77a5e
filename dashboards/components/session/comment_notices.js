/**
 * Notices of what others have said about one's own recordings, also while one was away.
 *
 * @import { SessionData, UnseenComment } from "../contracts.js"
 * @import { JobEvent } from "../shared/mounted.js"
 * @import { FinishedNotices } from "./notices.js"
 */
import { fill } from "../shared/format.js";
import { sitePath } from "../shared/site_path.js";
import { shortened } from "./notices.js";

const TOLD = "wt-told-comments";
const FIRST_MS = 3000;
const MOST_CHARS = 120;
let hasAsked = false;

export class CommentNotices {
  /**
   * @param {FinishedNotices} notices
   * @param {SessionData} data
   */
  constructor(notices, data) {
    this.notices = notices;
    this.data = data;
  }

  /** Ask once a tab for what was said before, when the page has come to rest. */
  begin() {
    if (hasAsked) return;
    hasAsked = true;
    setTimeout(() => this.#ask(), FIRST_MS);
  }

  /** @param {JobEvent} event */
  hear(event) {
    if (event.reopened || (event.comment && event.owner_id === this.data.me)) this.#ask();
  }

  async #ask() {
    const answer = await fetch(sitePath("/api/v1/comments/unseen")).catch(() => null);
    /** @type {UnseenComment[]} */
    const found = answer?.ok ? await answer.json() : [];
    const told = new Set((sessionStorage.getItem(TOLD) ?? "").split(" "));
    const open = new URLSearchParams(location.search).get("id");
    const fresh = found.filter((one) => !told.has(one.id) && one.job_id !== open);
    if (!fresh.length) return;
    sessionStorage.setItem(TOLD, [...told, ...fresh.map((one) => one.id)].join(" "));
    const latest = new Map([...fresh].reverse().map((one) => [one.job_id, one]));
    for (const one of latest.values()) this.#show(one);
  }

  /** @param {UnseenComment} comment */
  #show({ job_id, name, made_by, text }) {
    const cut = text.length > MOST_CHARS ? `${text.slice(0, MOST_CHARS - 1)}…` : text;
    this.notices.show("commented", fill(this.data.text.commented, { by: made_by, name: shortened(name), text: cut }), job_id, () => {
      fetch(sitePath(`/api/v1/jobs/${job_id}/comments/seen`), { method: "POST" }).catch(() => null);
    });
  }
}
