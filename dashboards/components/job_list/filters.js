/**
 * What narrows the list down: a name, an order, dates, language, model, tag, owner.
 *
 * @import { JobListData } from "../contracts.js"
 */
import { differs, find } from "../shared/dom.js";

const NARROWING = /** @type {const} */ (["from", "to", "language", "model", "tag", "owner"]);
const FIELDS = /** @type {const} */ (["sort", ...NARROWING]);
const NOTHING = { name: "", from: "", to: "", language: "", model: "", tag: "", owner: "" };

export class Filters {
  /** @type {string | undefined} what the name's field was last filled with */
  #name = undefined;

  /**
   * @param {HTMLFormElement} form
   * @param {(changes: Record<string, string>) => void} want
   */
  constructor(form, want) {
    this.form = form;
    this.want = want;
    const name = this.#field("name");
    const details = find(form, "details", HTMLDetailsElement);
    name.onchange = () => want({ name: name.value.trim() });
    // Enter is a change already; asked for again, the name could come back after the browser's Back has taken it away.
    form.onsubmit = (event) => event.preventDefault();
    for (const one of FIELDS) this.#field(one).onchange = () => want({ [one]: this.#field(one).value });
    find(form, ".clear").onclick = () => want(NOTHING);
    details.onkeydown = (event) => {
      if (event.key === "Escape") details.open = false;
    };
  }

  /**
   * @param {string} name
   * @returns {HTMLInputElement | HTMLSelectElement}
   */
  #field(name) {
    return find(this.form, `[name=${name}]`);
  }

  /** @param {JobListData} data */
  show(data) {
    const { form } = this;
    const { query, text } = data;
    form.hidden = data.deleted;
    this.#choices(data);
    for (const name of FIELDS) {
      const field = this.#field(name);
      find(/** @type {HTMLElement} */ (field.closest("label")), "span").textContent = text[name];
      if (!this.#isTypedIn(field)) field.value = query[name] || (name === "sort" ? "newest" : "");
    }
    this.#showName(data);
    const on = NARROWING.filter((name) => query[name]).length;
    find(form, "summary").textContent = on ? `${text.filter} (${on})` : text.filter;
    const clear = find(form, ".clear");
    clear.textContent = text.clear;
    clear.hidden = !data.narrowed;
  }

  /** @param {JobListData} data */
  #choices({ languages, models, tags, owners, text }) {
    options(this.#select("sort"), Object.entries(text.sorts));
    options(this.#select("language"), [["", text.any], ...languages]);
    options(this.#select("model"), [["", text.any], ...models.map((name) => [name, name])]);
    options(this.#select("tag"), [["", text.any], ...tags.map((name) => [name, name])]);
    /** @type {HTMLElement} */ (this.#select("tag").closest("label")).hidden = !tags.length;
    options(this.#select("owner"), [["", text.any], ...owners]);
    /** @type {HTMLElement} */ (this.#select("owner").closest("label")).hidden = !owners.length;
  }

  /** @param {string} name */
  #select(name) {
    return find(this.form, `[name=${name}]`, HTMLSelectElement);
  }

  /** @param {JobListData} data */
  #showName({ query, text }) {
    const name = find(this.form, "[name=name]", HTMLInputElement);
    name.placeholder = text.name;
    name.ariaLabel = text.name;
    if (!this.#isTypedIn(name) || query.name !== this.#name) name.value = query.name ?? "";
    this.#name = query.name;
  }

  /** @param {HTMLElement} field */
  #isTypedIn(field) {
    return /** @type {Document | ShadowRoot} */ (this.form.getRootNode()).activeElement === field;
  }
}

/**
 * Give a select its options, unless it has them.
 *
 * @param {HTMLSelectElement} select
 * @param {string[][]} all - value and label of each
 */
export function options(select, all) {
  if (differs(select, all)) select.replaceChildren(...all.map(([value, label]) => new Option(label, value)));
}
