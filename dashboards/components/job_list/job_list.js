/*
 * Rows of recordings: real links that open in place, patched rather than drawn anew when a job moves.
 *
 * News of a shown row is put in at once, with nothing asked of the server. The page runs again only for what a row
 * cannot know (counts, rows that come or go): seldom enough to take it a fortieth of its time and all open pages
 * together 25 times a second, and not in a hidden tab.
 */
const SOONEST_MS = 400;
const LATEST_MS = 20000;
const BUSY_SHARE = 40;
const EACH_MS = 40;
const PATIENCE_MS = 3000;

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".jobs");
  const list = (parentElement.wtList ??= new List(root));
  list.show(data, setTriggerValue);
  return () => {
    list.close();
    parentElement.wtList = null;
  };
}

class List {
  constructor(root) {
    this.root = root;
    this.rows = new Map();
    this.chosen = new Set();
    this.states = new Map();
    this.asking = "";
    this.waiting = [];
    this.lookedAt = 0;
    this.tookMs = 0;
    this.ends = new AbortController();
    document.addEventListener("visibilitychange", () => this.late && this.#soon(), { signal: this.ends.signal });
    document.addEventListener("keydown", (event) => this.#key(event), { signal: this.ends.signal });
  }

  close() {
    this.ends.abort();
    this.deaf?.();
    clearTimeout(this.timer);
    clearTimeout(this.impatience);
  }

  show(data, trigger) {
    if (this.askedAt && this.data?.run !== data.run) {
      this.tookMs = performance.now() - this.askedAt;
      this.askedAt = 0;
    }
    this.data = data;
    this.trigger = trigger;
    if (!this.askedAt) this.#next();
    this.deaf ??= wtEvents(data.everybody).listen((event) => this.#heard(event));
    this.#facts();
    this.#filters();
    this.#narrow();
    this.#rows();
    this.#bulk();
    this.#pages();
  }

  find(path) {
    return this.root.querySelector(path);
  }

  /* News ------------------------------------------------------------------------------------------------- */

  #heard(event) {
    if (event.missed) return this.#soon();
    const { owner } = this.data;
    if (owner !== null && event.owner_id !== owner) return;
    const row = this.rows.get(event.job_id);
    const before = row?.job.state ?? this.states.get(event.job_id);
    if (event.row && row) this.#patch(row, event.row);
    if (event.state) this.states.set(event.job_id, event.state);
    if (this.states.size > 2000) this.states.clear();
    if (!event.row || before !== event.state) this.#soon(event.crowd);
  }

  #patch(row, facts) {
    row.job = { ...row.job, ...facts };
    row.print = "";
    fill(row, row.job);
    this.#bulk();
  }

  /* `crowd` is how many heard the same: they do not look all at once, however long ago they looked last. */
  #soon(crowd = 1) {
    this.late = document.hidden;
    if (this.timer || this.late) return;
    const own = Math.min(LATEST_MS, Math.max(SOONEST_MS, BUSY_SHARE * this.tookMs));
    const pause = Math.max(own, EACH_MS * this.data.crowd) * (0.8 + 0.4 * Math.random());
    this.timer = setTimeout(() => {
      this.timer = 0;
      if (this.waiting.length) return;
      this.lookedAt = performance.now();
      this.#ask("look", Date.now());
    }, Math.max(30, EACH_MS * crowd * Math.random(), this.lookedAt + pause - performance.now()));
  }

  /* What is asked for ------------------------------------------------------------------------------------- */

  /* One thing at a time: what is asked while the page still runs for something else would end that run and be lost. */
  #ask(what, value) {
    if (this.askedAt && performance.now() - this.askedAt < PATIENCE_MS) {
      this.waiting.push([what, value]);
      clearTimeout(this.impatience);
      this.impatience = setTimeout(() => this.#next(), PATIENCE_MS);
      return;
    }
    this.askedAt = performance.now();
    this.trigger(what, value);
  }

