/**
 * Editing: every change makes new segments beside the old ones, so undo is a list of lists. What is not saved yet also
 * stays in this browser, and outlives a crash, a log-out, and somebody else's version.
 *
 * @import { Draft } from "./drafts.js"
 * @import { NoticeButton, Player } from "./player.js"
 * @import { Line } from "./line.js"
 * @import { Cue } from "./cues.js"
 * @import { Snapshot } from "./edit_history.js"
 * @import { Segment } from "./segments.js"
 */
import { closest, make, messageOf } from "../shared/dom.js";
import { clock, fill, instant } from "../shared/format.js";
import { guardPage } from "../shared/page_guard.js";
import { redraw } from "../shared/redraw.js";
import { DraftStore } from "./drafts.js";
import { EditHistory } from "./edit_history.js";
import { ApiError } from "./job_api.js";
import { caretIn, lineOf, oneLine, rangeOf } from "./line.js";
import { merged, rebased, segmentOf, segmentOfEdit, split, toSave, withText } from "./segments.js";
import { SpeakerNaming } from "./speaker_naming.js";

const ONE_STEP_MS = 1500;
const DRAFT_AFTER_MS = 700;

export class Editor {
  on = false;
  #history = new EditHistory();
  #saving = false;
  /** @type {Segment[] | null} what was sent last: a draft of it is needed no more */
  #saved = null;
  #hasOfferedDraft = false;
  /** @type {{ line: Line, at: number } | null} */
  #lastTyped = null;
  #draftTimer = 0;

  /** @param {Player} player */
  constructor(player) {
    this.player = player;
    this.script = player.script;
    this.bar = player.find(".savebar");
    this.drafts = new DraftStore(player.data.api);
    this.speakers = new SpeakerNaming(this);
    const { panel } = this.script;
    player.on(panel, "input", (event) => this.#typed(event));
    player.on(panel, "keydown", (event) => this.#keyInLine(/** @type {KeyboardEvent} */ (event)));
    player.on(panel, "focusout", (event) => this.#left(event));
    player.on(panel, "paste", (event) => this.#pasted(/** @type {ClipboardEvent} */ (event)));
    player.on(panel, "click", (event) => {
      const line = lineOf(event.target);
      if (line && closest(event, "button.speaker")) this.speakers.ask(line);
    });
    guardPage(() => this.dirty, player.ends.signal);
    player.on(document, "visibilitychange", () => this.keepDraft());
    this.#showBar();
  }

  get dirty() {
    return this.script.base !== undefined && this.#edits() > 0;
  }

  #edits() {
    const { base, segments } = this.script;
    const changed = segments.filter((segment) => segment.changed).length;
    const gone = (base?.length ?? 0) - segments.length;
    return (changed || Math.max(0, gone)) + this.player.cues.edits; // none is changed: some may be gone
  }

  /** @returns {Snapshot} */
  get #now() {
    return { segments: this.script.segments, cues: this.player.cues.cues };
  }

  /** The transcript has come from the server: nothing to undo; perhaps a draft from before. */
  loaded() {
    this.#history.clear();
    this.#showBar();
    this.#offerDraft();
  }

  /** @param {boolean} [byKey] - who has no mouse at hand finds the caret in the line that is being said */
  toggle(byKey = false) {
    if (this.on) return this.#turn(false);
    this.start();
    if (byKey) this.#focus(Math.max(0, this.script.line), 0);
  }

  start() {
    if (this.on) return;
    this.player.open("script");
    this.#turn(true);
  }

  /** @param {boolean} on */
  #turn(on) {
    const { player, script } = this;
    this.on = on;
    player.root.classList.toggle("editing", on);
    script.buttons.edit.ariaPressed = String(on);
    script.buttons.edit.textContent = on ? player.text.tools.edit_end : player.text.tools.edit;
    script.list.redraw();
    this.#showBar();
  }

  /**
   * Let a line be typed in.
   *
   * @param {Line} line
   */
  openLine({ segment, words }) {
    words.setAttribute("contenteditable", "plaintext-only"); // the property throws where a browser does not know the value
    words.role = "textbox";
    words.ariaLabel = fill(this.player.text.line_at, { time: clock(segment.start) });
    words.spellcheck = true;
  }

  /**
   * Take new segments as one step that can be undone.
   *
   * @param {Segment[]} segments
   * @param {Cue[] | null} [cues] - where they change, too
   */
  change(segments, cues = null) {
    this.#history.add(this.#now);
    this.#show({ segments, cues });
  }

  undo() {
    this.#show(this.#history.undo(this.#now));
  }

  redo() {
    this.#show(this.#history.redo(this.#now));
  }

  /** @param {Snapshot | undefined} snapshot */
  #show(snapshot) {
    if (!snapshot) return;
    this.#lastTyped = null;
    if (snapshot.segments !== this.script.segments) this.script.set(snapshot.segments);
    this.player.cues.take(snapshot.cues);
    this.#changed();
  }

