/**
 * What stands beside the transcript: what to review first, notes, versions. Each is fetched when it is looked at.
 *
 * @import { FindingRow } from "../contracts.js"
 * @import { Note, StoredRedecoding, StoredSeam, Version, VersionChange } from "./api.js"
 * @import { Player } from "./player.js"
 * @import { Sheet } from "./sheet_tabs.js"
 */
import { make, messageOf } from "../shared/dom.js";
import { clock, decimal, fill, instant } from "../shared/format.js";
import { redraw } from "../shared/redraw.js";
import { momentButton, quietButton, sureButton } from "./buttons.js";
import { wordDiff } from "./word_diff.js";

const DIFF_TAGS = /** @type {const} */ ({ same: "span", removed: "del", added: "ins" });

export class Panels {
  #isWriting = false;

  /** @param {Player} player */
  constructor(player) {
    this.player = player;
    this.text = player.text;
  }

  /** @param {Sheet} name */
  sheet(name) {
    return this.player.find(`.sheet[data-sheet=${name}]`);
  }

  /** @param {Sheet} name */
  show(name) {
    if (name === "review") this.#review();
    if (name === "notes") this.#notes();
    if (name === "versions") this.#versions();
  }

  /** A transcript has been loaded. */
  loaded() {
    this.player.tabs.badge("review", this.player.data.findings.length);
    this.refresh();
  }

  /** Something has changed on the server: draw what is open anew, unless somebody is writing in it. */
  refresh() {
    this.player.tabs.badge("notes", this.player.data.notes);
    const { sheet } = this.player;
    if (["review", "versions"].includes(sheet) || (sheet === "notes" && !this.#isWriting)) this.show(sheet);
  }

  /**
   * @param {Sheet} name
   * @param {string} words
   */
  #empty(name, words) {
    this.sheet(name).replaceChildren(make("p", { className: "empty muted" }, words));
  }

  /** @param {number} at_s */
  #moment(at_s) {
    return momentButton(this.player, at_s, (to_s) => this.player.script.reach(to_s));
  }

  /* Review ------------------------------------------------------------------------------------------------- */