  #next() {
    clearTimeout(this.impatience);
    const waiting = this.waiting.shift();
    if (waiting) this.#ask(...waiting);
  }

  #want(changes) {
    this.chosen.clear();
    this.#ask("want", { after: "", ...changes });
  }

  #facts() {
    const facts = this.find(".facts");
    facts.replaceChildren(
      ...this.data.facts.map(([name, value]) => {
        const item = made("div");
        item.append(made("dt", "muted small", name), made("dd", "number", value));
        return item;
      }),
    );
  }

  #filters() {
    const place = this.find(".filters");
    const all = this.data.filters;
    while (place.children.length > all.length) place.lastChild.remove();
    while (place.children.length < all.length) place.append(made("a"));
    all.forEach(({ key, label, count, on }, at) => {
      const link = place.children[at];
      link.href = `?show=${key}`;
      link.dataset.show = key;
      link.replaceChildren(label, ...(count === null ? [] : [made("span", "number", count.toLocaleString())]));
      if (on) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
      link.onclick = inPlace(() => this.#want({ show: key }));
    });
  }

  #narrow() {
    const { text, asked } = this.data;
    const form = this.find(".narrow");
    form.hidden = this.data.deleted;
    const field = (name) => form.elements[name];
    form.onsubmit = (event) => {
      event.preventDefault();
      this.#want({ name: field("name").value.trim() });
    };
    field("name").placeholder = text.name;
    field("name").setAttribute("aria-label", text.name);
    field("name").onchange = () => this.#want({ name: field("name").value.trim() });
    options(field("sort"), text.sorts);
    options(field("language"), [["", text.any], ...this.data.languages]);
    options(field("model"), [["", text.any], ...this.data.models.map((name) => [name, name])]);
    options(field("owner"), [["", text.any], ...this.data.owners]);
    for (const name of ["sort", "from", "to", "language", "model", "owner"]) {
      field(name).closest("label").querySelector("span").textContent = text[name];
      field(name).onchange = () => this.#want({ [name]: field(name).value });
      if (form.getRootNode().activeElement !== field(name)) field(name).value = asked[name] ?? "";
    }
    if (form.getRootNode().activeElement !== field("name") || asked.name !== this.askedName) field("name").value = asked.name ?? "";
    this.askedName = asked.name;
    if (!asked.sort) field("sort").value = "newest";
    field("owner").closest("label").hidden = !this.data.owners.length;
    const on = ["from", "to", "language", "model", "owner"].filter((name) => asked[name]).length;
    form.querySelector("summary").textContent = on ? `${text.filter} (${on})` : text.filter;
    const clear = form.querySelector(".clear");
    clear.textContent = text.clear;
    clear.hidden = !this.data.narrowed;
    clear.onclick = () => this.#want({ name: "", from: "", to: "", language: "", model: "", owner: "" });
    form.querySelector("details").onkeydown = (event) => {
      if (event.key === "Escape") form.querySelector("details").open = false;
    };
  }

  #key(event) {
    if (event.key !== "/" || event.metaKey || event.ctrlKey || event.altKey) return;
    if (event.composedPath()[0].closest?.("input, textarea, select, [contenteditable]")) return;
    event.preventDefault();
    this.find("input[name=name]").focus();
  }

  #pages() {
    const { text, first, after } = this.data;
    const nav = this.find(".pages");
    nav.hidden = !first && !after;
    nav.setAttribute("aria-label", text.pages);
    const button = (words, on, act) => {
      const one = made("button", "button", words);
      one.type = "button";
      one.hidden = !on;
      one.onclick = () => {
        this.#want({ after: act });
        this.root.scrollIntoView({ block: "start" });
      };
      return one;
    };
    const print = JSON.stringify([first, after]);
    if (nav.wtPrint === print) return;
    nav.wtPrint = print;
    nav.replaceChildren(button(text.top, first, ""), button(text.next, after, after));
  }

  /* Rows --------------------------------------------------------------------------------------------------- */

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
      this.chosen.delete(id);
    }
    data.rows.forEach((job, at) => {
      if (!rows.has(job.id)) rows.set(job.id, this.#newRow(job.id));
      const row = rows.get(job.id);
      if (place.children[at] !== row.item) place.insertBefore(row.item, place.children[at] ?? null);
      const print = JSON.stringify(job);
      row.tick.parentElement.hidden = !data.may_write && !data.rows.some((one) => one.state === "completed");
      if (row.print === print) return;
      row.print = print;
      row.job = job;
      fill(row, job);
    });
  }

  #newRow(id) {
    const item = made("li");
    item.innerHTML =
      '<label class="tick"><input type="checkbox"></label>' +
      '<a><span class="name"><b></b><span class="about muted small"></span></span>' +
      '<span class="length muted number small"></span>' +
      '<span class="state"><span class="pill"></span><span class="bar" role="progressbar" aria-valuemin="0" ' +
      'aria-valuemax="100" hidden><i></i></span><span class="left muted small"></span></span>' +
      '<time class="when muted small"></time><span class="problem" hidden></span></a>';
    const find = (path) => item.querySelector(path);
    const row = {
      item, link: find("a"), name: find(".name b"), about: find(".about"), length: find(".length"), left: find(".left"),
      pill: find(".pill"), bar: find(".bar"), when: find(".when"), problem: find(".problem"), tick: find(".tick input"),
    };
    row.link.onclick = inPlace(() => this.#ask("open", id));
    row.tick.onchange = () => {
      if (row.tick.checked) this.chosen.add(id);
      else this.chosen.delete(id);
      this.#bulk();
    };
    return row;
  }

  /* Several at once ------------------------------------------------------------------------------------------ */

  #bulk() {
    const { text } = this.data;
    const bar = this.find(".bulk");
    bar.hidden = !this.chosen.size;
    for (const [id, row] of this.rows) row.tick.checked = this.chosen.has(id);
    if (!this.chosen.size) {
      this.asking = "";
      bar.wtPrint = "";
      return;
    }
    const all = bar.querySelector(".all input");
    all.checked = this.chosen.size === this.rows.size;
    all.indeterminate = !all.checked;
    all.setAttribute("aria-label", text.all);
    all.onchange = () => {
      for (const id of this.rows.keys()) all.checked ? this.chosen.add(id) : this.chosen.delete(id);
      this.#bulk();
    };
    bar.querySelector("b").textContent = text.chosen.replace("{n}", this.chosen.size);
    const acts = this.asking ? [this.asking] : this.#possible();
    const print = JSON.stringify([acts, [...this.chosen], this.asking, this.#of("download")]);
    if (bar.wtPrint === print) return;
    bar.wtPrint = print;
    bar.querySelector(".acts").replaceChildren(...(this.asking ? this.#confirm() : acts.map((act) => this.#act(act))));
  }

  /* The chosen rows that an act fits. */
  #of(act) {
    const fits = {
      download: (job) => job.state === "completed",
      cancel: (job) => !["completed", "failed", "cancelled"].includes(job.state),
      retry: (job) => ["failed", "cancelled"].includes(job.state),
      delete: (job) => ["completed", "failed", "cancelled"].includes(job.state),
      restore: () => true,
      purge: () => true,
    }[act];
    return [...this.chosen].filter((id) => fits(this.rows.get(id).job));
  }

  #possible() {
    const { deleted, may_write } = this.data;
    const acts = deleted ? ["restore", "purge"] : ["download", "cancel", "retry", "delete"];
    return acts.filter((act) => (may_write || act === "download") && this.#of(act).length);
  }

  #act(act) {
    const ids = this.#of(act);
    const words = `${this.data.text[act]}${ids.length === this.chosen.size ? "" : ` (${ids.length})`}`;
    if (act === "download") {
      const link = made("a", "button", words);
      const formats = made("select");
      formats.setAttribute("aria-label", this.data.text.format);
      options(formats, this.data.text.formats);
      formats.onchange = () => {
        this.format = formats.value;
        const format = this.format && `&format=${this.format}`;
        link.href = `/downloads?${ids.map((id) => `id=${encodeURIComponent(id)}`).join("&")}${format}`;
      };
      formats.value = this.format ?? "";
      formats.onchange();
      link.download = "";
      link.dataset.act = act;
      const both = made("span", "with");
      both.append(formats, link);
      return both;
    }
    const button = made("button", "button", words);
    button.type = "button";
    button.dataset.act = act;
    button.onclick = () => {
      if (this.data.text.sure[act]) {
        this.asking = act;
        this.#bulk();
        this.find(".acts button")?.focus();
      } else this.#do(act);
    };
    return button;
  }

  #confirm() {
    const act = this.asking;
    const ids = this.#of(act);
    const words = this.data.text.sure[act].replace("{n}", ids.length === 1 ? this.rows.get(ids[0]).job.name : this.data.text.several.replace("{n}", ids.length));
    const yes = made("button", "button danger", this.data.text[act]);
    const no = made("button", "button", this.data.text.keep);
    yes.type = no.type = "button";
    yes.dataset.act = `${act}-sure`;
    yes.onclick = () => this.#do(act);
    no.onclick = () => {
      this.asking = "";
      this.#bulk();
    };
    const question = made("span", "question", words);
    question.setAttribute("role", "alert");
    return [question, yes, no];
  }

  #do(act) {
    this.#ask("bulk", { act, ids: this.#of(act), at: Date.now() });
    this.chosen.clear();
    this.#bulk();
  }
}

