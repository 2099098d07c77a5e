/**
 * What concerns the login on every page: a warning before it ends, notices of recordings that are done, the theme.
 *
 * Asking how long the session lasts does not keep it alive; hands on the page do, noted at most once a check.
 *
 * @import { SessionData } from "../contracts.js"
 * @import { Connection } from "../shared/event_hub.js"
 * @import { JobEvent, Mounted } from "../shared/mounted.js"
 * @import { SessionLeft } from "./timing.js"
 */
import { find } from "../shared/dom.js";
import { CONNECTION, listen } from "../shared/event_hub.js";
import { clock, fill } from "../shared/format.js";
import { leavePage } from "../shared/leave_page.js";
import { sitePath } from "../shared/site_path.js";
import { CommentNotices } from "./comment_notices.js";
import { FinishedNotices } from "./notices.js";
import { leadIntoPopovers } from "./popovers.js";
import { applyTheme } from "./theme.js";
import { endsByIdling, nextCheck_s, secondsLeft } from "./timing.js";

const RETRY_MS = 30_000;
const LATER_MS = 60_000;
const SEEN_AGAIN_MS = 20_000;
const HANDS = ["pointerdown", "keydown"];

/** @type {WeakMap<object, SessionWatch>} */
const watches = new WeakMap();

/** @param {Mounted<SessionData>} mounted */
export default function mountSession(mounted) {
  const { data, parentElement, setTriggerValue } = mounted;
  watches.get(parentElement)?.close();
  applyTheme(data);
  document.documentElement.lang = data.language;
  leadIntoPopovers();
  const root = find(parentElement, ".session");
  const notices = new FinishedNotices(find(root, ".notices"), data, (id) => setTriggerValue("opened", id));
  const lost = find(root, ".lost");
  watches.set(parentElement, new SessionWatch(find(root, ".warning", HTMLFormElement), data, notices, lost));
  return () => watches.get(parentElement)?.close();
}

/**
 * @param {HTMLElement} line
 * @param {Connection} connection
 * @param {SessionData["text"]} text
 */
function showLost(line, connection, text) {
  const isLost = connection !== "open";
  if (isLost) line.textContent = text[connection];
  if (isLost !== line.matches(":popover-open")) line.togglePopover(isLost);
}

class SessionWatch {
  #ends = new AbortController();
  #timer = 0;
  #ticking = 0;
  /** @type {SessionLeft | null} */
  #left = null;
  #deadline = 0;
  #wasActive = false;
  #hiddenUntil = 0;
  #checkedAt = 0;

  /**
   * @param {HTMLFormElement} warning
   * @param {SessionData} data
   * @param {FinishedNotices} notices
   * @param {HTMLElement} lost - what says that the server is away
   */
  constructor(warning, data, notices, lost) {
    this.warning = warning;
    this.data = data;
    this.#label();
    const { signal } = this.#ends;
    const busy = () => (this.#wasActive = true);
    for (const kind of HANDS) addEventListener(kind, busy, { capture: true, passive: true, signal });
    document.addEventListener("visibilitychange", () => this.#seen(), { signal });
    addEventListener(CONNECTION, (event) => showLost(lost, /** @type {CustomEvent<Connection>} */ (event).detail, data.text), { signal });
    const comments = new CommentNotices(notices, data);
    comments.begin();
    const hear = (/** @type {JobEvent} */ event) => {
      notices.hear(event);
      comments.hear(event);
    };
    const unlisten = listen(hear, { everybody: data.everybody, eventsSeen: data.events_seen });
    signal.addEventListener("abort", unlisten);
    this.#check();
  }

  close() {
    this.#ends.abort();
    clearTimeout(this.#timer);
    clearInterval(this.#ticking);
  }

  /** @param {string} path */
  #find(path) {
    return find(this.warning, path);
  }

  get #password() {
    return find(this.warning, "[name=password]", HTMLInputElement);
  }

  #label() {
    const { data, warning } = this;
    const { text } = data;
    this.#find("#wt-session-title").textContent = text.title;
    this.#find(".again span").textContent = text.password;
    find(warning, ".name", HTMLInputElement).value = data.name;
    this.#find(".later").textContent = text.later;
    this.#find(".later").onclick = () => {
      this.#hiddenUntil = Date.now() + LATER_MS;
      warning.hidePopover();
    };
    warning.onsubmit = (event) => {
      event.preventDefault();
      this.#stay();
    };
  }

