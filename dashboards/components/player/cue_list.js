/**
 * Subtitles as the exporter makes them (they are its WebVTT), with warnings by the same limits. An edit of a cue is an
 * edit of the words that it shows; after saving, the exporter breaks the lines anew.
 *
 * @import { Cue } from "./cues.js"
 * @import { Player } from "./player.js"
 *
 * @typedef {"start" | "end"} Edge
 */
import { find, make, messageOf } from "../shared/dom.js";
import { clock, fill } from "../shared/format.js";
import { moveEdge, wordsOfCue, writeCue } from "./cue_edits.js";
import { brokenIntoLines, charsPerSecond, isTooFast, parseVtt, warningsOf } from "./cues.js";
import { oneLine } from "./line.js";
import { lastBegun } from "./segments.js";

const NUDGE_S = 0.1;

export class CueList {
  /** @type {Cue[] | null} */
  #cues = null;
  /** @type {HTMLElement[]} */
  #rows = [];
  /** @type {number[]} the places of the cues that break a limit */
  #warned = [];
  #here = -1;

  /** @param {Player} player */
  constructor(player) {
    this.player = player;
    this.text = player.text;
    this.place = player.find(".sheet[data-sheet=cues]");
  }

  /** Another version is shown: fetch anew what is looked at. */
  stale() {
    this.#cues = null;
    if (this.player.sheet === "cues") this.show();
  }

  /** Somebody types in the transcript: what the cues show has changed, where they break will follow. */
  edited() {
    if (this.player.sheet === "cues") this.#draw();
  }

  async show() {
    if (this.#cues) return this.#draw();
    this.place.replaceChildren(make("p", { className: "empty muted" }, this.text.cues_loading));
    try {
      this.#cues = await this.#load();
    } catch (error) {
      if (this.player.ends.signal.aborted) return;
      const why = make("p", {}, `${this.text.no_cues} ${messageOf(error)}`);
      const again = make("button", { type: "button", className: "button small", onclick: () => this.show() }, this.text.again);
      return this.place.replaceChildren(make("div", { className: "empty muted" }, why, again));
    }
    this.#draw();
  }

  async #load() {
    const answer = await fetch(this.player.captionsUrl, { signal: this.player.ends.signal });
    if (answer.ok) return parseVtt(await answer.text());
    if (answer.status === 404) throw new Error("");
    const refusal = await answer.json().catch(() => null);
    throw new Error(refusal?.error?.message ?? this.text.no_answer);
  }

  #draw() {
    const cues = this.#cues;
    if (!cues) return;
    const { limits } = this.player.data;
    const warnings = cues.map((cue) => warningsOf(cue, limits, this.text.warnings));
    this.#warned = [...warnings.keys()].filter((at) => warnings[at].length);
    this.#rows = cues.map((cue, at) => this.#row(cue, at, warnings[at]));
    const list = make("ol", { className: "cues" }, ...this.#rows);
    if (!cues.length) list.append(make("li", { className: "empty muted" }, this.text.no_speech));
    this.place.replaceChildren(this.#head(cues.length), list);
    this.#here = -1;
    this.at(this.player.now_s);
  }

  /** @param {number} all */
  #head(all) {
    const { text } = this;
    const { limits } = this.player.data;
    const warned = this.#warned.length;
    const count = make("span", { className: `pill ${warned ? "warned" : "completed"}` }, fill(warned === 1 ? text.warned_one : text.warned_all, { all: warned }));
    const next = make("button", { type: "button", className: "button small", disabled: !warned }, text.next_warning);
    next.onclick = () => this.#next();
    const rule = fill(text.rule, {
      width: limits.max_line_width,
      lines: limits.max_line_count,
      cps: limits.max_chars_per_s,
      least: Math.round(limits.min_duration_s * 100) / 100,
      most: limits.max_duration_s,
    });
    const said = make("span", { className: "small" }, fill(all === 1 ? text.cues_one : text.cues_all, { all }));
    return make("div", { className: "cuehead" }, said, count, next, make("span", { className: "small muted rule" }, rule));
  }