/* A plain click stays on the page; with a modifier it is a link like any other. */
function inPlace(action) {
  return (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    event.preventDefault();
    action();
  };
}

function made(kind, name = "", words = "") {
  const element = document.createElement(kind);
  if (name) element.className = name;
  if (words) element.textContent = words;
  return element;
}

function options(select, all) {
  const print = JSON.stringify(all);
  if (select.wtPrint === print) return;
  select.wtPrint = print;
  select.replaceChildren(...all.map(([value, words]) => new Option(words, value)));
}

function fill(row, job) {
  row.link.href = `/job?id=${encodeURIComponent(job.id)}`;
  row.item.dataset.job = job.id;
  row.item.dataset.state = job.state;
  row.name.textContent = job.name;
  row.link.title = job.name;
  row.tick.setAttribute("aria-label", job.name);
  row.about.textContent = [job.owner, job.about].filter(Boolean).join(" · ");
  row.length.textContent = job.length;
  row.pill.className = `pill ${job.kind}`;
  row.pill.textContent = job.label;
  row.bar.hidden = !job.active;
  row.bar.setAttribute("aria-valuenow", Math.round(100 * job.progress));
  row.bar.setAttribute("aria-label", job.label);
  row.bar.firstChild.style.setProperty("--share", job.progress);
  row.left.textContent = job.left;
  row.left.hidden = !job.left;
  row.when.textContent = job.when;
  row.when.title = job.when_exact;
  row.when.dateTime = job.created;
  row.problem.hidden = !job.error;
  row.problem.textContent = job.error ?? "";
}