  #seen() {
    if (document.visibilityState === "visible" && Date.now() - this.#checkedAt > SEEN_AGAIN_MS) this.#check();
  }

  /** @param {number} pause_ms */
  #checkIn(pause_ms) {
    if (!this.#ends.signal.aborted) this.#timer = window.setTimeout(() => this.#check(), pause_ms);
  }

  /** Whether the session has ended by the clock, which the server need not say. */
  #isOver() {
    return this.#deadline > 0 && Date.now() > this.#deadline;
  }

  async #check() {
    clearTimeout(this.#timer);
    this.#checkedAt = Date.now();
    const { warning } = this;
    if (this.#wasActive && this.#left && endsByIdling(this.#left) && !warning.matches(":popover-open")) {
      this.#wasActive = false;
      await fetch(sitePath("/auth/session/stay"), { method: "POST" }).catch(() => null);
    }
    const answer = await fetch(sitePath("/auth/session"), { headers: { Accept: "application/json" } }).catch(() => null);
    if (answer?.status === 401 || (!answer && this.#isOver())) return leavePage();
    /** @type {SessionLeft | null} */
    const left = answer?.ok ? await answer.json() : null;
    this.#left = left;
    if (!left) return this.#checkIn(RETRY_MS);
    this.#deadline = Date.now() + 1000 * secondsLeft(left);
    if (secondsLeft(left) <= this.data.warn_s) this.#warn(left);
    else this.#hide();
    this.#checkIn(1000 * nextCheck_s(left, this.data.warn_s));
  }

  /** @param {SessionLeft} left */
  #warn(left) {
    const { text } = this.data;
    const byIdling = endsByIdling(left);
    this.#find(".again").hidden = byIdling || !left.by_password;
    this.#find("[type=submit]").hidden = !byIdling && !left.by_password;
    this.#find("[type=submit]").textContent = byIdling ? text.stay : text.renew;
    const why = byIdling ? text.idle : left.by_password ? text.old : text.old_elsewhere;
    clearInterval(this.#ticking);
    const tick = () => {
      const rest_s = Math.max(0, Math.round((this.#deadline - Date.now()) / 1000));
      this.#find(".why").textContent = fill(why, { time: clock(rest_s) });
    };
    tick();
    if (!this.#ends.signal.aborted) this.#ticking = window.setInterval(tick, 1000);
    if (Date.now() > this.#hiddenUntil && !this.warning.matches(":popover-open")) this.warning.showPopover();
  }

  #hide() {
    clearInterval(this.#ticking);
    this.#find(".problem").hidden = true;
    if (this.warning.matches(":popover-open")) this.warning.hidePopover();
  }

  async #stay() {
    const { text } = this.data;
    const isRenewing = !this.#find(".again").hidden;
    const body = isRenewing ? new URLSearchParams({ password: this.#password.value }) : undefined;
    const path = isRenewing ? "/auth/session/renew" : "/auth/session/stay";
    const answer = await fetch(sitePath(path), { method: "POST", body }).catch(() => null);
    if (answer?.ok) {
      this.#password.value = "";
      this.#wasActive = false;
      return this.#check();
    }
    const refusal = (await answer?.json().catch(() => null))?.error;
    const why = refusal?.param === "password" ? text.wrong : (refusal?.message ?? "");
    this.#find(".problem").textContent = answer ? why : text.offline;
    this.#find(".problem").hidden = false;
  }
}
