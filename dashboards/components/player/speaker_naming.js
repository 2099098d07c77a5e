/**
 * Naming who speaks in a line, by its form or by a number key.
 *
 * @import { Editor } from "./editor.js"
 * @import { Line } from "./line.js"
 * @import { Segment } from "./segments.js"
 */
import { make } from "../shared/dom.js";
import { lineOf } from "./line.js";
import { changedCopy, speakersOf, unchangedIfSame } from "./segments.js";
import { speakerForm } from "./speaker_form.js";

export class SpeakerNaming {
  /** @param {Editor} editor */
  constructor(editor) {
    this.editor = editor;
    this.script = editor.script;
    this.text = editor.player.text;
  }

  /** @param {Line} line */
  ask(line) {
    const { form, input } = speakerForm(line.segment, this.script.segments, this.text, {
      name: (name, every) => this.#name(line, name, every),
      leave: () => this.script.list.draw(line),
    });
    line.body.querySelector("button.speaker")?.replaceWith(form);
    input.focus();
    input.select();
  }

  /**
   * @param {Line} line
   * @param {string} name
   * @param {boolean} every - all segments of the same speaker, or this one
   */
  #name(line, name, every) {
    const { base, segments } = this.script;
    const { segment } = line;
    const wanted = (/** @type {Segment} */ one) => one.speaker !== name && (one === segment || (every && one.speaker === segment.speaker));
    const named = segments.map((one) => (wanted(one) ? unchangedIfSame({ ...changedCopy(one), speaker: name }, base) : one));
    this.script.list.draw(line);
    if (named.some((one, at) => one !== segments[at])) this.editor.change(named);
  }

  /**
   * Name the speaker of the line that is typed in, or else of the one being said, by a number key (with Alt where it
   * would be typed); tell whether it was one.
   *
   * @param {KeyboardEvent} event
   * @param {Element | null} writing - what is typed in, if anything
   */
  key(event, writing) {
    const number = /^Digit([1-9])$/.exec(event.code)?.[1];
    const words = writing?.closest(".words") ?? null;
    const { altKey, ctrlKey, metaKey, shiftKey } = event;
    if (!this.editor.on || !number || ctrlKey || metaKey || shiftKey || altKey !== Boolean(words) || writing !== words) return false;
    const line = words ? lineOf(words) : this.script.lines[this.script.line];
    const name = speakersOf(this.script.segments)[Number(number) - 1];
    event.preventDefault();
    if (line && name) this.#name(line, name, false);
    return true;
  }

  /** The number keys and whom they name. */
  legend() {
    const names = this.editor.on ? speakersOf(this.script.segments).slice(0, 9) : [];
    const parts = names.map((name, at) => make("span", {}, make("kbd", {}, String(at + 1)), ` ${name}`));
    return parts.length ? [make("span", { className: "small who", title: this.text.speaker_keys }, ...parts)] : [];
  }
}
