/**
 * A plain form, so that password managers know it; sent by fetch, so that a refusal is shown in place. Which fields
 * it has comes with the data: it lets in, makes accounts, and sets passwords.
 *
 * @import { LoginData } from "../contracts.js"
 * @import { Mounted } from "../shared/mounted.js"
 */
import { find, make } from "../shared/dom.js";
import { sitePath } from "../shared/site_path.js";

/** @type {WeakSet<HTMLFormElement>} */
const ready = new WeakSet();

/** @param {Mounted<LoginData>} mounted */
export default function mountLogin({ data, parentElement }) {
  const root = find(parentElement, ".login");
  const form = find(root, "form", HTMLFormElement);
  if (ready.has(form)) return;
  ready.add(form);
  const { text } = data;
  form.action = sitePath(data.action);
  find(form, ".fields").append(...data.fields.map((field) => fieldOf(field, text)));
  find(form, "[type=submit]").textContent = text.submit;
  form.onsubmit = (event) => {
    event.preventDefault();
    submit(form, data);
  };
  const first = form.querySelector("input:not([type=hidden])");
  if (first instanceof HTMLElement && matchMedia("(pointer: fine)").matches) first.focus({ preventScroll: true });
  if (data.provider) {
    const link = find(root, ".provider", HTMLAnchorElement);
    link.hidden = false;
    link.textContent = data.provider;
    link.href = sitePath(`/auth/oidc/start?next=${encodeURIComponent(location.pathname + location.search)}`);
  }
}

/**
 * @param {Record<string, string>} wanted
 * @param {LoginData["text"]} text
 */
function fieldOf(wanted, text) {
  const input = make("input");
  const { label, hint, ...attributes } = wanted;
  for (const [name, value] of Object.entries(attributes)) input.setAttribute(name, value);
  if (wanted.type === "hidden") return input;
  const typed = wanted.type === "password" ? withReveal(input, text) : input;
  const help = hint ? [make("span", { className: "hint muted small" }, hint)] : [];
  return make("label", {}, make("span", {}, label), typed, ...help);
}

/**
 * Put a button beside a password that shows and hides it.
 *
 * @param {HTMLInputElement} input
 * @param {LoginData["text"]} text
 */
function withReveal(input, text) {
  const reveal = make("button", { type: "button", className: "button quiet reveal", ariaPressed: "false" }, text.show);
  reveal.onclick = () => {
    const shown = input.type === "text";
    input.type = shown ? "password" : "text";
    reveal.textContent = shown ? text.show : text.hide;
    reveal.ariaPressed = String(!shown);
  };
  return make("span", { className: "secret" }, input, reveal);
}

/**
 * @param {HTMLFormElement} form
 * @param {LoginData} data
 */
async function submit(form, { leave_to, text }) {
  const send = find(form, "[type=submit]", HTMLButtonElement);
  const problem = find(form, ".problem");
  const say = (/** @type {string} */ message) => {
    problem.textContent = message;
    problem.hidden = false;
    send.disabled = false;
    send.textContent = text.submit;
  };
  send.disabled = true;
  send.textContent = text.busy;
  problem.hidden = true;
  let answer;
  try {
    const headers = { Accept: "application/json" };
    answer = await fetch(form.action, { method: "POST", body: encoded(form), headers, redirect: "manual" });
  } catch {
    return say(text.offline);
  }
  if (answer.ok || answer.type === "opaqueredirect") {
    return leave_to ? location.replace(sitePath(leave_to)) : location.reload();
  }
  const body = await answer.json().catch(() => null);
  const known = answer.status === 401 ? text.wrong : body?.error?.message;
  say(known ? known[0].toUpperCase() + known.slice(1) : `${text.refused} (${answer.status})`);
  const password = form.querySelector("[name=password]");
  if (password instanceof HTMLInputElement) password.select();
}

/** @param {HTMLFormElement} form */
function encoded(form) {
  const body = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (typeof value === "string") body.append(name, value);
  return body;
}
