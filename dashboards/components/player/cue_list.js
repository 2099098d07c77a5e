/**
 * Subtitles as the exporter makes them (they are its WebVTT), with warnings by the same limits. An edit of a cue's text
 * is an edit of the words that it shows, whose lines the exporter breaks anew; its times are pinned, and saved with the
 * version.
 *
 * @import { Cue } from "./cues.js"
 * @import { CueLimits, Edge } from "./cue_pins.js"
 * @import { Player } from "./player.js"
 */
import { find, make, messageOf } from "../shared/dom.js";
import { fill } from "../shared/format.js";
import { wordsOfCue, writeCue } from "./cue_edits.js";
import { mergedCues, moved, shownWords, splitCue, toPins, withPins, wordsBefore, wordsSaid } from "./cue_pins.js";
import { rowOf, showFacts } from "./cue_row.js";
import { CueTimeline } from "./cue_timeline.js";
import { brokenIntoLines, parseVtt, warningsOf } from "./cues.js";
import { lastBegun } from "./segments.js";

export class CueList {
  /** @type {Cue[] | null} the cues as they are edited; each change makes another list */
  cues = null;
  /** The place of the cue that keys and buttons change. */
  chosen = -1;
  /** @type {Cue[] | null} as the exporter has made them */
  #loaded = null;
  /** @type {Cue[]} what the rows show */
  #shown = [];
  /** @type {HTMLElement[]} */
  #rows = [];
  /** @type {Set<number>} the places of the cues that break a limit */
  #warned = new Set();
  #here = -1;
  /** @type {Cue[] | null} the cues before an edge is dragged */
  #undragged = null;

  /** @param {Player} player */
  constructor(player) {
    this.player = player;
    this.text = player.text;
    this.place = player.find(".sheet[data-sheet=cues]");
    this.timeline = new CueTimeline(this);
    this.timeline.element.hidden = true;
    player.find(".head").append(this.timeline.element); // which stays in view, however far down the chosen cue is
  }

  /** Another version is shown: fetch anew what is looked at. */
  stale() {
    this.cues = this.#loaded = null;
    if (this.player.sheet === "cues") this.show();
  }

  /** Something was edited: what the cues show has changed, where those break that nobody set will follow. */
  edited() {
    if (this.player.sheet === "cues") this.#draw();
  }

  /**
   * Show these cues, which an edit or its undoing has made.
   *
   * @param {Cue[] | null} cues
   */
  take(cues) {
    if (cues) this.cues = cues;
  }

  get loadedCues() {
    return this.#loaded;
  }

