/**
 * One comment with its replies, wherever it is shown.
 *
 * @import { Comment, Reply } from "./api.js"
 * @import { Passages } from "./passages.js"
 * @import { Player } from "./player.js"
 */
import { make } from "../shared/dom.js";
import { fill, instant } from "../shared/format.js";
import { momentButton, quietButton, sureButton } from "./buttons.js";

export class CommentThread {
  /**
   * @param {Player} player
   * @param {Passages} passages
   * @param {(at_s: number) => void} reach
   */
  constructor(player, passages, reach) {
    this.player = player;
    this.passages = passages;
    this.reach = reach;
    this.words = player.text.passages;
  }

  /** @param {Comment} comment */
  element(comment) {
    const { words } = this;
    const said = [comment, ...comment.replies].map((one) => this.#said(one));
    const acts = make("div", { className: "acts" });
    if (this.player.data.may_comment) acts.append(...this.#acts(comment, acts));
    const about = comment.resolved_at ? [make("p", { className: "small muted" }, fill(words.resolved_by, { by: comment.resolved_by ?? "" }))] : [];
    const quote = make("blockquote", {}, comment.quote);
    const head = make("div", { className: "threadhead" }, momentButton(this.player, comment.start_s, this.reach), quote);
    const thread = make("li", { className: "thread" }, head, ...said, ...about, acts);
    thread.dataset.of = `thread-${comment.id}`;
    return thread;
  }

  /**
   * @param {Comment} comment
   * @param {HTMLElement} acts
   */
  #acts(comment, acts) {
    const { passages, words } = this;
    const path = `/comments/${comment.id}`;
    const reply = quietButton(words.reply, () => acts.before(this.#replyForm(comment, reply)));
    const resolved = !comment.resolved_at;
    const resolve = quietButton(resolved ? words.resolve : words.reopen, () => passages.send(`${path}/resolved`, "PUT", { resolved }));
    return [reply, resolve];
  }

  /**
   * @param {Comment} comment
   * @param {HTMLButtonElement} button
   */
  #replyForm(comment, button) {
    button.hidden = true;
    const form = writingForm(this.words.answer, this.words.reply, this.words.cancel, {
      send: (text) => this.passages.send(`/comments/${comment.id}/replies`, "POST", { text }),
      cancel: () => {
        form.remove();
        button.hidden = false;
        button.focus();
        this.passages.redraw();
      },
    });
    return form;
  }

  /** @param {Reply} one */
  #said(one) {
    const { words } = this;
    const when = [one.made_by, instant(one.made_at), one.changed_at && one.text ? words.edited : ""].filter(Boolean).join(" · ");
    const text = make("p", { className: one.text ? "said" : "said muted" }, one.text || words.gone);
    const about = make("div", { className: "about small muted" }, make("span", {}, when));
    const element = make("div", { className: "saying" }, text, about);
    element.dataset.of = one.id;
    if (one.mine) about.append(quietButton(words.change, () => element.replaceWith(this.#changeForm(one, element))));
    if (one.may_remove) about.append(sureButton(words.remove, this.player.text.sure_of_it, () => this.passages.send(`/comments/${one.id}`, "DELETE")));
    return element;
  }

  /**
   * @param {Reply} one
   * @param {HTMLElement} before
   */
  #changeForm(one, before) {
    const form = writingForm(this.words.write, this.words.save, this.words.cancel, {
      send: (text) => this.passages.send(`/comments/${one.id}`, "PUT", { text }),
      cancel: () => {
        form.replaceWith(before);
        before.querySelector("button")?.focus();
        this.passages.redraw();
      },
      text: one.text,
    });
    return form;
  }
}

/**
 * A form to write in; Ctrl+Enter sends it.
 *
 * @param {string} label
 * @param {string} send
 * @param {string} cancel
 * @param {{ send: (text: string) => Promise<unknown>, cancel: () => void, text?: string }} acts
 */
export function writingForm(label, send, cancel, acts) {
  const area = make("textarea", { rows: 3, value: acts.text ?? "", placeholder: label, ariaLabel: label, maxLength: 10_000 });
  const submit = make("button", { type: "submit", className: "button small primary" }, send);
  const form = make("form", { className: "noting writing" }, area, submit, quietButton(cancel, acts.cancel));
  form.onsubmit = async (event) => {
    event.preventDefault();
    if (!area.value.trim()) return area.focus();
    submit.disabled = true;
    const text = area.value;
    area.dataset.sent = "1";
    if (await acts.send(text)) return;
    submit.disabled = false;
    delete area.dataset.sent;
  };
  form.onkeydown = (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "Enter") form.requestSubmit();
    if (event.key === "Escape" && !area.value.trim()) {
      event.preventDefault();
      event.stopPropagation();
      acts.cancel();
    }
  };
  queueMicrotask(() => area.focus()); // once it is on the page, before the next key
  return form;
}

/**
 * Whether somebody writes, or is about to, in one of these forms, which are then left alone.
 *
 * @param {Element} root
 */
export function isWriting(root) {
  return [...root.querySelectorAll("textarea")].some((area) => !area.dataset.sent && (area.value.trim() || area.matches(":focus")));
}
