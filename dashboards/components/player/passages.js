/**
 * Comments on passages and highlights: fetched when there are any, shown in the transcript, beside it and in a sheet,
 * and live to everybody who has the page open.
 *
 * @import { Comment, HighlightedPassage } from "./api.js"
 * @import { Passage } from "./passage.js"
 * @import { Player } from "./player.js"
 * @import { Sheet } from "./sheet_tabs.js"
 */
import { messageOf } from "../shared/dom.js";
import { CommentDialog } from "./comment_dialog.js";
import { CommentSheet } from "./comment_sheet.js";
import { COLOURS, passageOf, withTimes } from "./passage.js";
import { PassageMarks } from "./passage_marks.js";
import { PassageSelection } from "./passage_selection.js";
import { SummarySheet } from "./summary_sheet.js";

const COLOUR = "wt-highlight";

export class Passages {
  /** @type {Comment[]} */
  comments = [];
  /** @type {HighlightedPassage[]} */
  highlights = [];
  #seen = "";
  #drawnFor = false;

  /** @param {Player} player */
  constructor(player) {
    this.player = player;
    this.selection = new PassageSelection(player, this);
    this.dialog = new CommentDialog(player, this);
    this.sheet = new CommentSheet(player, this);
    this.summary = new SummarySheet(player);
    this.marks = new PassageMarks(player, (comments) => this.dialog.open(comments));
    this.load();
  }

  get #isOn() {
    return this.player.data.sheets.includes("comments");
  }

  /** Fetch what there is, and show it; where nobody has said anything, nothing is asked. */
  async load() {
    const { player } = this;
    this.summary.refresh();
    if (this.#drawnFor !== player.data.may_comment) this.selection.draw();
    this.#drawnFor = player.data.may_comment;
    if (!this.#isOn || !(player.data.passages || this.comments.length || this.highlights.length)) return;
    try {
      [this.comments, this.highlights] = await Promise.all([player.ask("/comments"), player.ask("/highlights")]);
    } catch {
      return; // the sheet says so when it is opened
    }
    this.#changed();
    this.#tellSeen();
  }

  #changed() {
    this.player.tabs.badge("comments", this.openComments.length);
    this.paint();
    this.redraw();
  }

  /** Show in sheet and dialog what there is now, unless somebody writes there. */
  redraw() {
    this.sheet.refresh();
    this.dialog.refresh();
  }

  /** The owner has this page before the eyes: the notices of these comments are over. */
  #tellSeen() {
    const others = this.comments.flatMap((one) => [one, ...one.replies]).filter((one) => !one.mine);
    const ids = others.map((one) => one.id).join();
    if (!this.player.data.owns || !ids || ids === this.#seen || document.hidden) return;
    this.#seen = ids;
    this.player.ask("/comments/seen", { method: "POST" }).catch(() => (this.#seen = ""));
  }

  get openComments() {
    return this.comments.filter((one) => !one.resolved_at);
  }

  paint() {
    this.marks?.paint(this.openComments, this.highlights);
  }

  /** @param {Sheet} sheet */
  show(sheet) {
    if (sheet !== "script") this.selection.bar.hidden = true;
    if (sheet === "comments") this.sheet.show();
    if (sheet === "summary") this.summary.show();
  }

  /**
   * Do what a key asks for; tell whether it was one of these.
   *
   * @param {KeyboardEvent} event
   */
  pressed(event) {
    const { key } = event;
    /** @type {Record<string, () => void>} */
    const acts = { t: () => this.copy() };
    if (this.#isOn && this.player.data.may_comment) {
      acts.c = () => this.comment();
      acts.h = () => this.highlight(COLOURS.find((colour) => colour === localStorage.getItem(COLOUR)) ?? COLOURS[0]);
    }
    if (!Object.hasOwn(acts, key)) return false;
    event.preventDefault(); // or the letter would be the first of the comment
    acts[key]();
    return true;
  }

  /** Ask for a comment on what is chosen. */
  comment() {
    const passage = passageOf(this.selection.chosen());
    if (passage) this.dialog.write(passage);
  }

  /** @param {(typeof COLOURS)[number]} colour */
  async highlight(colour) {
    const passage = passageOf(this.selection.chosen());
    if (!passage) return;
    localStorage.setItem(COLOUR, colour);
    this.selection.clear();
    const same = this.highlights.find((one) => one.may_change && one.start_s === passage.start_s && one.end_s === passage.end_s);
    if (same) await this.send(`/highlights/${same.id}`, "PUT", { colour });
    else await this.send("/highlights", "POST", { ...passage, colour });
  }

  copy() {
    this.#put(withTimes(this.selection.chosen()));
  }

  copyLink() {
    const url = new URL(location.href);
    url.searchParams.set("t", String(passageOf(this.selection.chosen())?.start_s ?? 0));
    this.#put(url.href);
  }

  /** @param {string} words */
  async #put(words) {
    if (!words) return;
    const { player } = this;
    const done = await navigator.clipboard?.writeText(words).then(() => true, () => false);
    const said = player.text.passages;
    const close = /** @type {const} */ ([player.text.close, () => player.notice(null)]);
    player.notice(done ? said.copied : said.not_copied, [close], done ? "good" : "warn");
  }

  /**
   * Send a change, and show what there is then; tell whether it was taken.
   *
   * @param {string} path
   * @param {"POST" | "PUT" | "DELETE"} method
   * @param {unknown} [body]
   */
  async send(path, method, body) {
    const { player } = this;
    try {
      await player.ask(path, { method, body });
      [this.comments, this.highlights] = await Promise.all([player.ask("/comments"), player.ask("/highlights")]);
    } catch (error) {
      player.notice(messageOf(error), [[player.text.close, () => player.notice(null)]], "warn");
      return false;
    }
    this.#changed();
    return true;
  }

  /**
   * @param {Passage} passage
   * @param {string} text
   */
  add(passage, text) {
    return this.send("/comments", "POST", { ...passage, text });
  }
}
