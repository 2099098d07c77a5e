/**
 * The list of keys, where those for listening can be changed.
 *
 * @import { ListeningAct } from "./listening_keys.js"
 * @import { Player } from "./player.js"
 */
import { find, make } from "../shared/dom.js";
import { ACTS, chordOf, mayListen } from "./listening_keys.js";

export class ShortcutsDialog {
  /** @type {ListeningAct | null} whose new key is waited for */
  #asked = null;
  #problem = "";

  /** @param {Player} player */
  constructor(player) {
    this.player = player;
    this.dialog = find(player.root, ".shortcuts", HTMLDialogElement);
    player.on(this.dialog, "click", (event) => event.target === this.dialog && this.dialog.close());
    player.on(this.dialog, "keydown", (event) => this.#pressed(/** @type {KeyboardEvent} */ (event)));
    player.on(this.dialog, "close", () => this.#ask(null));
    this.#draw();
  }

  get open() {
    return this.dialog.open;
  }

  show() {
    this.#ask(null);
    this.dialog.showModal();
  }

  #draw() {
    const { text } = this.player;
    const listening = make("dl", {}, ...ACTS.flatMap((act) => this.#row(act)));
    const list = make("dl");
    for (const [keys, words] of text.shortcuts) {
      list.append(make("dt", {}, ...keys.flatMap((key) => [make("kbd", {}, key), " "])), make("dd", {}, words));
    }
    const reset = make("button", { type: "button", className: "button quiet small", onclick: () => this.#reset() }, text.listening.reset);
    const end = make("form", { method: "dialog" }, make("button", { className: "button" }, text.close), reset);
    const lead = make("p", { className: "small muted" }, text.listening.lead);
    const problem = make("p", { className: "small problem", role: "alert" }, this.#problem);
    this.dialog.replaceChildren(make("h2", {}, text.keys), lead, listening, problem, list, end);
  }

  /** @param {ListeningAct} act */
  #row(act) {
    const { listening, text } = this.player;
    const waits = this.#asked === act;
    const words = waits ? text.listening.press : listening.keys.chosen[act].replaceAll("+", " ");
    const button = make("button", { type: "button", className: `key${waits ? " waits" : ""}`, onclick: () => this.#ask(act) }, words);
    button.ariaLabel = `${text.listening.acts[act]}: ${words}`;
    return [make("dt", {}, button), make("dd", {}, text.listening.acts[act])];
  }

  /**
   * @param {ListeningAct | null} act
   * @param {string} [problem]
   */
  #ask(act, problem = "") {
    this.#asked = act;
    this.#problem = problem;
    this.#draw();
    if (act) this.dialog.querySelectorAll("button")[ACTS.indexOf(act)].focus();
  }

  #reset() {
    this.player.listening.keys.reset();
    this.#ask(null);
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    const act = this.#asked;
    if (!act || event.key === "Tab") return;
    const chord = chordOf(event);
    event.preventDefault();
    event.stopPropagation();
    if (!chord) return;
    if (event.key === "Escape") this.#ask(null);
    else if (!mayListen(chord)) this.#ask(act, this.player.text.listening.not_free);
    else {
      this.player.listening.keys.choose(act, chord);
      this.#ask(null);
    }
    this.dialog.querySelectorAll("button")[ACTS.indexOf(act)].focus();
  }
}
