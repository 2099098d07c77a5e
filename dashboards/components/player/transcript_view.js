/**
 * The transcript: a line a segment, the line and the word being said are marked and kept in view, doubtful words are
 * shaded.
 *
 * @import { FindingRow } from "../contracts.js"
 * @import { StoredSegment, StoredTranscript } from "./api.js"
 * @import { Line } from "./line.js"
 * @import { Player } from "./player.js"
 * @import { Segment, Word } from "./segments.js"
 */
import { make } from "../shared/dom.js";
import { UNSURE, lineOf } from "./line.js";
import { LineList } from "./line_list.js";
import { identityOf, lastBegun, segmentOf } from "./segments.js";

const HANDS_OFF_MS = 4000;
const SCROLLING = ["PageUp", "PageDown", "Home", "End"];
const OFFER_FOLLOW_MS = 60000;
const STILL_PX = 4;

export class TranscriptView {
  #pressed = { x: 0, y: 0 };

  /** @param {Player} player */
  constructor(player) {
    this.player = player;
    this.panel = player.find(".text");
    /** @type {Segment[]} */
    this.segments = [];
    /** @type {Segment[] | undefined} the loaded version, which edits are compared with */
    this.base = undefined;
    /** @type {StoredTranscript} */
    this.stored = {};
    this.version = 0;
    this.line = -1;
    /** @type {HTMLElement | null | undefined} */
    this.lit = undefined;
    /** @type {HTMLElement | null} */
    this.said = null;
    this.handsOn = 0;
    this.following = localStorage.getItem("wt-follow") !== "off";
    this.shading = localStorage.getItem("wt-shade") !== "off";
    this.buttons = this.#tools();
    const isDoubted = (/** @type {Segment} */ segment) => this.#isDoubted(segment);
    this.list = new LineList(player, this.panel, { doubted: isDoubted, drawn: () => this.#drawn() });
    this.#wire();
  }

  #drawn() {
    this.player.finder?.paint();
    this.player.passages?.paint();
  }

  /** @returns {Line[]} */
  get lines() {
    return this.list.lines;
  }

  /** Show the tools anew: who may edit has one more. */
  showTools() {
    this.buttons = this.#tools();
  }

  #tools() {
    const { text } = this.player;
    /**
     * @param {keyof typeof text.tool_help} name
     * @param {() => void} act
     * @param {boolean} [pressed]
     */
    const tool = (name, act, pressed) => {
      const button = make("button", { type: "button", className: `button small tool ${name}`, onclick: act }, text.tools[name]);
      button.title = text.tool_help[name];
      if (pressed !== undefined) button.ariaPressed = String(pressed);
      return button;
    };
    const buttons = {
      edit: tool("edit", () => this.player.editor?.toggle(), false),
      find: tool("find", () => this.player.finder.open()),
      follow: tool("follows", () => this.setFollow(!this.following), this.following),
      shade: tool("shade", () => this.shade(!this.shading), this.shading),
      doubt: tool("doubt", () => this.doubt(1)),
      correct: tool("correct", () => this.player.correction?.open()),
    };
    const { edit, correct, ...others } = buttons;
    const { may_edit: mayEdit, timed: isTimed } = this.player.data;
    const [first, last] = [mayEdit ? [edit] : [], mayEdit && isTimed ? [correct] : []];
    this.player.find(".tools").replaceChildren(...first, ...Object.values(others), ...last);
    this.player.root.classList.toggle("shading", this.shading);
    return buttons;
  }