  /** How many cues are set otherwise than in the loaded version. */
  get edits() {
    if (!this.cues) return 0;
    const [before, now] = [this.#stored, toPins(this.cues)].map((pins) => new Set(pins.map((pin) => JSON.stringify(pin))));
    return Math.max([...now].filter((pin) => !before.has(pin)).length, [...before].filter((pin) => !now.has(pin)).length);
  }

  /** The cues to save; nothing where they are as they were. */
  toSave() {
    return this.cues && this.edits ? toPins(this.cues) : undefined;
  }

  get #stored() {
    return toPins(this.#loaded ?? []);
  }

  async show() {
    if (this.cues && this.#loaded) return this.#draw();
    this.timeline.element.hidden = true;
    this.place.replaceChildren(make("p", { className: "empty muted" }, this.text.cues_loading));
    this.timeline.load();
    try {
      this.#loaded = withPins(await this.#load(), this.player.script.stored.pinned_cues ?? []);
      this.cues ??= this.#loaded;
    } catch (error) {
      if (this.player.ends.signal.aborted) return;
      const why = make("p", {}, `${this.text.no_cues} ${messageOf(error)}`);
      const again = make("button", { type: "button", className: "button small", onclick: () => this.show() }, this.text.again);
      return this.place.replaceChildren(make("div", { className: "empty muted" }, why, again));
    }
    this.#shown = [];
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
    const { cues } = this;
    if (!cues) return;
    const { limits } = this.player.data;
    this.#warned = new Set([...cues.keys()].filter((at) => warningsOf(cues[at], limits, this.text.warnings).length));
    if (this.#shown.length === cues.length && this.place.querySelector(".cues")) this.#redraw(cues);
    else this.#drawAll(cues);
    this.#shown = cues;
    this.chosen = Math.min(this.chosen, cues.length - 1);
    this.#here = -1;
    this.at(this.player.now_s);
    this.timeline.redraw();
  }

  /** @param {Cue[]} cues */
  #drawAll(cues) {
    this.#rows = cues.map((cue, at) => rowOf(this, cue, at));
    const list = make("ol", { className: "cues" }, ...this.#rows);
    if (!cues.length) list.append(make("li", { className: "empty muted" }, this.text.no_speech));
    this.timeline.element.hidden = !this.player.data.may_edit || !cues.length;
    this.place.replaceChildren(this.#head(cues.length), list);
    this.timeline.forget();
  }

  /**
   * Draw the rows anew whose cue has changed; a button in one keeps the focus.
   *
   * @param {Cue[]} cues
   */
  #redraw(cues) {
    for (const [at, cue] of cues.entries()) {
      if (cue === this.#shown[at]) continue;
      const row = this.#rows[at];
      const { activeElement } = this.player.rootNode;
      const focused = [...row.querySelectorAll("button")].findIndex((button) => button === activeElement);
      this.#rows[at] = rowOf(this, cue, at);
      row.replaceWith(this.#rows[at]);
      if (focused >= 0) this.#rows[at].querySelectorAll("button")[focused]?.focus({ preventScroll: true });
    }
    find(this.place, ".cuehead").replaceWith(this.#head(cues.length));
  }

  /** @param {number} all */
  #head(all) {
    const { text } = this;
    const { limits } = this.player.data;
    const warned = this.#warned.size;
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

  /** @returns {CueLimits} */
  get #limits() {
    const { duration_s, limits } = this.player.data;
    return { gap_s: limits.min_gap_s, duration_s: duration_s ?? Infinity, width: limits.max_line_width };
  }

  get chosenCue() {
    return this.cues?.[this.chosen];
  }

  /** @param {number} at */
  isWarned(at) {
    return this.#warned.has(at);
  }

  /**
   * Make a cue the one that keys and buttons change, and go to it.
   *
   * @param {number} at
   */
  choose(at) {
    const cue = this.cues?.[at];
    if (!cue) return;
    this.chosen = at;
    this.player.seek(cue.start);
    this.player.frame.bring(this.#rows[at]);
    this.timeline.redraw();
  }

  /**
   * @param {number} at
   * @param {string} text
   */
  write(at, text) {
    const { data, editor, script } = this.player;
    const { cues } = this;
    const spots = cues ? wordsOfCue(script.segments, cues, at) : [];
    if (!editor || !cues || !spots.length) return this.#draw();
    const written = cues.with(at, { ...cues[at], text: brokenIntoLines(text, data.limits.max_line_width) });
    editor.change(writeCue(script.segments, spots, text, script.base), written);
  }

  /**
   * Take other cues as one step that can be undone.
   *
   * @param {Cue[] | null} cues - null where that was not possible
   * @param {string} problem - what to say then
   */
  #change(cues, problem) {
    const { editor, script } = this.player;
    if (!editor) return false;
    if (cues) editor.change(script.segments, cues);
    else this.player.notice(problem, [[this.text.close, () => this.player.notice(null)]], "warn");
    return Boolean(cues);
  }

  /**
   * @param {number} at
   * @param {Edge} edge
   * @param {number} to_s
   */
  #moved(at, edge, to_s) {
    const cues = this.#undragged ?? this.cues;
    return cues?.[at] ? moved(this.player.script.segments, cues, { at, edge, to_s, limits: this.#limits }) : null;
  }

  /**
   * @param {number} at
   * @param {Edge} edge
   * @param {number} by_s
   */
  nudge(at, edge, by_s) {
    const cue = this.cues?.[at];
    const cues = cue && this.#moved(at, edge, cue[edge] + by_s);
    if (cues && cue && cues[at][edge] !== cue[edge]) this.#change(cues, "");
  }

  /**
   * Let the chosen cue start or end where the recording is.
   *
   * @param {Edge} edge
   */
  setEdge(edge) {
    const cues = this.#moved(this.chosen, edge, this.player.now_s);
    if (cues) this.#change(cues, "");
  }

  /**
   * Show how it would be if an edge were there; nothing is changed before the end.
   *
   * @param {number} at
   * @param {Edge} edge
   * @param {number} to_s
   */
  preview(at, edge, to_s) {
    this.#undragged ??= this.cues;
    this.cues = this.#moved(at, edge, to_s) ?? this.cues;
    for (const place of [at - 1, at]) {
      const cue = this.cues?.[place];
      if (cue && this.#rows[place]) showFacts(this, this.#rows[place], cue);
    }
    this.timeline.redraw();
  }

  /** @param {boolean} keep */
  endPreview(keep) {
    const [before, after] = [this.#undragged, this.cues];
    this.#undragged = null;
    if (!before) return;
    this.cues = before;
    if (keep && after) this.#change(after, "");
    else this.#draw();
  }

  /** Split the cue on screen where the recording is. */
  splitHere() {
    const now = this.player.now_s;
    const at = this.cues ? lastBegun(this.cues, now) : -1;
    if (!this.cues || at < 0) return;
    const words = shownWords(this.player.script.segments, this.cues, at);
    const count = Math.min(Math.max(1, wordsSaid(words, now)), words.length - 1);
    this.#split(at, count, now);
  }

  /**
   * Split a cue behind the text before the caret.
   *
   * @param {number} at
   * @param {string} before
   */
  splitAtText(at, before) {
    if (this.cues) this.#split(at, wordsBefore(shownWords(this.player.script.segments, this.cues, at), before));
  }

  /**
   * @param {number} at
   * @param {number} count
   * @param {number} [to_s]
   */
  #split(at, count, to_s) {
    const { script } = this.player;
    const cues = this.cues && splitCue(script.segments, this.cues, { at, count, to_s, limits: this.#limits });
    if (this.#change(cues, this.text.timeline.no_split)) this.chosen = at + 1;
    this.timeline.redraw();
  }

  mergeHere() {
    this.merge(this.chosenCue ? this.chosen : this.#here);
  }

  /** @param {number} at - of the first of two */
  merge(at) {
    const cues = this.cues && mergedCues(this.player.script.segments, this.cues, { at, limits: this.#limits });
    if (this.#change(cues, this.text.timeline.no_merge)) this.chosen = at;
    this.timeline.redraw();
  }

  #next() {
    const now = this.player.now_s;
    const warned = [...this.#warned];
    const start = (/** @type {number} */ at) => this.cues?.[at].start ?? 0;
    this.choose(warned.find((one) => start(one) > now + 0.05) ?? warned[0]);
  }

  /**
   * Mark the cue that is on screen now, and keep it in view.
   *
   * @param {number} now
   */
  at(now) {
    if (!this.cues || this.player.sheet !== "cues") return;
    this.timeline.at(now);
    const at = lastBegun(this.cues, now);
    if (at === this.#here) return;
    this.#rows[this.#here]?.classList.remove("on");
    this.#here = at;
    const row = this.#rows[at];
    if (!row) return;
    row.classList.add("on");
    if (!this.player.video.paused || this.chosen < 0) this.chosen = at;
    const isTypedIn = this.place.contains(this.player.rootNode.activeElement);
    if (this.player.script.following && !isTypedIn) this.player.frame.bring(row);
  }
}
