/**
 * The form in a line that names who speaks.
 *
 * @import { PlayerText } from "../contracts.js"
 * @import { Segment } from "./segments.js"
 */
import { make } from "../shared/dom.js";
import { fill } from "../shared/format.js";
import { speakersOf } from "./segments.js";

/**
 * @param {Segment} segment - whose speaker is named
 * @param {Segment[]} segments - all of the transcript's
 * @param {PlayerText} text
 * @param {{ name: (name: string, every: boolean) => void, leave: () => void }} on - `every`: all segments of the same
 *   speaker
 */
export function speakerForm({ speaker }, segments, text, on) {
  const same = segments.filter((one) => one.speaker === speaker).length;
  const known = make("datalist", { id: "wt-speakers" }, ...speakersOf(segments).map((value) => make("option", { value })));
  const input = make("input", { type: "text", value: speaker, maxLength: 100, placeholder: text.speaker, ariaLabel: text.speaker });
  input.setAttribute("list", "wt-speakers");
  const name = (/** @type {boolean} */ every) => on.name(input.value.trim(), every);
  const one = make("button", { type: "submit", className: "button small" }, text.name_one);
  const rename = fill(speaker ? text.name_all : text.name_unnamed, { all: same });
  const all = make("button", { type: "button", className: "button small", onclick: () => name(true) }, rename);
  const form = make("form", { className: "naming" }, input, known, one, all);
  form.onsubmit = (event) => {
    event.preventDefault();
    name(false);
  };
  form.onkeydown = (event) => {
    if (event.key === "Escape") on.leave();
  };
  return { form, input };
}