  #wire() {
    const { player, panel } = this;
    const { scroller } = player.frame;
    const isByHand = (/** @type {Event} */ event) =>
      event.type !== "pointerdown" || event.target === scroller || panel.contains(/** @type {Node} */ (event.target));
    for (const name of ["wheel", "touchmove", "pointerdown"]) {
      const options = { passive: true, capture: true };
      player.on(scroller, name, (event) => isByHand(event) && (this.handsOn = Date.now()), options);
    }
    player.on(document, "keydown", (event) => {
      if (SCROLLING.includes(/** @type {KeyboardEvent} */ (event).key)) this.handsOn = Date.now();
    });
    player.on(panel, "pointerdown", (event) => {
      const { clientX: x, clientY: y } = /** @type {PointerEvent} */ (event);
      this.#pressed = { x, y };
    });
    player.on(panel, "click", (event) => this.#clicked(/** @type {MouseEvent} */ (event)));
    player.on(panel, "pointerover", (event) => this.#split(lineOf(event.target)));
    player.on(player.find(".follow"), "click", () => {
      this.setFollow(true);
      this.#bring(this.lines[this.line]);
    });
  }

  async load() {
    const state = this.panel.querySelector(".state");
    try {
      const answer = await fetch(this.player.data.transcript, { signal: this.player.ends.signal });
      if (!answer.ok) throw new Error(String(answer.status));
      this.stored = await answer.json();
    } catch {
      if (!this.player.ends.signal.aborted && state) state.textContent = this.player.text.no_transcript;
      return;
    }
    this.take(this.stored);
  }

  /**
   * Show a transcript as the server has it.
   *
   * @param {StoredTranscript} stored
   */
  take(stored) {
    this.version = stored.version ?? 1;
    this.stored = stored;
    this.base = (stored.segments ?? []).map(segmentOf);
    this.set(this.base);
    if (!this.base.length) this.panel.replaceChildren(make("p", { className: "state muted" }, this.player.text.no_speech));
    this.player.wave.mark(this.player.data.findings.filter((one) => this.#isLocal(one)));
    this.player.editor?.loaded();
    this.player.panels.loaded();
    this.player.cues.stale();
    this.player.captions();
  }

  /**
   * Show the text so far of a recording that is still being transcribed; what is there already stays untouched.
   *
   * @param {StoredSegment[]} segments
   */
  grow(segments) {
    const there = new Map(this.segments.map((segment) => [identityOf(segment), segment]));
    this.base = segments.map((part, index) => {
      const segment = segmentOf(part, index);
      return Object.assign(there.get(identityOf(segment)) ?? segment, { index, from: segment.from });
    });
    this.set(this.base);
  }

  /**
   * Show these segments; lines of those that stay are left alone, so that focus and place stay, too.
   *
   * @param {Segment[]} segments
   */
  set(segments) {
    this.segments = segments;
    this.list.show(segments);
    this.line = -1;
    this.show(this.player.now_s, this.lit);
    this.player.finder.refresh();
  }

  /**
   * Put another segment in a line's place without drawing it anew: somebody is typing in it.
   *
   * @param {Line} line
   * @param {Segment} segment
   */
  swap(line, segment) {
    const at = this.lines.indexOf(line);
    line.segment = segment;
    this.segments = this.segments.with(at, segment);
  }

  /** @param {Segment} segment */
  #isDoubted({ start, end }) {
    return this.player.data.findings.some((one) => this.#isLocal(one) && one.start_s < end && one.end_s > start);
  }

  /**
   * What is found about a whole recording marks no line of it.
   *
   * @param {FindingRow} finding
   */
  #isLocal(finding) {
    return finding.end_s - finding.start_s < 0.8 * (this.player.data.duration_s ?? Infinity);
  }

  /** @param {Line | undefined} line */
  #split(line) {
    if (line && !line.split && !this.player.editor?.on) this.list.draw(line, true);
  }

  /**
   * Whether this click is the end of a selection by the mouse.
   *
   * @param {MouseEvent} event
   */
  #hasSelected({ clientX, clientY }) {
    const moved = Math.hypot(clientX - this.#pressed.x, clientY - this.#pressed.y) > STILL_PX;
    return moved && this.player.passages.selection.range() !== null;
  }

  /** @param {MouseEvent} event */
  #clicked(event) {
    const line = lineOf(event.target);
    if (!line || this.#hasSelected(event)) return;
    const onTime = /** @type {Element} */ (event.target).closest(".time");
    if (this.player.editor?.on && !onTime) return;
    this.#split(line);
    const under = this.player.rootNode.elementFromPoint(event.clientX, event.clientY);
    const word = onTime ? undefined : line.segment.words.find((one) => one.element === under);
    this.player.seek((word ?? line.segment).start);
    if (this.player.video.paused) this.player.video.play().catch(() => {});
  }

  /**
   * Light up what is being said, and bring it into view unless it is `lit` already.
   *
   * @param {number} now
   * @param {HTMLElement | null} [lit]
   */
  show(now, lit = null) {
    if (!this.segments.length || !this.player.data.timed) return;
    const at = lastBegun(this.segments, now);
    if (at !== this.line) {
      this.lit?.classList.remove("on");
      this.line = at;
      this.lit = this.lines[at]?.element;
      this.lit?.classList.add("on");
      this.#split(this.lines[at]);
      if (this.lit !== lit || !lit) this.#keepInView();
    }
    const words = this.segments[at]?.words ?? [];
    this.#mark(words[lastBegun(words, now)], now);
    this.#offerFollow();
  }

  /**
   * @param {Word | undefined} word
   * @param {number} now
   */
  #mark(word, now) {
    const said = word?.element?.isConnected && now < word.end + 0.4 ? word.element : null;
    if (said === this.said) return;
    this.said?.classList.remove("said");
    this.said = said;
    said?.classList.add("said");
  }

