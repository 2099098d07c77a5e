/**
 * The search box and what was found: real links that open in place, text that is never taken for markup.
 *
 * @import { SearchData, SearchMoment, SearchResult } from "../contracts.js"
 * @import { Mounted } from "../shared/mounted.js"
 */
import { find, isTyping, make, opensElsewhere } from "../shared/dom.js";
import { redraw } from "../shared/redraw.js";
import { sitePath } from "../shared/site_path.js";

const AGAIN_MS = 2000;

/** @type {WeakMap<object, { q: string, stop: () => void }>} */
const searches = new WeakMap();

/** @param {Mounted<SearchData>} mounted */
export default function mountSearch({ data, parentElement, setTriggerValue }) {
  const root = find(parentElement, ".search");
  const { text } = data;
  const box = find(root, "input[type=search]", HTMLInputElement);
  const everybody = find(root, ".everybody input", HTMLInputElement);
  const ask = (q = box.value.trim(), page = 1) => setTriggerValue("ask", { q, page, everybody: everybody.checked });
  const before = searches.get(parentElement);
  before?.stop();
  label();
  if (before?.q !== data.q) {
    box.value = data.q;
    if (!data.q) box.focus({ preventScroll: true });
  }
  showText(find(root, ".behind"), data.behind);
  showText(find(root, ".count"), data.count);
  list(find(root, ".hints"), data.hints.map((hint) => make("li", {}, hint)));
  find(root, ".results").replaceChildren(...data.results.map(result));
  pages();
  start();
  searches.set(parentElement, { q: data.q, stop: watch() });
  return () => searches.get(parentElement)?.stop();

  function label() {
    box.placeholder = text.placeholder;
    box.ariaLabel = text.label;
    find(root, "form .button").textContent = text.submit;
    find(root, ".everybody").hidden = data.everybody === null;
    find(root, ".everybody span").textContent = text.everybody;
    everybody.checked = data.everybody === true;
    everybody.onchange = () => ask();
    find(root, "form").onsubmit = (event) => {
      event.preventDefault();
      ask();
    };
  }

  /** Listen for the key that leads to the box, and look again while the index is not whole. */
  function watch() {
    const ends = new AbortController();
    document.addEventListener("keydown", key, { signal: ends.signal });
    const timer = data.behind ? setTimeout(() => setTriggerValue("again", Date.now()), AGAIN_MS) : 0;
    ends.signal.addEventListener("abort", () => clearTimeout(timer));
    return () => ends.abort();
  }

  /** @param {KeyboardEvent} event */
  function key(event) {
    if (event.key !== "/" || event.metaKey || event.ctrlKey || event.altKey || isTyping(event)) return;
    event.preventDefault();
    box.focus();
    box.select();
  }

  /** @param {SearchResult} found */
  function result(found) {
    const moments = make("ul", { className: "moments" }, ...found.moments.map((one) => moment(found.id, one)));
    const about = make("div", { className: "about muted small" }, found.about);
    const item = make("li", {}, link("name", [found.name], found.id), about, moments);
    item.dataset.job = found.id;
    if (found.more) item.append(link("more muted small", [found.more], found.id, found.moments.at(-1)?.start_s));
    return item;
  }

  /**
   * @param {string} id
   * @param {SearchMoment} one
   */
  function moment(id, one) {
    const speaker = one.speaker ? [make("b", { className: "speaker" }, one.speaker)] : [];
    const parts = one.parts.map(([words, isMarked]) => (isMarked ? make("mark", {}, words) : words));
    const said = make("span", { className: "said" }, ...speaker, ...parts);
    return make("li", {}, link("", [make("span", { className: "time" }, one.time), said], id, one.start_s));
  }

  /**
   * @param {string} className
   * @param {(Node | string)[]} inside
   * @param {string} id
   * @param {number} [start_s]
   */
  function link(className, inside, id, start_s) {
    const href = sitePath(`/job?id=${encodeURIComponent(id)}${start_s === undefined ? "" : `&t=${start_s}`}`);
    const made = make("a", { href, className }, ...inside);
    made.onclick = (event) => {
      if (opensElsewhere(event)) return;
      event.preventDefault();
      setTriggerValue("open", { id, t: start_s ?? null });
    };
    return made;
  }

  function pages() {
    const nav = find(root, ".pages");
    nav.hidden = data.pages < 2;
    nav.ariaLabel = text.pages;
    /**
     * @param {string} words
     * @param {number} page
     * @param {boolean} isThere
     */
    const button = (words, page, isThere) => {
      const made = make("button", { type: "button", className: "button", disabled: !isThere }, words);
      made.onclick = () => {
        ask(data.q, page);
        root.scrollIntoView({ block: "start" });
      };
      return made;
    };
    redraw(
      nav,
      button(text.before, data.page - 1, data.page > 1),
      make("span", { className: "muted small number" }, data.place),
      button(text.after, data.page + 1, data.page < data.pages),
    );
  }

  function start() {
    find(root, ".start").hidden = Boolean(data.q);
    find(root, ".recent").hidden = !data.recent.length;
    find(root, ".recent h2").textContent = text.recent;
    list(find(root, ".recent p"), data.recent.map(tryOut));
    find(root, ".start > h2").textContent = text.examples;
    const examples = data.examples.flatMap(([q, words]) => [make("dt", {}, tryOut(q)), make("dd", {}, words)]);
    find(root, ".start dl").replaceChildren(...examples);
  }

  /** @param {string} q */
  function tryOut(q) {
    return make("button", { type: "button", className: "button try", onclick: () => ask(q) }, q);
  }
}

/**
 * @param {HTMLElement} place
 * @param {string | null} words
 */
function showText(place, words) {
  place.hidden = !words;
  place.textContent = words ?? "";
}

/**
 * @param {HTMLElement} place
 * @param {HTMLElement[]} items
 */
function list(place, items) {
  place.hidden = !items.length;
  place.replaceChildren(...items);
}
