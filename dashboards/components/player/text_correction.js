/**
 * A corrected text in the place of the transcript: pasted or dropped here, timed by a worker, followed until its end.
 *
 * @import { Alignment } from "../contracts.js"
 * @import { Player } from "./player.js"
 */
import { make, messageOf } from "../shared/dom.js";
import { fill } from "../shared/format.js";
import { spokenText } from "./caption_text.js";
import { textOfFile } from "./text_file.js";

const LOOK_MS = 1000;
const ACTIVE = ["queued", "running"];

export class TextCorrection {
  #timer = 0;

  /** @param {Player} player */
  constructor(player) {
    this.player = player;
    const { correct, close } = player.text;
    this.area = make("textarea", { rows: 12, ariaLabel: correct.text, placeholder: correct.text });
    this.choice = make("input", { type: "file", accept: ".txt,.srt,.vtt,.sbv,.json,.docx,text/plain", hidden: true });
    this.progress = make("p", { className: "small progress", role: "status" });
    this.send = make("button", { type: "submit", className: "button primary" }, correct.send);
    this.cancel = make("button", { type: "button", className: "button", hidden: true }, correct.cancel);
    const choose = make("button", { type: "button", className: "button", onclick: () => this.choice.click() }, correct.choose);
    const end = make("button", { type: "button", className: "button quiet", onclick: () => this.dialog.close() }, close);
    const acts = make("div", { className: "acts" }, this.send, choose, this.cancel, make("span", { className: "gap" }), end);
    const lead = make("p", { className: "small muted" }, correct.lead);
    const form = make("form", {}, make("h2", {}, correct.open), lead, this.area, this.choice, this.progress, acts);
    this.dialog = make("dialog", { className: "correcting", ariaLabel: correct.open }, form);
    player.root.append(this.dialog);
    player.on(form, "submit", (event) => {
      event.preventDefault();
      this.#start();
    });
    player.on(this.cancel, "click", () => this.#stop());
    player.on(this.choice, "change", () => this.#read(this.choice.files?.[0]));
    player.on(this.dialog, "click", (event) => event.target === this.dialog && this.dialog.close());
    player.on(player.root, "dragover", (event) => this.#drag(/** @type {DragEvent} */ (event)));
    player.on(player.root, "drop", (event) => this.#drop(/** @type {DragEvent} */ (event)));
    player.ends.signal.addEventListener("abort", () => clearTimeout(this.#timer));
  }

  open() {
    const { player } = this;
    if (player.editor?.dirty) {
      return player.notice(player.text.save_first, [[player.text.close, () => player.notice(null)]], "warn");
    }
    this.#say("");
    this.dialog.showModal();
    this.area.focus();
    this.#look({ quiet: true });
  }

  /** @param {DragEvent} event */
  #drag(event) {
    if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
  }

  /** @param {DragEvent} event */
  #drop(event) {
    const file = event.dataTransfer?.files[0];
    if (!file) return;
    event.preventDefault();
    if (!this.dialog.open) this.open();
    if (this.dialog.open) this.#read(file);
  }

  /** @param {File | undefined} file */
  async #read(file) {
    if (!file) return;
    const text = await textOfFile(file, this.player.data.language);
    this.choice.value = "";
    const { unreadable, empty } = this.player.text.correct;
    if (!text?.trim()) return this.#say(fill(text === null ? unreadable : empty, { name: file.name }), true);
    this.area.value = text;
    this.#say("");
    this.area.focus();
  }

  /**
   * @param {string} words
   * @param {boolean} [wrong]
   */
  #say(words, wrong = false) {
    this.progress.textContent = words;
    this.progress.classList.toggle("problem", wrong);
  }

  async #start() {
    const { player } = this;
    this.area.value = spokenText(this.area.value);
    if (!this.area.value.trim()) {
      this.#say(player.text.correct.missing, true);
      return this.area.focus();
    }
    this.send.disabled = true;
    try {
      const body = { version: player.script.version, text: this.area.value };
      this.#show(await player.ask("/alignment", { method: "POST", body }));
    } catch (error) {
      this.send.disabled = false;
      this.#say(messageOf(error), true);
    }
  }

  async #stop() {
    try {
      this.#show(await this.player.ask("/alignment", { method: "DELETE" }));
    } catch (error) {
      this.#say(messageOf(error), true);
    }
  }

  /**
   * Ask how far it is; `quiet` leaves what ended before unsaid.
   *
   * @param {{ quiet?: boolean }} [how]
   */
  async #look({ quiet = false } = {}) {
    try {
      /** @type {Alignment | null} */
      const found = await this.player.ask("/alignment");
      if (found && (!quiet || ACTIVE.includes(found.state))) this.#show(found);
    } catch {
      if (!quiet) this.#again();
    }
  }

  #again() {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.#look(), LOOK_MS);
  }

  /** @param {Alignment} found */
  #show(found) {
    const { correct } = this.player.text;
    const isActive = ACTIVE.includes(found.state);
    this.send.disabled = isActive;
    this.cancel.hidden = !isActive;
    if (!isActive) return this.#end(found);
    const percent = Math.floor(found.progress * 100);
    this.#say(found.state === "running" ? fill(correct.running, { percent }) : correct.waiting);
    this.#again();
  }

  /** @param {Alignment} found */
  async #end(found) {
    const { player } = this;
    const { correct, close } = player.text;
    clearTimeout(this.#timer);
    if (found.state === "done") {
      this.dialog.close();
      this.area.value = "";
      if (player.script.version < (found.version ?? 0)) await player.script.load();
      const words = fill(correct.done, { version: found.version ?? 0, detail: found.detail });
      return player.notice(words, [[close, () => player.notice(null)]], "good");
    }
    const words = found.state === "cancelled" ? correct.cancelled : fill(correct.ended, { detail: found.detail });
    if (this.dialog.open) this.#say(words, found.state !== "cancelled");
    else player.notice(words, [[close, () => player.notice(null)]], "warn");
  }
}
