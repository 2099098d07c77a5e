/*
 * Find and replace in the transcript. Matches are painted by the browser's highlights, which change no element.
 * A pattern that could run for ever (a repetition of a repetition) is refused before it is tried.
 */
const ENDLESS = /\([^)]*[+*}][^)]*\)\s*[+*{]/;
const MAX_PAINTED = 2000;

class Finder {
  constructor(player) {
    this.player = player;
    this.form = player.find(".seeker");
    this.what = player.find(".seeker .what");
    this.with = player.find(".seeker .with");
    this.count = player.find(".seeker .count");
    this.options = { letters: false, whole: false, pattern: false };
    this.matches = [];
    this.at = -1;
    this.#draw();
    player.ends.signal.addEventListener("abort", () => this.#paint([]));
  }

  #draw() {
    const { text } = this.player;
    this.what.placeholder = text.find;
    this.what.setAttribute("aria-label", text.find);
    this.with.placeholder = text.replace;
    this.with.setAttribute("aria-label", text.replace);
    const toggles = Object.entries(text.find_options).map(([name, [sign, words]]) => {
      const button = make("button", { type: "button", className: "button small sign" }, sign);
      this.player.name(button, words);
      button.setAttribute("aria-pressed", false);
      button.onclick = () => {
        this.options[name] = !this.options[name];
        button.setAttribute("aria-pressed", this.options[name]);
        this.refresh();
      };
      return button;
    });
    const act = (name, work) => make("button", { type: "button", className: `button small ${name}`, onclick: work }, text.find_acts[name]);
    this.player.find(".seeker .opts").replaceChildren(...toggles, act("before", () => this.go(-1)), act("next", () => this.go(1)));
    this.one = act("one", () => this.replace(false));
    this.all = act("all", () => this.replace(true));
    this.player.find(".seeker .acts").replaceChildren(this.one, this.all, act("close", () => this.close()));
    this.player.on(this.what, "input", () => this.refresh());
    this.player.on(this.form, "submit", (event) => event.preventDefault());
    this.player.on(this.form, "keydown", (event) => {
      if (event.key === "Escape") this.close();
      if (event.key === "Enter" && event.target === this.what) this.go(event.shiftKey ? -1 : 1);
      if (event.key === "Enter" && event.target === this.with) this.replace(false);
    });
  }

  open() {
    this.player.open("script");
    this.form.hidden = false;
    const writes = Boolean(this.player.editor);
    for (const part of [this.one, this.all, this.with.parentElement]) part.hidden = !writes;
    this.what.focus();
    this.what.select();
    this.refresh();
  }

  close() {
    this.form.hidden = true;
    this.#paint([]);
    this.player.script.panel.focus();
  }

  #pattern() {
    const { letters, whole, pattern } = this.options;
    let source = this.what.value;
    if (!source) return null;
    if (pattern && ENDLESS.test(source)) throw new Error(this.player.text.endless);
    if (!pattern) source = source.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    if (whole) source = `(?<![\\p{L}\\p{N}_])(?:${source})(?![\\p{L}\\p{N}_])`;
    return new RegExp(source, `gu${letters ? "" : "i"}`);
  }

  refresh() {
    if (this.form.hidden) return;
    this.matches = [];
    let problem = "";
    try {
      const pattern = this.#pattern();
      if (pattern) this.#collect(pattern);
    } catch (error) {
      problem = error instanceof SyntaxError ? this.player.text.no_pattern : error.message;
    }
    this.at = Math.min(this.at, this.matches.length - 1);
    this.#tell(problem);
    this.#paint(this.matches);
  }

  #collect(pattern) {
    const until = performance.now() + 1500;
    for (const item of this.player.script.items) {
      for (const found of item.text.matchAll(pattern)) {
        if (found[0]) this.matches.push({ item, start: found.index, end: found.index + found[0].length });
      }
      if (performance.now() > until) throw new Error(this.player.text.endless);
    }
  }

  #tell(problem = "") {
    const { text } = this.player;
    const all = this.matches.length;
    const words = this.at < 0 ? fill(text.found, { all }) : fill(text.found_at, { at: this.at + 1, all });
    this.count.textContent = problem || (this.what.value ? words : "");
    this.form.classList.toggle("wrong", Boolean(problem) || (Boolean(this.what.value) && !all));
    this.one.disabled = this.all.disabled = !all;
  }

  go(by) {
    if (!this.matches.length) return;
    const now = this.player.video.currentTime;
    if (this.at < 0) this.at = Math.max(0, this.matches.findIndex(({ item }) => item.end >= now));
    else this.at = (this.at + by + this.matches.length) % this.matches.length;
    const { item, start } = this.matches[this.at];
    const place = this.player.script.items.indexOf(item);
    let before = 0;
    const word = item.words.find((one) => (before += one.text.trim().length + 1) > start);
    this.player.script.reach((word ?? item).start, place);
    this.#tell();
    this.#paint(this.matches);
  }

  replace(every) {
    if (!this.matches.length) return;
    if (this.at < 0 && !every) return this.go(1);
    const pattern = this.#pattern();
    const chosen = every ? this.matches : [this.matches[this.at]];
    const by = this.options.pattern ? this.with.value : this.with.value.replace(/\$/g, "$$$$");
    const texts = new Map();
    for (const { item, start, end } of chosen) {
      if (every) texts.set(item, item.text.replace(pattern, by));
      else texts.set(item, item.text.slice(0, start) + item.text.slice(start, end).replace(pattern, by) + item.text.slice(end));
    }
    const { editor, text } = this.player;
    editor.start();
    editor.change(this.player.script.items.map((item) => (texts.has(item) ? rewritten(item, texts.get(item)) : item)));
    if (every) this.player.notice(fill(text.replaced, { all: chosen.length }), [[text.undo, () => editor.undo()], [text.close, () => this.player.notice(null)]]);
    this.refresh();
    if (!every && this.matches.length) {
      this.at = Math.min(this.at, this.matches.length - 1) - 1;
      this.go(1);
    }
  }

  #paint(matches) {
    if (!window.CSS?.highlights) return;
    const ranges = (some) => some.map((match) => rangeOf(match)).filter(Boolean);
    CSS.highlights.set("wt-found", new Highlight(...ranges(matches.slice(0, MAX_PAINTED))));
    CSS.highlights.set("wt-here", new Highlight(...ranges(matches.slice(Math.max(0, this.at), this.at + 1))));
  }
}

/* The place of a match in the line that shows it, which may be one text or many words. */
function rangeOf({ item, start, end }) {
  const walk = document.createTreeWalker(item.line.words, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  let before = 0;
  let begun = false;
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const after = before + node.length;
    if (!begun && start < after) {
      range.setStart(node, start - before);
      begun = true;
    }
    if (begun && end <= after) {
      range.setEnd(node, end - before);
      return range;
    }
    before = after;
  }
  return null;
}
