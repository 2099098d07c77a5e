/**
 * Find and replace in the transcript. Matches are painted by the browser's highlights, which change no element.
 *
 * @import { Match } from "./matches.js"
 * @import { Player } from "./player.js"
 */
import { find, make, messageOf } from "../shared/dom.js";
import { fill } from "../shared/format.js";
import { rangeOf } from "./line.js";
import { TooSlow, matchesIn, patternFor, replacedTexts } from "./matches.js";
import { withText } from "./segments.js";

export class FindReplace {
  /** @param {Player} player */
  constructor(player) {
    this.player = player;
    this.form = player.find(".seeker");
    this.what = find(this.form, ".what", HTMLInputElement);
    this.with = find(this.form, ".with", HTMLInputElement);
    this.swap = find(this.form, ".swap");
    this.count = find(this.form, ".count");
    this.options = { letters: false, whole: false, pattern: false };
    /** @type {Match[]} */
    this.matches = [];
    this.at = -1;
    this.buttons = this.#draw();
    this.#wire();
  }

  #draw() {
    const { text } = this.player;
    for (const [input, words] of /** @type {const} */ ([[this.what, text.find], [this.with, text.replace]])) {
      input.placeholder = words;
      input.ariaLabel = words;
    }
    const toggles = /** @type {const} */ (["letters", "whole", "pattern"]).map((name) => this.#toggle(name));
    const act = (/** @type {keyof typeof text.find_acts} */ name, /** @type {() => void} */ work) =>
      make("button", { type: "button", className: `button small ${name}`, onclick: work }, text.find_acts[name]);
    const buttons = { one: act("one", () => this.replace(false)), all: act("all", () => this.replace(true)) };
    find(this.form, ".opts").replaceChildren(...toggles, act("before", () => this.go(-1)), act("next", () => this.go(1)));
    find(this.form, ".acts").replaceChildren(buttons.one, buttons.all, act("close", () => this.close()));
    return buttons;
  }

  /** @param {"letters" | "whole" | "pattern"} name */
  #toggle(name) {
    const [sign, words] = this.player.text.find_options[name];
    const button = make("button", { type: "button", className: "button small sign", ariaPressed: "false" }, sign);
    this.player.name(button, words);
    button.onclick = () => {
      this.options[name] = !this.options[name];
      button.ariaPressed = String(this.options[name]);
      this.refresh();
    };
    return button;
  }

  #wire() {
    const { player } = this;
    player.ends.signal.addEventListener("abort", () => this.#paint([]));
    player.on(this.what, "input", () => this.refresh());
    player.on(this.form, "submit", (event) => event.preventDefault());
    player.on(this.form, "keydown", (event) => {
      const { key, shiftKey, target } = /** @type {KeyboardEvent} */ (event);
      if (key === "Escape") this.close();
      if (key === "Enter" && target === this.what) this.go(shiftKey ? -1 : 1);
      if (key === "Enter" && target === this.with) this.replace(false);
    });
  }

  open() {
    this.player.open("script");
    this.form.hidden = false;
    const writes = Boolean(this.player.editor);
    for (const part of [this.buttons.one, this.buttons.all, this.swap]) part.hidden = !writes;
    this.what.focus();
    this.what.select();
    this.refresh();
  }

  close() {
    this.form.hidden = true;
    this.#paint([]);
    this.player.script.panel.focus({ preventScroll: true });
  }

  refresh() {
    if (this.form.hidden) return;
    this.matches = [];
    let problem = "";
    try {
      const pattern = patternFor(this.what.value, this.options);
      if (pattern) this.matches = matchesIn(this.player.script.segments, pattern);
    } catch (error) {
      problem = this.#explained(error);
    }
    this.at = Math.min(this.at, this.matches.length - 1);
    this.#tell(problem);
    this.paint();
  }

  /** @param {unknown} error */
  #explained(error) {
    if (error instanceof TooSlow) return this.player.text.endless;
    return error instanceof SyntaxError ? this.player.text.no_pattern : messageOf(error);
  }

  #tell(problem = "") {
    const { text } = this.player;
    const all = this.matches.length;
    const words = this.at < 0 ? fill(text.found, { all }) : fill(text.found_at, { at: this.at + 1, all });
    this.count.textContent = problem || (this.what.value ? words : "");
    this.form.classList.toggle("wrong", Boolean(problem) || (Boolean(this.what.value) && !all));
    this.buttons.one.disabled = this.buttons.all.disabled = !all;
  }

  /**
   * Go to the next match, or the one before.
   *
   * @param {1 | -1} by
   */
  go(by) {
    if (!this.matches.length) return;
    const now = this.player.now_s;
    if (this.at < 0) this.at = Math.max(0, this.matches.findIndex(({ segment }) => segment.end >= now));
    else this.at = (this.at + by + this.matches.length) % this.matches.length;
    const { segment, place, start } = this.matches[this.at];
    let before = 0;
    const word = segment.words.find((one) => (before += one.text.trim().length + 1) > start);
    this.player.script.reach((word ?? segment).start, place);
    this.#tell();
    this.paint();
  }

  /** @param {boolean} every - all matches, or the one that is looked at */
  replace(every) {
    const { editor, script, text } = this.player;
    const pattern = patternFor(this.what.value, this.options);
    if (!editor || !pattern || !this.matches.length) return;
    if (this.at < 0 && !every) return this.go(1);
    const chosen = every ? this.matches : [this.matches[this.at]];
    const texts = replacedTexts(chosen, pattern, this.with.value, this.options);
    editor.start();
    editor.change(
      script.segments.map((segment) => {
        const changed = texts.get(segment);
        return changed === undefined ? segment : withText(segment, changed, script.base);
      }),
    );
    if (every) {
      const undo = /** @type {const} */ ([text.undo, () => editor.undo()]);
      const said = fill(chosen.length === 1 ? text.replaced_one : text.replaced, { all: chosen.length });
      this.player.notice(said, [undo, [text.close, () => this.player.notice(null)]]);
    }
    this.refresh();
    if (!every && this.matches.length) {
      this.at = Math.min(this.at, this.matches.length - 1) - 1;
      this.go(1);
    }
  }

  /** Paint the matches near the view; the others once they are. */
  paint() {
    if (!this.form.hidden) this.#paint(this.matches);
  }

  /** @param {Match[]} matches */
  #paint(matches) {
    if (!CSS.highlights) return;
    const { list } = this.player.script;
    const here = matches[this.at];
    const painted = (/** @type {Match[]} */ some) =>
      new Highlight(...some.map((one) => rangeOf(list.lines[one.place], one.start, one.end)).filter((range) => range !== null));
    CSS.highlights.set("wt-found", painted(matches.filter((one) => list.isNear(list.lines[one.place]))));
    CSS.highlights.set("wt-here", painted(here ? [here] : []));
  }
}
