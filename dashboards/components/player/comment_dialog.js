/**
 * The dialog over the transcript: a new comment, or those at one line.
 *
 * @import { Comment } from "./api.js"
 * @import { Passage } from "./passage.js"
 * @import { Passages } from "./passages.js"
 * @import { Player } from "./player.js"
 */
import { find, make } from "../shared/dom.js";
import { clock, fill } from "../shared/format.js";
import { redraw } from "../shared/redraw.js";
import { quietButton } from "./buttons.js";
import { CommentThread, isWriting, writingForm } from "./comment_thread.js";

export class CommentDialog {
  /** @type {string[]} the comments that are shown */
  #shown = [];

  /**
   * @param {Player} player
   * @param {Passages} passages
   */
  constructor(player, passages) {
    this.player = player;
    this.passages = passages;
    this.dialog = find(player.root, ".commenting", HTMLDialogElement);
    this.thread = new CommentThread(player, passages, (at_s) => {
      this.dialog.close();
      player.script.reach(at_s);
    });
    player.on(this.dialog, "click", (event) => event.target === this.dialog && !isWriting(this.dialog) && this.dialog.close());
  }

  /** @param {Passage} passage */
  write(passage) {
    const words = this.player.text.passages;
    const form = writingForm(words.write, words.send, words.cancel, {
      send: async (text) => {
        if (!(await this.passages.add(passage, text))) return false;
        this.dialog.close();
        this.passages.selection.clear();
        return true;
      },
      cancel: () => this.dialog.close(),
    });
    this.#shown = [];
    this.#show(words.new, make("p", { className: "small muted number" }, clock(passage.start_s)), make("blockquote", {}, passage.quote), form);
  }

  /** @param {Comment[]} comments */
  open(comments) {
    this.#shown = comments.map((one) => one.id);
    this.#draw(comments);
  }

  /** Something has changed: draw anew what is open, unless somebody writes. */
  refresh() {
    if (!this.dialog.open || !this.#shown.length || isWriting(this.dialog)) return;
    const there = this.passages.openComments.filter((one) => this.#shown.includes(one.id));
    if (there.length) this.#draw(there);
    else this.dialog.close();
  }

  /** @param {Comment[]} comments */
  #draw(comments) {
    const { text } = this.player;
    const title = fill(text.passages.at, { time: clock(comments[0].start_s) });
    const list = make("ol", { className: "threads" }, ...comments.map((one) => this.thread.element(one)));
    this.#show(title, list, quietButton(text.close, () => this.dialog.close()));
  }

  /**
   * @param {string} title
   * @param {...HTMLElement} parts
   */
  #show(title, ...parts) {
    const heading = make("h2", { id: "wt-commenting" }, title);
    this.dialog.setAttribute("aria-labelledby", heading.id);
    redraw(this.dialog, heading, ...parts);
    if (!this.dialog.open) this.dialog.showModal();
  }
}
