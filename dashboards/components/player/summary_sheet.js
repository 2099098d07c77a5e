/**
 * The summary of a recording with its chapters, and what making one would send where. Nothing is sent without a click.
 *
 * @import { StoredSummary, SummaryOffer } from "../contracts.js"
 * @import { SummaryState } from "./api.js"
 * @import { Player } from "./player.js"
 */
import { make, messageOf } from "../shared/dom.js";
import { fill, instant, locale } from "../shared/format.js";
import { redraw } from "../shared/redraw.js";
import { momentButton } from "./buttons.js";

const AGAIN_MS = 2000;

export class SummarySheet {
  #timer = 0;

  /** @param {Player} player */
  constructor(player) {
    this.player = player;
    this.words = player.text.summary;
    this.place = player.find(".sheet[data-sheet=summary]");
    player.ends.signal.addEventListener("abort", () => clearTimeout(this.#timer));
  }

  refresh() {
    if (this.player.sheet === "summary") this.show();
  }

  async show() {
    clearTimeout(this.#timer);
    try {
      this.#draw(await this.player.ask("/summary"));
    } catch (error) {
      if (!this.player.ends.signal.aborted) this.place.replaceChildren(make("p", { className: "empty muted" }, messageOf(error)));
    }
  }

  /** @param {SummaryState} state */
  #draw({ summary, running, problem, offer }) {
    const { words } = this;
    /** @type {HTMLElement[]} */
    const parts = [];
    if (running) {
      const said = fill(running.part < running.parts ? words.running : words.joining, { part: running.part + 1, parts: running.parts });
      parts.push(make("p", { className: "notice info", role: "status" }, make("span", {}, said)));
      this.#timer = window.setTimeout(() => this.refresh(), AGAIN_MS);
    }
    if (problem) parts.push(make("p", { className: "notice warn", role: "alert" }, make("span", {}, `${problem}.`)));
    if (summary) parts.push(...this.#summary(summary));
    else if (!running && !problem && !offer) parts.push(make("p", { className: "empty muted" }, words.none));
    if (offer && !running) parts.push(this.#offer(offer, Boolean(summary)));
    redraw(this.place, ...parts);
  }

  /** @param {StoredSummary} summary */
  #summary(summary) {
    const { player, words } = this;
    const { version } = summary;
    const current = player.script.version;
    const about = fill(words.about, { version, model: summary.model, host: summary.host, by: summary.made_by, when: instant(summary.made_at) });
    const old = version === current ? [] : [make("p", { className: "small" }, fill(words.outdated, { version, current }))];
    const text = summary.text.split(/\n+/).map((one) => make("p", {}, one));
    const reach = (/** @type {number} */ at_s) => {
      player.open("script");
      player.script.reach(at_s);
    };
    const rows = summary.chapters.map((one) => make("li", { className: "row" }, momentButton(player, one.start_s, reach), make("span", {}, one.title)));
    const chapters = rows.length ? [make("h2", {}, words.chapters), make("ol", { className: "rows" }, ...rows)] : [];
    const links = /** @type {const} */ (["md", "vtt", "json"]).flatMap((format) => [
      make("a", { href: `${player.data.api}/summary/export?format=${format}`, download: "" }, words.formats[format]),
      " ",
    ]);
    const foot = make("p", { className: "small muted" }, `${words.written_by} ${about}`);
    return [...old, make("div", { className: "summary" }, ...text), ...chapters, foot, make("p", { className: "small saves" }, `${words.save_as} `, ...links)];
  }

  /**
   * @param {SummaryOffer} offer
   * @param {boolean} again
   */
  #offer(offer, again) {
    const { words } = this;
    const parts = offer.parts === 1 ? words.requests_one : fill(words.requests_all, { all: offer.parts });
    const button = make("button", { type: "button", className: "button primary" }, again ? words.send_again : words.send);
    button.onclick = async () => {
      button.disabled = true;
      try {
        this.#draw(await this.player.ask("/summary", { method: "POST", body: { version: offer.version } }));
      } catch (error) {
        button.disabled = false;
        this.player.notice(messageOf(error), [[this.player.text.close, () => this.player.notice(null)]], "warn");
      }
    };
    const lines = [
      fill(words.what, { version: offer.version, chars: offer.chars.toLocaleString(locale()), parts }),
      fill(words.where, { url: offer.url }),
      fill(words.not_sent, { host: offer.host }),
    ];
    const title = make("h2", {}, fill(words.offer, { model: offer.model }));
    return make("section", { className: "offer" }, title, ...lines.map((line) => make("p", { className: "small" }, line)), button);
  }
}
