/**
 * One subtitle in the list: its times, its text, the limits that it breaks.
 *
 * @import { CueList } from "./cue_list.js"
 * @import { Cue } from "./cues.js"
 * @import { Edge } from "./cue_pins.js"
 */
import { make } from "../shared/dom.js";
import { clock, decimal, fill } from "../shared/format.js";
import { brokenIntoLines, charsPerSecond, isTooFast, warningsOf } from "./cues.js";
import { caretIn, oneLine } from "./line.js";
import { NUDGE_S } from "./cue_timeline.js";

/**
 * Make the row of a cue.
 *
 * @param {CueList} list
 * @param {Cue} cue
 * @param {number} at - its place
 */
export function rowOf(list, cue, at) {
  const { text } = list.player;
  const time = clock(cue.start, true);
  const stamp = make("button", { type: "button", className: "moment number", onclick: () => list.choose(at) }, time);
  stamp.ariaLabel = fill(text.play_from, { time });
  const speaker = cue.speaker ? [make("span", { className: "speaker" }, cue.speaker)] : [];
  const body = make("div", { className: "words" }, cue.text);
  const when = make("span", { className: "when" }, stamp, make("span", { className: "facts small number muted" }));
  const row = make("li", { className: "cue" }, when, make("div", { className: "what" }, ...speaker, body, make("span", { className: "chips" })));
  if (list.player.data.may_edit) {
    openBody(list, body, cue, at);
    row.append(nudges(list, at));
  }
  showFacts(list, row, cue);
  return row;
}

/**
 * Show how long a cue is, how fast it has to be read, and which limits it breaks.
 *
 * @param {CueList} list
 * @param {HTMLElement} row
 * @param {Cue} cue
 */
export function showFacts(list, row, cue) {
  const { data, text } = list.player;
  const speed = make("span", { className: isTooFast(cue, data.limits) ? "bad" : "" }, `${charsPerSecond(cue).toFixed(0)} ${text.cps}`);
  row.querySelector(".facts")?.replaceChildren(`${decimal(cue.end - cue.start, 1)} s · `, speed);
  const moment = row.querySelector(".moment");
  if (moment) moment.textContent = clock(cue.start, true);
  const chips = warningsOf(cue, data.limits, text.warnings).map((words) => make("span", { className: "chip" }, words));
  if (cue.pin) chips.push(make("span", { className: "chip set", title: text.timeline.pinned_about }, text.timeline.pinned));
  row.querySelector(".chips")?.replaceChildren(...chips);
}

/**
 * Let a cue's text be typed in. Shift+Enter splits it at the caret, Delete at its end and Backspace at its start merge.
 *
 * @param {CueList} list
 * @param {HTMLElement} body
 * @param {Cue} cue
 * @param {number} at
 */
function openBody(list, body, cue, at) {
  const { data, rootNode, text } = list.player;
  body.setAttribute("contenteditable", "plaintext-only");
  body.role = "textbox";
  body.ariaLabel = fill(text.cue_at, { time: clock(cue.start, true) });
  const written = () => oneLine(body.textContent);
  const row = () => /** @type {HTMLElement} */ (body.closest(".cue"));
  const keep = () => written() === oneLine(cue.text) || list.write(at, written());
  body.oninput = () => showFacts(list, row(), { ...cue, text: brokenIntoLines(written(), data.limits.max_line_width) });
  body.onblur = () => {
    keep();
  };
  body.onkeydown = (event) => {
    const [start, end] = caretIn(body, rootNode);
    if (event.key === "Enter" && event.shiftKey) {
      event.preventDefault();
      const before = (body.textContent ?? "").slice(0, end);
      body.onblur = null;
      keep();
      list.splitAtText(at, before);
    } else if (event.key === "Delete" && start === end && end >= (body.textContent ?? "").length) {
      event.preventDefault();
      body.onblur = null;
      keep();
      list.merge(at);
    } else if (event.key === "Backspace" && start === 0 && end === 0 && at > 0) {
      event.preventDefault();
      body.onblur = null;
      keep();
      list.merge(at - 1);
    } else if (event.key === "Escape" || event.key === "Enter") {
      event.preventDefault();
      if (event.key === "Escape") body.textContent = cue.text;
      body.blur();
    }
  };
}

/**
 * @param {CueList} list
 * @param {number} at
 */
function nudges(list, at) {
  const { edge, nudge } = list.player.text;
  const button = (/** @type {Edge} */ which, /** @type {number} */ by) => {
    const sign = by > 0 ? "+" : "−";
    const made = make("button", { type: "button", className: "button quiet small nudge" }, sign);
    made.onclick = () => list.nudge(at, which, by);
    list.player.name(made, fill(nudge[which], { by: `${sign}${Math.abs(by)}` }));
    return made;
  };
  const both = (/** @type {Edge} */ which) => [edge[which], button(which, -NUDGE_S), button(which, NUDGE_S)];
  return make("span", { className: "nudges" }, ...both("start"), ...both("end"));
}