  /**
   * @param {Cue} cue
   * @param {number} at
   * @param {string[]} warnings
   */
  #row(cue, at, warnings) {
    const { limits, may_edit } = this.player.data;
    const time = clock(cue.start, true);
    const stamp = make("button", { type: "button", className: "moment number", onclick: () => this.player.seek(cue.start) }, time);
    stamp.ariaLabel = fill(this.text.play_from, { time });
    const speed = make("span", { className: isTooFast(cue, limits) ? "bad" : "" }, `${charsPerSecond(cue).toFixed(0)} ${this.text.cps}`);
    const facts = make("span", { className: "facts small number muted" }, `${(cue.end - cue.start).toFixed(1)} s · `, speed);
    const speaker = cue.speaker ? [make("span", { className: "speaker" }, cue.speaker)] : [];
    const body = make("div", { className: "words" }, cue.text);
    const chips = make("span", { className: "chips" }, ...warnings.map((words) => make("span", { className: "chip" }, words)));
    const when = make("span", { className: "when" }, stamp, facts);
    const row = make("li", { className: "cue" }, when, make("div", { className: "what" }, ...speaker, body, chips));
    if (may_edit) {
      this.#openBody(body, cue, at);
      row.append(this.#nudges(at));
    }
    return row;
  }

  /**
   * Let a cue's text be typed in.
   *
   * @param {HTMLElement} body
   * @param {Cue} cue
   * @param {number} at
   */
  #openBody(body, cue, at) {
    body.setAttribute("contenteditable", "plaintext-only");
    body.role = "textbox";
    body.ariaLabel = fill(this.text.cue_at, { time: clock(cue.start, true) });
    body.onblur = () => {
      const text = oneLine(body.textContent);
      if (text !== oneLine(cue.text)) this.#write(at, text);
    };
    body.onkeydown = (event) => {
      if (event.key !== "Escape" && event.key !== "Enter") return;
      event.preventDefault();
      if (event.key === "Escape") body.textContent = cue.text;
      body.blur();
    };
  }

  /** @param {number} at */
  #nudges(at) {
    const { edge, nudge } = this.text;
    const button = (/** @type {Edge} */ which, /** @type {number} */ by) => {
      const sign = by > 0 ? "+" : "−";
      const made = make("button", { type: "button", className: "button quiet small nudge" }, sign);
      made.onclick = () => this.#nudge(at, which, by);
      this.player.name(made, fill(nudge[which], { by: `${sign}${Math.abs(by)}` }));
      return made;
    };
    const both = (/** @type {Edge} */ which) => [edge[which], button(which, -NUDGE_S), button(which, NUDGE_S)];
    return make("span", { className: "nudges" }, ...both("start"), ...both("end"));
  }

  /**
   * @param {number} at
   * @param {string} text
   */
  #write(at, text) {
    const { data, editor, script } = this.player;
    const cues = this.#cues ?? [];
    const spots = wordsOfCue(script.segments, cues, at);
    if (!editor || !spots.length) return this.#draw();
    cues[at] = { ...cues[at], text: brokenIntoLines(text, data.limits.max_line_width) };
    editor.change(writeCue(script.segments, spots, text, script.base));
  }

  /**
   * @param {number} at
   * @param {Edge} edge
   * @param {number} by_s
   */
  #nudge(at, edge, by_s) {
    const { data, editor, script } = this.player;
    const cues = this.#cues ?? [];
    const spots = wordsOfCue(script.segments, cues, at);
    if (!editor || !spots.length) return;
    const moved = moveEdge(script.segments, spots, { cue: cues[at], edge, by_s, duration_s: data.duration_s ?? Infinity });
    cues[at] = moved.cue;
    editor.change(moved.segments);
  }

  #next() {
    const now = this.player.now_s;
    const start = (/** @type {number} */ at) => this.#cues?.[at].start ?? 0;
    const at = this.#warned.find((one) => start(one) > now + 0.05) ?? this.#warned[0];
    this.player.seek(start(at));
    this.player.frame.bring(this.#rows[at]);
  }

  /**
   * Mark the cue that is on screen now, and keep it in view.
   *
   * @param {number} now
   */
  at(now) {
    if (!this.#cues || this.player.sheet !== "cues") return;
    const at = lastBegun(this.#cues, now);
    if (at === this.#here) return;
    this.#rows[this.#here]?.classList.remove("on");
    this.#here = at;
    const row = this.#rows[at];
    if (!row) return;
    row.classList.add("on");
    const list = find(this.place, ".cues");
    const isTypedIn = list.contains(this.player.rootNode.activeElement);
    if (this.player.script.following && !isTypedIn) this.player.frame.bring(row);
  }
}
