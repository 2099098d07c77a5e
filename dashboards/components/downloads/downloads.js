/**
 * Links with `download`, so that the browser saves a file under the recording's name. A file that is not made yet is
 * asked for first, so that a refusal is told here instead of being saved as a file.
 *
 * @import { CueSettings, DownloadsData } from "../contracts.js"
 * @import { Mounted } from "../shared/mounted.js"
 */
import { find, make } from "../shared/dom.js";
import { fill } from "../shared/format.js";
import { addressOf } from "./address.js";

const SLOW_MS = 400;
const PICTURE =
  '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M12 4v11m0 0-5-5m5 5 5-5M5 20h14"/></svg>';

/** @param {Mounted<DownloadsData>} mounted */
export default function mountDownloads({ data, parentElement }) {
  const root = find(parentElement, ".downloads");
  const form = find(root, "form", HTMLFormElement);
  const inputs = [...form.querySelectorAll("input")];
  const { captions, files, text } = data;
  label(root, data);
  if (form.dataset.filled !== files[0].url) {
    form.dataset.filled = files[0].url;
    for (const input of inputs) fillIn(input, captions[nameOf(input)]);
  }
  const links = files.map((file) => ({ file, link: linkTo(file) }));
  for (const { file, link } of links) {
    if (file.format === "file") continue;
    link.onclick = (event) => {
      event.preventDefault();
      if (link.ariaBusy !== "true") download(file, link);
    };
  }
  find(root, "ul").replaceChildren(...links.map(({ link }) => make("li", {}, link)));
  form.oninput = showAddresses;
  form.onreset = () => setTimeout(showAddresses);
  form.onsubmit = (event) => event.preventDefault();
  showAddresses();

  function chosen() {
    return inputs.map((input) => ({ name: nameOf(input), value: input.type === "checkbox" ? input.checked : input.valueAsNumber }));
  }

  function showAddresses() {
    for (const { file, link } of links) link.href = addressOf(file, chosen(), captions);
  }

  /**
   * @param {string} words
   * @param {boolean} [isTrouble]
   */
  function say(words, isTrouble = false) {
    const news = find(root, ".news");
    news.textContent = words;
    news.hidden = !words;
    news.classList.toggle("trouble", isTrouble);
  }

  /**
   * @param {DownloadsData["files"][number]} file
   * @param {HTMLAnchorElement} link
   */
  async function download(file, link) {
    if (!inputs.filter((input) => file.settings.includes(input.name)).every((input) => input.reportValidity())) return;
    const url = addressOf(file, chosen(), captions);
    link.ariaBusy = "true";
    const slow = setTimeout(() => say(fill(text.making, { format: file.format.toUpperCase() })), SLOW_MS);
    try {
      const answer = await fetch(url, { method: "HEAD" });
      if (answer.ok) {
        say("");
        make("a", { href: url, download: file.name }).click();
      } else say((await reasonOf(url)) ?? text.away, true);
    } catch {
      say(text.away, true);
    } finally {
      clearTimeout(slow);
      link.removeAttribute("aria-busy");
    }
  }
}

/**
 * @param {HTMLElement} root
 * @param {DownloadsData} data
 */
function label(root, { text }) {
  for (const spot of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll("[data-text]"))) {
    spot.textContent = text[/** @type {keyof typeof text} */ (spot.dataset.text)];
  }
  find(root, "summary").textContent = text.captions;
}

/** @param {HTMLInputElement} input */
function nameOf(input) {
  return /** @type {keyof CueSettings} */ (input.name);
}

/**
 * @param {HTMLInputElement} input
 * @param {number | boolean} value
 */
function fillIn(input, value) {
  if (typeof value === "boolean") input.defaultChecked = input.checked = value;
  else input.defaultValue = input.value = String(value);
}

/** @param {DownloadsData["files"][number]} file */
function linkTo(file) {
  const about = make("span", { className: "small" }, file.about);
  const link = make("a", { download: file.name }, make("b", {}, formatOf(file).toUpperCase()), about);
  link.dataset.format = file.format;
  link.insertAdjacentHTML("beforeend", PICTURE);
  return link;
}

/**
 * Return what stands for a file's format; the original's is the ending of its name.
 *
 * @param {DownloadsData["files"][number]} file
 */
function formatOf({ format, name }) {
  return format === "file" ? (/\.(\w{1,5})$/.exec(name)?.[1] ?? "…") : format;
}

/**
 * Return why the server refuses an address, in its own words.
 *
 * @param {string} url
 * @returns {Promise<string | undefined>}
 */
async function reasonOf(url) {
  const answer = await fetch(url);
  const refusal = answer.ok ? null : await answer.json().catch(() => null);
  return refusal?.error?.message;
}
