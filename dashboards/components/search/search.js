/* The search box and what was found: real links that open in place, text that is never taken for markup. */
export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".search");
  const find = (path) => root.querySelector(path);
  const { text } = data;
  const box = find("input[type=search]");
  const all = find(".everybody input");
  box.placeholder = text.placeholder;
  box.setAttribute("aria-label", text.label);
  find("form .button").textContent = text.submit;
  find(".everybody").hidden = data.everybody === null;
  find(".everybody span").textContent = text.everybody;
  if (parentElement.wtAsked !== data.q) {
    parentElement.wtAsked = data.q;
    box.value = data.q;
    if (!data.q) box.focus({ preventScroll: true });
  }
  all.checked = data.everybody === true;
  const ask = (q, page = 1) => setTriggerValue("ask", { q, page, everybody: all.checked });
  find("form").onsubmit = (event) => {
    event.preventDefault();
    ask(box.value.trim());
  };
  all.onchange = () => ask(box.value.trim());
  document.addEventListener("keydown", (parentElement.wtKeys ??= keys));
  list(find(".hints"), data.hints, (words) => made("li", "", words));
  find(".behind").hidden = !data.behind;
  find(".behind").textContent = data.behind ?? "";
  find(".count").hidden = !data.count;
  find(".count").textContent = data.count ?? "";
  find(".results").replaceChildren(...data.results.map(result));
  pages();
  start();
  clearTimeout(parentElement.wtTimer);
  if (data.behind) parentElement.wtTimer = setTimeout(() => setTriggerValue("again", Date.now()), 2000);

  function keys(event) {
    if (event.key !== "/" || event.metaKey || event.ctrlKey || event.altKey) return;
    if (event.composedPath()[0].closest?.("input, textarea, select, [contenteditable]")) return;
    event.preventDefault();
    box.focus();
    box.select();
  }

  function result(found) {
    const item = made("li");
    item.dataset.job = found.id;
    const name = link("name", found.name, found.id);
    const moments = made("ul", "moments");
    moments.append(...found.moments.map((moment) => place(found.id, moment)));
    item.append(name, made("div", "about muted small", found.about), moments);
    if (found.more) item.append(link("more muted small", found.more, found.id, found.moments.at(-1)?.start_s));
    return item;
  }

  function place(id, moment) {
    const item = made("li");
    const target = link("", "", id, moment.start_s);
    const said = made("span", "said");
    if (moment.speaker) said.append(made("b", "speaker", moment.speaker));
    said.append(...moment.parts.map(([words, marked]) => (marked ? made("mark", "", words) : words)));
    target.append(made("span", "time", moment.time), said);
    item.append(target);
    return item;
  }

  function link(kind, words, id, t) {
    const target = made("a", kind, words);
    target.href = `/job?id=${encodeURIComponent(id)}${t === undefined ? "" : `&t=${t}`}`;
    target.onclick = (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
      event.preventDefault();
      setTriggerValue("open", { id, t: t ?? null });
    };
    return target;
  }

  function pages() {
    const nav = find(".pages");
    nav.hidden = data.pages < 2;
    nav.setAttribute("aria-label", text.pages);
    const button = (words, page, on) => {
      const one = made("button", "button", words);
      one.type = "button";
      one.disabled = !on;
      one.onclick = () => {
        ask(data.q, page);
        root.scrollIntoView({ block: "start" });
      };
      return one;
    };
    nav.replaceChildren(
      button(text.before, data.page - 1, data.page > 1),
      made("span", "muted small number", data.place),
      button(text.after, data.page + 1, data.page < data.pages),
    );
  }

  function start() {
    find(".start").hidden = Boolean(data.q);
    find(".recent").hidden = !data.recent.length;
    find(".recent h2").textContent = text.recent;
    list(find(".recent p"), data.recent, (q) => tryOut(q));
    find(".start > h2").textContent = text.examples;
    find(".start dl").replaceChildren(
      ...data.examples.flatMap(([q, words]) => {
        const term = made("dt");
        term.append(tryOut(q));
        return [term, made("dd", "", words)];
      }),
    );
  }

  function tryOut(q) {
    const button = made("button", "button try", q);
    button.type = "button";
    button.onclick = () => ask(q);
    return button;
  }

  return () => {
    clearTimeout(parentElement.wtTimer);
    document.removeEventListener("keydown", parentElement.wtKeys);
    parentElement.wtKeys = null;
  };
}

function made(kind, name = "", words = "") {
  const element = document.createElement(kind);
  if (name) element.className = name;
  if (words) element.textContent = words;
  return element;
}

function list(place, items, make) {
  place.hidden = !items.length;
  place.replaceChildren(...items.map(make));
}