  #review() {
    const { text } = this;
    const { findings } = this.player.data;
    const { reheard = [], seams = [] } = this.player.script.stored;
    /** @type {HTMLElement[]} */
    const parts = [make("p", { className: "empty muted" }, text.nothing_found)];
    if (findings.length) {
      const rows = findings.map((one) => this.#finding(one));
      parts.splice(0, 1, make("p", { className: "small muted" }, text.review_lead), make("ol", { className: "rows" }, ...rows));
    }
    const twice = fill(reheard.length === 1 ? text.reheard_one : text.reheard, { all: reheard.length });
    if (reheard.length) parts.push(this.#details("reheard", twice, reheard.map((one) => this.#redecoding(one))));
    const joined = fill(seams.length === 1 ? text.seams_one : text.seams, { all: seams.length });
    if (seams.length) parts.push(this.#details("seams", joined, seams.map((one) => this.#seam(one))));
    redraw(this.sheet("review"), ...parts);
  }

  /** @param {FindingRow} finding */
  #finding(finding) {
    const row = make("li", { className: "row" }, this.#moment(finding.start_s), make("span", {}, finding.words));
    row.classList.toggle("done", this.#looksDone(finding));
    return row;
  }

  /**
   * A finding is done with when a person has written every word in its place.
   *
   * @param {FindingRow} finding
   */
  #looksDone(finding) {
    const { segments } = this.player.script;
    const inside = segments.filter((segment) => segment.start < finding.end_s && segment.end > finding.start_s);
    const words = inside.flatMap((segment) => segment.words);
    return words.length > 0 && words.every((word) => word.p === 1);
  }

  /**
   * @param {string} name
   * @param {string} title
   * @param {HTMLElement[]} rows
   */
  #details(name, title, rows) {
    const details = make("details", { className: "more" }, make("summary", {}, title), make("ol", { className: "rows" }, ...rows));
    details.dataset.of = name;
    return details;
  }

  /** @param {StoredRedecoding} one */
  #redecoding(one) {
    const [kept, other] = one.kept === "second" ? [one.second_text, one.first_text] : [one.first_text, one.second_text];
    const which = one.kept === "second" ? this.text.kept.second : this.text.kept.first;
    const about = make("span", { className: "small muted" }, `${which}: ${one.doubts.join(", ")}`);
    const texts = [make("ins", {}, kept.trim() || this.text.silence), make("del", {}, other.trim() || this.text.silence)];
    return make("li", { className: "row" }, this.#moment(one.start_s), make("span", {}, about, ...texts));
  }

  /** @param {StoredSeam} one */
  #seam(one) {
    const { text } = this;
    const overlap = fill(text.seam_overlap, { all: one.agreed });
    const how = one.overlap_s > 0 ? overlap : fill(text.seam_silence, { seconds: decimal(one.silence_s, 1) });
    const sides = [one.before, one.after].map((side) => side.trim() || text.silence).join(" | ");
    const about = make("span", { className: "small muted" }, [how, one.doubt].filter(Boolean).join(" · "));
    return make("li", { className: "row" }, this.#moment(one.at_s), make("span", {}, sides, about));
  }

  /* Notes -------------------------------------------------------------------------------------------------- */

  async #notes() {
    /** @type {Note[]} */
    let found;
    try {
      found = await this.player.ask("/notes");
    } catch (error) {
      return this.#empty("notes", messageOf(error));
    }
    this.player.tabs.badge("notes", found.length);
    const list = make("ol", { className: "rows" }, ...found.map((note) => this.#note(note)));
    /** @type {HTMLElement[]} */
    const parts = [found.length ? list : make("p", { className: "empty muted" }, this.text.no_notes)];
    if (this.player.data.may_edit) parts.push(this.#noteForm());
    this.#isWriting = false;
    redraw(this.sheet("notes"), ...parts);
  }

  /** @param {Note} note */
  #note(note) {
    const about = `${note.made_by} · ${instant(note.changed_at ?? note.made_at)}`;
    const moment = typeof note.at_s === "number" ? this.#moment(note.at_s) : make("span", { className: "moment muted" }, "—");
    const words = make("span", {}, make("span", { className: "said" }, note.text), make("span", { className: "small muted" }, about));
    const row = make("li", { className: "row" }, moment, words);
    row.dataset.of = note.id;
    if (!this.player.data.may_edit) return row;
    const change = quietButton(this.text.change, () => row.replaceWith(this.#noteForm(note)));
    const remove = sureButton(this.text.remove, this.text.sure_of_it, () => this.#send(`/notes/${note.id}`, "DELETE"));
    row.append(make("span", { className: "acts" }, change, remove));
    return row;
  }

  /** @param {Note | null} [note] - which is changed; none is a new one */
  #noteForm(note = null) {
    const { text } = this;
    const area = make("textarea", { rows: 3, value: note?.text ?? "", placeholder: text.note, ariaLabel: text.note });
    area.oninput = () => {
      this.#isWriting = area.value.trim() !== "";
    };
    area.onfocus = () => {
      this.#isWriting = true;
    };
    area.onblur = () => {
      this.#isWriting = area.value.trim() !== "";
    };
    const moment = make("input", { type: "checkbox", checked: note ? typeof note.at_s === "number" : true });
    const at_s = () => note?.at_s ?? this.player.now_s;
    const label = make("span", { className: "number" });
    const tell = () => (label.textContent = fill(text.note_at, { time: clock(at_s()) }));
    tell();
    this.player.on(this.player.video, "timeupdate", tell);
    const save = make("button", { type: "submit", className: "button small primary" }, note ? text.save.save : text.add_note);
    const form = make("form", { className: "noting" }, area, make("label", { className: "small" }, moment, label), save);
    form.onsubmit = (event) => {
      event.preventDefault();
      if (!area.value.trim()) return area.focus();
      const body = { text: area.value, at_s: moment.checked ? Math.round(at_s() * 10) / 10 : null };
      this.#send(note ? `/notes/${note.id}` : "/notes", note ? "PUT" : "POST", body);
    };
    form.onkeydown = (event) => {
      if ((event.ctrlKey || event.metaKey) && event.key === "Enter") form.requestSubmit();
    };
    return form;
  }

  /**
   * @param {string} path
   * @param {"POST" | "PUT" | "DELETE"} method
   * @param {unknown} [body]
   */
  async #send(path, method, body) {
    try {
      await this.player.ask(path, { method, body });
      this.#isWriting = false;
      await this.#notes();
    } catch (error) {
      this.player.notice(messageOf(error), [[this.text.close, () => this.player.notice(null)]], "warn");
    }
  }

  /* Versions ----------------------------------------------------------------------------------------------- */

  async #versions() {
    /** @type {Version[]} */
    let found;
    try {
      found = await this.player.ask("/versions");
    } catch (error) {
      return this.#empty("versions", messageOf(error));
    }
    const rows = found.map((version) => this.#version(version, found[0]));
    const lead = make("p", { className: "small muted" }, found.length > 1 ? this.text.versions_lead : this.text.one_version);
    redraw(this.sheet("versions"), lead, make("ol", { className: "rows" }, ...rows));
  }

  /**
   * @param {Version} version
   * @param {Version} current
   */
  #version(version, current) {
    const { text } = this;
    const changed = fill(version.changed === 1 ? text.changed_one : text.changed_all, { all: version.changed });
    const who = version.made_by === "engine" ? text.engine : version.made_by;
    const about = [who, instant(version.made_at), version.note, version.changed ? changed : ""].filter(Boolean).join(" · ");
    const mark = version === current ? [make("span", { className: "pill completed" }, text.current), " "] : [];
    const number = make("b", { className: "moment number" }, String(version.version));
    const row = make("li", { className: "row version" }, number, make("span", {}, ...mark, about));
    row.dataset.of = `version-${version.version}`;
    const acts = make("span", { className: "acts" });
    if (version.version > 1) {
      const see = quietButton(text.see_changes, () => this.#changes(row, version, see));
      see.ariaExpanded = "false";
      acts.append(see);
    }
    if (version !== current && this.player.data.may_edit) {
      acts.append(sureButton(text.restore, text.sure_of_it, () => this.#restore(version, current)));
    }
    row.append(acts);
    return row;
  }

  /**
   * @param {HTMLElement} row
   * @param {Version} version
   * @param {HTMLButtonElement} button
   */
  async #changes(row, version, button) {
    const there = row.querySelector(".changes");
    button.ariaExpanded = String(!there);
    if (there) return there.remove();
    try {
      /** @type {VersionChange[]} */
      const found = await this.player.ask(`/versions/${version.version}/changes`);
      row.append(make("ol", { className: "changes rows" }, ...found.map((one) => this.#change(one))));
    } catch (error) {
      row.append(make("p", { className: "changes small" }, messageOf(error)));
    }
  }

  /** @param {VersionChange} one */
  #change(one) {
    const parts = wordDiff(one.before.join(" "), one.after.join(" "));
    const words = parts.flatMap(({ kind, text }) => [make(DIFF_TAGS[kind], {}, text), " "]);
    return make("li", { className: "row" }, this.#moment(one.start_s), make("span", {}, ...words));
  }

  /**
   * @param {Version} version
   * @param {Version} current
   */
  async #restore(version, current) {
    const { player, text } = this;
    const close = /** @type {const} */ ([text.close, () => player.notice(null)]);
    if (player.editor?.dirty) return player.notice(text.save_first, [close], "warn");
    try {
      await player.ask(`/versions/${version.version}/restore`, { method: "POST", body: { version: current.version } });
      await player.script.load();
      player.notice(fill(text.restored, { version: version.version }), [close], "good");
    } catch (error) {
      player.notice(messageOf(error), [], "warn");
      this.#versions();
    }
  }
}
