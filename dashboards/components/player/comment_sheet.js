/**
 * The sheet that lists comments and highlights, each leading to its place.
 *
 * @import { HighlightedPassage } from "./api.js"
 * @import { Passages } from "./passages.js"
 * @import { Player } from "./player.js"
 */
import { make, messageOf } from "../shared/dom.js";
import { fill, instant } from "../shared/format.js";
import { redraw } from "../shared/redraw.js";
import { momentButton, sureButton } from "./buttons.js";
import { CommentThread, isWriting } from "./comment_thread.js";
import { COLOURS } from "./passage.js";

export class CommentSheet {
  /**
   * @param {Player} player
   * @param {Passages} passages
   */
  constructor(player, passages) {
    this.player = player;
    this.passages = passages;
    this.place = player.find(".sheet[data-sheet=comments]");
    this.reach = (/** @type {number} */ at_s) => {
      player.open("script");
      player.script.reach(at_s);
    };
    this.thread = new CommentThread(player, passages, this.reach);
  }

  async show() {
    const { passages, player } = this;
    this.#draw();
    if (passages.comments.length || passages.highlights.length || !player.data.passages) return;
    try {
      [passages.comments, passages.highlights] = await Promise.all([player.ask("/comments"), player.ask("/highlights")]);
      this.#draw();
    } catch (error) {
      this.place.replaceChildren(make("p", { className: "empty muted" }, messageOf(error)));
    }
  }

  /** Something has changed: draw anew, unless somebody writes here. */
  refresh() {
    if (this.player.sheet === "comments" && !isWriting(this.place)) this.#draw();
  }

  #draw() {
    const { passages } = this;
    const words = this.player.text.passages;
    const resolved = passages.comments.filter((one) => one.resolved_at);
    const list = (/** @type {typeof resolved} */ some) => make("ol", { className: "threads" }, ...some.map((one) => this.thread.element(one)));
    /** @type {HTMLElement[]} */
    const parts = [passages.openComments.length ? list(passages.openComments) : this.#empty(words.none)];
    if (resolved.length) {
      const summary = make("summary", {}, fill(words.resolved, { all: resolved.length }));
      const details = make("details", { className: "more" }, summary, list(resolved));
      details.dataset.of = "resolved";
      parts.push(details);
    }
    if (this.player.data.may_comment) {
      const button = make("button", { type: "button", className: "button small", onclick: () => passages.comment() }, words.comment_line);
      parts.push(make("p", {}, button));
    }
    parts.push(make("h2", {}, words.highlights), ...this.#highlights());
    redraw(this.place, ...parts);
  }

  /** @param {string} words */
  #empty(words) {
    return make("p", { className: "empty muted" }, this.player.data.may_comment ? words : this.player.text.passages.nothing);
  }

  #highlights() {
    const { player } = this;
    const words = player.text.passages;
    const found = this.passages.highlights;
    if (!found.length) return player.data.may_comment ? [make("p", { className: "empty muted" }, words.no_highlights)] : [];
    const links = /** @type {const} */ (["md", "txt"]).flatMap((format) => [
      make("a", { href: `${player.data.api}/highlights/export?format=${format}`, download: "" }, words.formats[format]),
      " ",
    ]);
    const rows = found.map((one) => this.#highlight(one));
    return [make("ol", { className: "rows" }, ...rows), make("p", { className: "small saves" }, `${words.save_as} `, ...links)];
  }

  /** @param {HighlightedPassage} one */
  #highlight(one) {
    const { passages, player } = this;
    const words = player.text.passages;
    const name = make("span", { className: "small muted" }, `${words.colours[one.colour]} · ${one.made_by} · ${instant(one.made_at)}`);
    const quote = make("span", {}, make("span", { className: "said" }, make("mark", { className: one.colour }, one.quote)), name);
    const row = make("li", { className: "row" }, momentButton(player, one.start_s, this.reach), quote);
    row.dataset.of = one.id;
    if (!one.may_change) return row;
    const path = `/highlights/${one.id}`;
    const options = COLOURS.map((colour) => make("option", { value: colour, selected: colour === one.colour }, words.colours[colour]));
    const choice = make("select", { className: "small", ariaLabel: words.colour }, ...options);
    choice.onchange = () => {
      passages.send(path, "PUT", { colour: choice.value });
    };
    row.append(make("span", { className: "acts" }, choice, sureButton(words.remove, player.text.sure_of_it, () => passages.send(path, "DELETE"))));
    return row;
  }
}