  handsOff() {
    this.handsOn = 0;
  }

  /** Whether somebody types in a line, which then stays where it is. */
  get isTypedIn() {
    const { activeElement } = this.player.rootNode;
    return Boolean(activeElement && this.panel.contains(activeElement) && activeElement !== this.panel);
  }

  #keepInView() {
    if (this.following && !this.isTypedIn && Date.now() - this.handsOn >= HANDS_OFF_MS) this.#bring(this.lines[this.line]);
  }

  /** @param {Line | undefined} line */
  #bring(line) {
    if (line) this.player.frame.bring(line.element);
  }

  #offerFollow() {
    const line = this.lines[this.line];
    const [top, bottom] = line ? this.player.frame.span(line.element) : [0, 0];
    const away = line && (bottom < 0 || top > 1);
    this.player.find(".follow").hidden = !(away && (!this.following || this.isTypedIn || Date.now() - this.handsOn < OFFER_FOLLOW_MS));
  }

  /** @param {boolean} on */
  setFollow(on) {
    this.following = on;
    this.handsOff();
    localStorage.setItem("wt-follow", on ? "on" : "off");
    this.buttons.follow.ariaPressed = String(on);
    this.#keepInView();
    this.#offerFollow();
  }

  /** @param {boolean} on */
  shade(on) {
    this.shading = on;
    localStorage.setItem("wt-shade", on ? "on" : "off");
    this.buttons.shade.ariaPressed = String(on);
    this.player.root.classList.toggle("shading", on);
  }

  /**
   * Go to the segment before or after the one being said.
   *
   * @param {1 | -1} by
   */
  go(by) {
    const at = Math.min(Math.max(0, this.line + by), this.segments.length - 1);
    if (this.segments[at]) this.reach(this.segments[at].start, at);
  }

  /**
   * Move the recording to a moment, and bring its line into view.
   *
   * @param {number} at_s
   * @param {number} [place]
   */
  reach(at_s, place = lastBegun(this.segments, at_s)) {
    this.player.seek(at_s);
    this.#bring(this.lines[place]);
  }

  /**
   * Go to the next doubtful word or finding, or the one before.
   *
   * @param {1 | -1} by
   */
  doubt(by) {
    const { data, text } = this.player;
    const places = data.findings.filter((one) => this.#isLocal(one)).map((one) => one.start_s);
    for (const segment of this.segments) {
      let before = 1;
      for (const word of segment.words) {
        if (word.p < UNSURE && before >= UNSURE) places.push(word.start);
        before = word.p;
      }
    }
    places.sort((a, b) => a - b);
    const now = this.player.now_s;
    const after = places.find((at) => at > now + 0.05) ?? places[0];
    const next = by > 0 ? after : (places.findLast((at) => at < now - 0.05) ?? places.at(-1));
    if (next === undefined) return this.player.notice(text.no_doubts, [[text.close, () => this.player.notice(null)]]);
    this.player.open("script");
    this.reach(next);
  }
}
