/**
 * Rows of recordings: real links that open in place, patched rather than drawn anew when a job moves.
 *
 * @import { JobListData, JobRow } from "../contracts.js"
 * @import { JobEvent, Mounted } from "../shared/mounted.js"
 */
import { find, isTyping, make, opensElsewhere } from "../shared/dom.js";
import { listen } from "../shared/event_hub.js";
import { locale } from "../shared/format.js";
import { actionsOn, idsFor } from "./actions.js";
import { BulkActions } from "./bulk_actions.js";
import { Filters } from "./filters.js";
import { newRow, patchRow } from "./row.js";
import { Refresh } from "./refresh.js";

const MOST_STATES = 2000;

/** @type {WeakMap<object, JobList>} */
const lists = new WeakMap();

/** @param {Mounted<JobListData>} mounted */
export default function mountJobList({ data, parentElement, setTriggerValue }) {
  const list = lists.get(parentElement) ?? new JobList(find(parentElement, ".jobs"), data);
  lists.set(parentElement, list);
  list.show(data, setTriggerValue);
  return () => {
    list.close();
    lists.delete(parentElement);
  };
}

export class JobList {
  /** @type {Map<string, import("./row.js").Row>} */
  rows = new Map();
  #ends = new AbortController();
  /** @type {Map<string, string>} states of jobs that are not shown */
  #states = new Map();

  /**
   * @param {HTMLElement} root
   * @param {JobListData} data
   */
  constructor(root, data) {
    this.root = root;
    this.data = data;
    this.refresh = new Refresh();
    this.filters = new Filters(find(root, ".narrow", HTMLFormElement), (changes) => this.#want(changes));
    this.bulk = new BulkActions(find(root, ".bulk"), this);
    const { signal } = this.#ends;
    document.addEventListener("visibilitychange", () => this.refresh.shown(), { signal });
    document.addEventListener("keydown", (event) => this.#key(event), { signal });
    signal.addEventListener("abort", listen((event) => this.#heard(event), { everybody: data.everybody }));
  }

  close() {
    this.#ends.abort();
    this.refresh.close();
  }

  /**
   * @param {JobListData} data
   * @param {(name: string, value: unknown) => void} trigger
   */
  show(data, trigger) {
    this.data = data;
    this.refresh.answered(data, trigger);
    this.#statistics();
    this.#tabs();
    this.filters.show(data);
    this.#rows();
    this.bulk.show();
    this.#pages();
  }

  /** @param {string} path */
  find(path) {
    return find(this.root, path);
  }

  /** @param {JobEvent} event */
  #heard(event) {
    if (event.missed) return this.refresh.soon(event.crowd);
    const { owner, everybody } = this.data;
    const isOthers = owner !== null && event.owner_id !== owner; // of others' jobs, only an administrator hears all
    if (isOthers && everybody && !this.rows.has(event.job_id)) return;
    const row = this.rows.get(event.job_id);
    const before = row?.job.state ?? this.#states.get(event.job_id);
    if (event.row && row) {
      patchRow(row, { ...row.job, ...event.row });
      this.bulk.show();
    }
    if (event.state) this.#states.set(event.job_id, event.state);
    if (this.#states.size > MOST_STATES) this.#states.clear();
    if (!event.row || before !== event.state) this.refresh.soon(event.crowd);
  }

  /** @param {Record<string, string | null>} changes - of what the address says; the list begins at its top */
  #want(changes) {
    this.bulk.chosen.clear();
    this.refresh.ask("want", { after: "", ...changes });
  }

  #statistics() {
    const items = this.data.facts.map(([name, value]) =>
      make("div", {}, make("dt", { className: "muted small" }, name), make("dd", { className: "number" }, value)),
    );
    this.find(".facts").replaceChildren(...items);
  }

  /** Links to the states that are shown; those that stay are elements that stay, so that focus does, too. */
  #tabs() {
    const place = this.find(".filters");
    const { filters } = this.data;
    while (place.children.length > filters.length) place.lastChild?.remove();
    while (place.children.length < filters.length) place.append(make("a"));
    for (const [at, { key, label, count, on }] of filters.entries()) {
      const link = /** @type {HTMLAnchorElement} */ (place.children[at]);
      const number = count === null ? [] : [make("span", { className: "number" }, count.toLocaleString(locale()))];
      link.href = `?show=${key}`;
      link.dataset.show = key;
      link.replaceChildren(label, ...number);
      if (on) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
      link.onclick = inPlace(() => this.#want({ show: key }));
    }
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.key !== "/" || event.metaKey || event.ctrlKey || event.altKey || isTyping(event)) return;
    event.preventDefault();
    this.find("input[name=name]").focus();
  }

  #pages() {
    const { after, first, text } = this.data;
    const nav = this.find(".pages");
    nav.hidden = !first && !after;
    nav.ariaLabel = text.pages;
    const go = (/** @type {string | null} */ to) => () => {
      this.#want({ after: to });
      this.root.scrollIntoView({ block: "start" });
    };
    const [top, next] = pageButtons(nav);
    Object.assign(top, { textContent: text.top, hidden: !first, onclick: go("") });
    Object.assign(next, { textContent: text.next, hidden: !after, onclick: go(after) });
  }

  #rows() {
    const { data, rows } = this;
    const place = this.find("ul");
    const nothing = this.find(".nothing");
    nothing.hidden = data.rows.length > 0;
    nothing.textContent = data.nothing;
    const wanted = new Set(data.rows.map((row) => row.id));
    for (const [id, row] of rows) {
      if (wanted.has(id)) continue;
      row.item.remove();
      rows.delete(id);
      this.bulk.chosen.delete(id);
    }
    const isChoosing = actionsOn(data.actions, data.deleted).some((action) => idsFor(action, data.rows).length);
    for (const [at, job] of data.rows.entries()) {
      const row = rows.get(job.id) ?? this.#newRow(job);
      rows.set(job.id, row);
      if (place.children[at] !== row.item) place.insertBefore(row.item, place.children[at] ?? null);
      row.tickLabel.hidden = !isChoosing;
      patchRow(row, job);
    }
  }

  /** @param {JobRow} job */
  #newRow(job) {
    const row = newRow(job);
    row.link.onclick = inPlace(() => this.refresh.ask("open", job.id));
    row.tick.onchange = () => this.bulk.choose(job.id, row.tick.checked);
    return row;
  }
}

/** @param {HTMLElement} nav */
function pageButtons(nav) {
  while (nav.children.length < 2) nav.append(make("button", { type: "button", className: "button" }));
  return nav.children;
}

/**
 * A plain click stays on the page; with a modifier it is a link like any other.
 *
 * @param {() => void} act
 * @returns {(event: MouseEvent) => void}
 */
function inPlace(act) {
  return (event) => {
    if (opensElsewhere(event)) return;
    event.preventDefault();
    act();
  };
}
