/**
 * What is done to several recordings at once.
 *
 * @import { ListAction } from "../contracts.js"
 * @import { JobList } from "./job_list.js"
 */
import { differs, find, make } from "../shared/dom.js";
import { fill } from "../shared/format.js";
import { sitePath } from "../shared/site_path.js";
import { actionsOn, idsFor } from "./actions.js";
import { options } from "./filters.js";

export class BulkActions {
  /** @type {Set<string>} the ids of the ticked rows */
  chosen = new Set();
  /** @type {ListAction | null} what is asked about before it is done */
  #confirming = null;
  #format = "";
  #tags = "";

  /**
   * @param {HTMLElement} bar
   * @param {JobList} list
   */
  constructor(bar, list) {
    this.bar = bar;
    this.list = list;
  }

  /**
   * @param {string} id
   * @param {boolean} isChosen
   */
  choose(id, isChosen) {
    if (isChosen) this.chosen.add(id);
    else this.chosen.delete(id);
    this.show();
  }

  show() {
    const { bar, chosen } = this;
    const { rows } = this.list;
    bar.hidden = !rows.size;
    bar.classList.toggle("idle", !chosen.size);
    for (const [id, row] of rows) row.tick.checked = chosen.has(id);
    if (!chosen.size) this.#confirming = null;
    const { text } = this.list.data;
    const all = find(bar, ".all input", HTMLInputElement);
    all.checked = chosen.size > 0 && chosen.size === rows.size;
    all.indeterminate = chosen.size > 0 && !all.checked;
    all.ariaLabel = text.all;
    all.onchange = () => {
      this.chosen = new Set(all.checked ? rows.keys() : []);
      this.show();
    };
    find(bar, "b").textContent = chosen.size ? fill(text.chosen, { n: chosen.size }) : text.all;
    const actions = this.#possible();
    if (!differs(bar, [actions, [...chosen], this.#confirming, actions.map((action) => this.#idsFor(action))])) return;
    const shown = this.#confirming ? this.#question(this.#confirming) : actions.map((action) => this.#control(action));
    find(bar, ".acts").replaceChildren(...shown);
  }

  /**
   * The chosen rows that an action fits.
   *
   * @param {ListAction} action
   */
  #idsFor(action) {
    const { rows } = this.list;
    return idsFor(action, [...this.chosen].flatMap((id) => rows.get(id)?.job ?? []));
  }

  #possible() {
    const { actions, deleted } = this.list.data;
    return actionsOn(actions, deleted).filter((action) => this.#idsFor(action).length);
  }

  /** @param {ListAction} action */
  #control(action) {
    const ids = this.#idsFor(action);
    const label = `${action.label}${ids.length === this.chosen.size ? "" : ` (${ids.length})`}`;
    if (action.name === "download") return this.#download(label, ids);
    if (action.name === "tag") return this.#tagging(action);
    const button = make("button", { type: "button", className: "button" }, label);
    button.dataset.act = action.name;
    button.onclick = () => {
      if (!action.confirm) return this.#do(action);
      this.#confirming = action;
      this.show();
      find(this.bar, ".acts button").focus();
    };
    return button;
  }

  /**
   * @param {string} label
   * @param {string[]} ids
   */
  #download(label, ids) {
    const { text } = this.list.data;
    const link = make("a", { className: "button", download: "" }, label);
    link.dataset.act = "download";
    const formats = make("select", { ariaLabel: text.format });
    options(formats, [["", text.usual_formats], ...Object.entries(text.formats)]);
    formats.value = this.#format;
    const address = () => {
      this.#format = formats.value;
      const query = new URLSearchParams(ids.map((id) => ["id", id]));
      if (this.#format) query.set("format", this.#format);
      link.href = sitePath(`/downloads?${query}`);
    };
    formats.onchange = address;
    address();
    return make("span", { className: "with" }, formats, link);
  }

  /**
   * A field for tags, with a button that adds them to the chosen recordings and one that takes them away.
   *
   * @param {ListAction} action
   */
  #tagging(action) {
    const { tags, text } = this.list.data;
    const known = make("datalist", { id: "known-tags" }, ...tags.map((tag) => new Option(tag, tag)));
    const field = make("input", { type: "text", maxLength: 200, placeholder: action.label, ariaLabel: text.tags_field });
    field.setAttribute("list", known.id);
    field.value = this.#tags;
    field.oninput = () => {
      this.#tags = field.value;
    };
    const act = (/** @type {boolean} */ remove) => () => {
      if (!field.value.trim()) return field.focus();
      this.#tags = "";
      this.#do(action, { tags: field.value, remove });
    };
    field.onkeydown = (event) => {
      if (event.key === "Enter") act(false)();
    };
    const add = make("button", { type: "button", className: "button", onclick: act(false) }, text.tags_add);
    const remove = make("button", { type: "button", className: "button", onclick: act(true) }, text.tags_remove);
    add.dataset.act = "tag";
    remove.dataset.act = "untag";
    return make("span", { className: "with" }, field, known, add, remove);
  }

  /** @param {ListAction} action */
  #question(action) {
    const { rows, data } = this.list;
    const { text } = data;
    const ids = this.#idsFor(action);
    const what = ids.length === 1 ? (rows.get(ids[0])?.job.name ?? "") : fill(text.several, { n: ids.length });
    const words = fill(action.confirm ?? "", { n: what });
    const yes = make("button", { type: "button", className: "button danger", onclick: () => this.#do(action) }, action.label);
    yes.dataset.act = `${action.name}-sure`;
    const no = make("button", { type: "button", className: "button" }, text.keep);
    no.onclick = () => {
      this.#confirming = null;
      this.show();
    };
    return [make("span", { className: "question", role: "alert" }, words), yes, no];
  }

  /**
   * @param {ListAction} action
   * @param {Record<string, unknown>} [more]
   */
  #do(action, more = {}) {
    this.list.refresh.ask("bulk", { act: action.name, ids: this.#idsFor(action), at: Date.now(), ...more });
    this.chosen.clear();
    this.show();
  }
}