  #changed() {
    this.#showBar();
    this.player.cues.edited();
    clearTimeout(this.#draftTimer);
    this.#draftTimer = window.setTimeout(() => this.keepDraft(), DRAFT_AFTER_MS);
  }

  /** @param {Event} event */
  #typed(event) {
    const line = closest(event, ".words") && lineOf(event.target);
    if (!line) return;
    const now = Date.now();
    if (this.#lastTyped?.line !== line || now - this.#lastTyped.at >= ONE_STEP_MS) {
      this.#history.add(this.#now);
    }
    this.#lastTyped = { line, at: now };
    const text = oneLine(line.words.textContent);
    this.script.swap(line, withText(line.segment, text, this.script.base));
    line.element.classList.toggle("changed", line.segment.changed);
    this.#changed();
  }

  /**
   * A line that was typed in shows its text as it is saved: places in it count by that.
   *
   * @param {Event} event
   */
  #left(event) {
    const line = closest(event, ".words") && lineOf(event.target);
    if (!line || line.words.textContent === line.segment.text) return;
    this.script.list.draw(line);
    this.script.list.drawn();
  }

  /** @param {ClipboardEvent} event */
  #pasted(event) {
    const text = event.clipboardData?.getData("text/plain");
    if (!text || !closest(event, "[contenteditable]")) return;
    event.preventDefault();
    document.execCommand("insertText", false, text.split(/\s+/).join(" "));
  }

  /** @param {KeyboardEvent} event */
  #keyInLine(event) {
    const line = closest(event, ".words") && lineOf(event.target);
    if (!line || event.isComposing) return;
    const { segments } = this.script;
    const at = segments.indexOf(line.segment);
    const [start, end] = caretIn(line.words, this.player.rootNode);
    if (event.key === "Enter") {
      event.preventDefault();
      if (event.shiftKey) this.#split(at, end);
      else this.#focus(at + 1, 0);
    } else if (event.key === "Backspace" && start === 0 && end === 0 && at > 0) {
      event.preventDefault();
      this.#merge(at - 1);
    } else if (event.key === "Delete" && start === line.words.textContent?.length && at + 1 < segments.length) {
      event.preventDefault();
      this.#merge(at);
    } else if (event.key === "Escape") line.words.blur();
  }

  /**
   * @param {number} at
   * @param {number} offset
   */
  #split(at, offset) {
    const halves = split(this.script.segments[at], offset);
    if (!halves) return;
    this.change(this.script.segments.toSpliced(at, 1, ...halves));
    this.#focus(at + 1, 0);
  }

  /** @param {number} at - of the first of two */
  #merge(at) {
    const { segments } = this.script;
    const [first, second] = segments.slice(at, at + 2);
    this.change(segments.toSpliced(at, 2, merged(first, second)));
    this.#focus(at, first.text.length + (second.text ? 1 : 0));
  }

  /**
   * @param {number} at
   * @param {number} offset
   */
  #focus(at, offset) {
    const line = this.script.lines[at];
    if (!line) return;
    this.script.list.settle(line);
    line.words.focus();
    const range = rangeOf(line, offset, offset);
    if (range) getSelection()?.setBaseAndExtent(range.startContainer, range.startOffset, range.startContainer, range.startOffset);
  }

  /**
   * Do what a key asks for that works while somebody types, too; tell whether it was one.
   *
   * @param {KeyboardEvent} event
   * @param {Element | null} writing - what is typed in, if anything
   */
  key(event, writing) {
    if (this.speakers.key(event, writing)) return true;
    const command = event.ctrlKey || event.metaKey;
    const elsewhere = writing && !writing.closest(".words");
    if (!command || event.altKey || elsewhere || !(this.on || this.dirty)) return false;
    /** @type {Record<string, () => void>} */
    const acts = { s: () => this.save(), z: () => (event.shiftKey ? this.redo() : this.undo()), y: () => this.redo() };
    const act = acts[event.key.toLowerCase()];
    if (!act) return false;
    event.preventDefault();
    act();
    return true;
  }

  #showBar() {
    const { text } = this.player;
    const edits = this.script.base ? this.#edits() : 0;
    const show = this.on || edits > 0;
    this.bar.hidden = !show;
    this.player.root.classList.toggle("saving", show);
    if (!show) return;
    const said = edits ? fill(edits === 1 ? text.unsaved_one : text.unsaved, { all: edits }) : text.nothing_unsaved;
    /**
     * @param {keyof typeof text.save} name
     * @param {() => void} act
     * @param {boolean} ready
     */
    const button = (name, act, ready, extra = "") =>
      make("button", { type: "button", className: `button small ${name}${extra}`, disabled: !ready, onclick: act }, text.save[name]);
    const told = make("span", { className: "small" }, make("span", { className: edits ? "dot" : "" }), said);
    redraw(this.bar, told, make("span", { className: "gap" }), ...this.speakers.legend(),
      button("undo", () => this.undo(), this.#history.canUndo),
      button("redo", () => this.redo(), this.#history.canRedo),
      button("discard", () => this.#askDiscard(), edits > 0),
      button("save", () => this.save(), edits > 0 && !this.#saving, " primary"),
    );
  }

  #askDiscard() {
    const { text } = this.player;
    const drop = () => {
      this.player.notice(null);
      this.change(this.script.base ?? [], this.player.cues.loadedCues);
      this.keepDraft();
    };
    this.player.notice(text.ask_discard, [[text.save.discard, drop], [text.keep_editing, () => this.player.notice(null), true]], "warn");
  }

  async save() {
    if (this.#saving || !this.dirty) return;
    const { player, script } = this;
    const sent = script.segments;
    this.#saving = true;
    this.#showBar();
    try {
      const body = { version: script.version, segments: toSave(sent), cues: player.cues.toSave() };
      await player.ask("/transcript", { method: "PUT", body });
      this.#saved = sent;
      this.#hasOfferedDraft = false;
      this.keepDraft();
      await script.load();
      player.notice(fill(player.text.saved, { version: script.version }), [[player.text.close, () => player.notice(null)]], "good");
    } catch (error) {
      this.keepDraft();
      if (error instanceof ApiError && error.code === "transcript_moved") await this.#rebase();
      else this.#notSaved(error, () => this.save());
    } finally {
      this.#saving = false;
      this.#showBar();
    }
  }

  /**
   * @param {unknown} error
   * @param {() => void} again
   */
  #notSaved(error, again) {
    const { text } = this.player;
    this.player.notice(fill(text.not_saved, { why: messageOf(error) }), [[text.again, again, true]], "warn");
  }

  /** @param {number} version - which somebody else has saved */
  overtaken(version) {
    const { text } = this.player;
    this.player.notice(fill(text.overtaken, { version }), [[text.put_on_top, () => this.#rebase(), true]], "warn");
  }

  /** Put the changes made here on top of the version that somebody else has saved meanwhile. */
  async #rebase() {
    const { player, script } = this;
    const { text } = player;
    let theirs;
    try {
      theirs = await player.ask("/transcript");
    } catch (error) {
      return this.#notSaved(error, () => this.#rebase());
    }
    const [base, mine] = [script.base ?? [], script.segments];
    const cues = player.cues.edits ? player.cues.cues : null;
    script.take(theirs);
    const { segments, clash } = rebased(base, mine, script.base ?? []);
    this.change(segments, cues);
    this.start();
    /** @type {NoticeButton} */
    const save = [text.save.save, () => (player.notice(null), this.save()), true];
    const words = fill(clash ? text.both_changed : text.on_top, { all: clash, version: script.version });
    player.notice(words, [save, [text.see_theirs, () => player.open("versions")]], "warn");
  }

  /** Keep what is not saved in this browser; where all is, drop what it holds. */
  keepDraft() {
    const { base, segments, version } = this.script;
    clearTimeout(this.#draftTimer);
    if (!base) return;
    if (!this.dirty || segments === this.#saved) {
      if (!this.#hasOfferedDraft) this.drafts.drop();
      return;
    }
    const cues = this.player.cues.edits ? (this.player.cues.cues ?? undefined) : undefined;
    this.drafts.keep({ version, at: Date.now(), segments: toSave(segments), cues });
  }

  #offerDraft() {
    const draft = this.drafts.read();
    if (!draft?.segments || this.dirty) return;
    this.#hasOfferedDraft = true;
    const { text } = this.player;
    const drop = () => {
      this.#hasOfferedDraft = false;
      this.drafts.drop();
      this.player.notice(null);
    };
    const words = fill(text.draft, { at: instant(draft.at) });
    this.player.notice(words, [[text.take_up, () => this.#takeUp(draft), true], [text.save.discard, drop]], "warn");
  }

  /** @param {Draft} draft */
  async #takeUp(draft) {
    const { player, script } = this;
    let base = script.base ?? [];
    if (draft.version !== script.version) {
      try {
        base = ((await player.ask(`/versions/${draft.version}`)).segments ?? []).map(segmentOf);
      } catch (error) {
        return player.notice(messageOf(error), [], "warn");
      }
    }
    this.#hasOfferedDraft = false;
    player.notice(null);
    const mine = draft.segments.map((one) => (typeof one === "number" ? base[one] : segmentOfEdit(one)));
    this.start();
    if (base === script.base) return this.change(mine, draft.cues);
    const { segments, clash } = rebased(base, mine, script.base ?? []);
    this.change(segments, draft.cues);
    if (clash) player.notice(fill(player.text.both_changed, { all: clash, version: script.version }), [], "warn");
  }
}
