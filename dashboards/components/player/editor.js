/*
 * Editing: every change makes new items beside the old ones, so undo is a list of lists. What is not saved yet is
 * also kept in this browser, and outlives a crash, a log-out, and somebody else's version.
 */
const ONE_STEP_MS = 1500;
const DRAFT_AFTER_MS = 700;
const MAX_STEPS = 300;

class Editor {
  constructor(player) {
    this.player = player;
    this.script = player.script;
    this.on = false;
    this.saving = false;
    this.past = [];
    this.future = [];
    this.place = player.find(".savebar");
    this.draftName = `wt-draft-${player.data.api}`;
    const { panel } = this.script;
    player.on(panel, "input", (event) => this.#typed(event));
    player.on(panel, "keydown", (event) => this.#keyInLine(event));
    player.on(panel, "paste", (event) => this.#pasted(event));
    player.on(panel, "click", (event) => event.target.closest("button.speaker") && this.#askSpeaker(event.target.closest(".line").wtLine));
    player.on(window, "beforeunload", (event) => this.dirty && event.preventDefault());
    player.on(document, "visibilitychange", () => this.keepDraft());
    this.#bar();
  }

  get dirty() {
    return this.script.base !== undefined && this.#edits() > 0;
  }

  #edits() {
    const { base, items } = this.script;
    const kept = items.filter((item) => !item.changed).length;
    return items.filter((item) => item.changed).length || base.length - kept;
  }

  /* The transcript has come from the server: nothing to undo; perhaps a draft from before. */
  loaded() {
    this.past = [];
    this.future = [];
    this.#bar();
    this.#offerDraft();
  }

  toggle() {
    if (this.on) this.stop();
    else this.start();
  }

  start() {
    if (this.on) return;
    this.player.open("script");
    this.#turn(true);
  }

  stop() {
    this.#turn(false);
  }

  #turn(on) {
    this.on = on;
    this.player.root.classList.toggle("editing", on);
    this.script.buttons.edit.setAttribute("aria-pressed", on);
    this.script.buttons.edit.textContent = on ? this.player.text.tools.edit_end : this.player.text.tools.edit;
    const top = this.script.panel.scrollTop;
    for (const line of this.script.lines) this.script.draw(line);
    this.script.panel.scrollTop = top;
    this.player.finder.refresh();
    this.#bar();
  }

  openLine(line) {
    line.words.setAttribute("contenteditable", "plaintext-only");
    line.words.setAttribute("role", "textbox");
    line.words.setAttribute("aria-label", fill(this.player.text.line_at, { time: clock(line.item.start) }));
    line.words.spellcheck = true;
  }

  /* Take new items as one step that can be undone. */
  change(items) {
    this.past.push(this.script.items);
    if (this.past.length > MAX_STEPS) this.past.shift();
    this.future = [];
    this.lastTyped = null;
    this.script.set(items);
    this.#changed();
  }

  undo() {
    this.#step(this.past, this.future);
  }

  redo() {
    this.#step(this.future, this.past);
  }

  #step(from, to) {
    if (!from.length) return;
    to.push(this.script.items);
    this.lastTyped = null;
    this.script.set(from.pop());
    this.#changed();
  }

  #changed() {
    this.#bar();
    this.player.cues.edited();
    clearTimeout(this.draftTimer);
    this.draftTimer = setTimeout(() => this.keepDraft(), DRAFT_AFTER_MS);
  }

  #typed(event) {
    const line = event.target.closest?.(".words")?.closest(".line")?.wtLine;
    if (!line) return;
    const now = Date.now();
    const same = this.lastTyped && this.lastTyped.line === line && now - this.lastTyped.at < ONE_STEP_MS;
    if (!same) {
      this.past.push(this.script.items);
      this.future = [];
    }
    this.lastTyped = { line, at: now };
    this.script.swap(line, rewritten(line.item, line.words.textContent.split(/\s+/).filter(Boolean).join(" "), this.script.base));
    line.element.classList.toggle("changed", line.item.changed);
    this.#changed();
  }

  #pasted(event) {
    const text = event.clipboardData?.getData("text/plain");
    if (!text || !event.target.closest?.("[contenteditable]")) return;
    event.preventDefault();
    document.execCommand("insertText", false, text.split(/\s+/).join(" "));
  }

  #keyInLine(event) {
    const words = event.target.closest?.(".words");
    const line = words?.closest(".line")?.wtLine;
    if (!line) return;
    const at = this.script.items.indexOf(line.item);
    const [start, end] = caret(words, this.player.root.getRootNode());
    if (event.key === "Enter") {
      event.preventDefault();
      this.#split(at, end);
    } else if (event.key === "Backspace" && start === 0 && end === 0 && at > 0) {
      event.preventDefault();
      this.#merge(at - 1);
    } else if (event.key === "Delete" && start === words.textContent.length && at + 1 < this.script.items.length) {
      event.preventDefault();
      this.#merge(at);
    } else if (event.key === "Escape") words.blur();
  }

  #split(at, offset) {
    const { items } = this.script;
    const item = items[at];
    const [left, right] = [item.text.slice(0, offset).trim(), item.text.slice(offset).trim()];
    if (!left || !right) return;
    const words = item.words;
    const count = left.split(" ").length;
    const known = words.length === item.text.split(" ").length;
    const share = item.start + (item.end - item.start) * (left.length / item.text.length);
    const [ends, begins] = known ? [words[count - 1].end, words[count].start] : [share, share];
    const halves = [
      { ...bare(item), end: ends, text: left, words: known ? words.slice(0, count) : [], changed: true },
      { ...bare(item), start: begins, text: right, words: known ? words.slice(count) : [], changed: true },
    ];
    this.change(items.toSpliced(at, 1, ...halves));
    this.#focus(at + 1, 0);
  }

  #merge(at) {
    const { items } = this.script;
    const [first, second] = items.slice(at, at + 2);
    const text = `${first.text} ${second.text}`.trim();
    const from = [...new Set([...first.from, ...second.from])];
    const words = first.words.length && second.words.length ? [...first.words, ...second.words] : [];
    const one = { ...bare(first), from, text, words, end: Math.max(first.end, second.end), changed: true };
    this.change(items.toSpliced(at, 2, one));
    this.#focus(at, first.text.length + (second.text ? 1 : 0));
  }

  #focus(at, offset) {
    const words = this.script.lines[at]?.words;
    if (!words) return;
    words.focus();
    const range = rangeOf({ item: this.script.items[at], start: offset, end: offset });
    if (range) getSelection().setBaseAndExtent(range.startContainer, range.startOffset, range.startContainer, range.startOffset);
  }

  #askSpeaker(line) {
    const { text } = this.player;
    const { item } = line;
    const same = this.script.items.filter((one) => one.speaker === item.speaker).length;
    const input = make("input", { type: "text", value: item.speaker, maxLength: 100 });
    input.setAttribute("aria-label", text.speaker);
    input.placeholder = text.speaker;
    const known = make("datalist", { id: "wt-speakers" }, ...[...new Set(this.script.items.map((one) => one.speaker).filter(Boolean))].map((value) => make("option", { value })));
    input.setAttribute("list", "wt-speakers");
    const save = (every) => this.#nameSpeaker(line, input.value.trim(), every);
    const one = make("button", { type: "submit", className: "button small" }, text.name_one);
    const all = make("button", { type: "button", className: "button small", onclick: () => save(true) }, fill(item.speaker ? text.name_all : text.name_unnamed, { all: same }));
    const form = make("form", { className: "naming", onsubmit: (event) => (event.preventDefault(), save(false)) }, input, known, one, all);
    form.onkeydown = (event) => event.key === "Escape" && this.script.draw(line);
    line.body.firstChild.replaceWith(form);
    input.focus();
    input.select();
  }

  #nameSpeaker(line, name, every) {
    const { item } = line;
    const wanted = (one) => one === item || (every && one.speaker === item.speaker);
    const items = this.script.items.map((one) => (wanted(one) && one.speaker !== name ? settled({ ...bare(one), speaker: name, changed: true }, this.script.base) : one));
    this.script.draw(line);
    if (items.some((one, at) => one !== this.script.items[at])) this.change(items);
  }

  /* Keys that work while somebody types, too; tells whether it was one. */
  key(event, typing) {
    const command = event.ctrlKey || event.metaKey;
    const inLine = typing?.closest?.(".words");
    if (!command || event.altKey || (typing && !inLine) || !(this.on || this.dirty)) return false;
    const acts = { s: () => this.save(), z: () => (event.shiftKey ? this.redo() : this.undo()), y: () => this.redo() };
    const act = acts[event.key.toLowerCase()];
    if (!act) return false;
    event.preventDefault();
    act();
    return true;
  }

  #bar() {
    const { text } = this.player;
    const edits = this.script.base ? this.#edits() : 0;
    const show = this.on || edits > 0;
    this.place.hidden = !show;
    this.player.root.classList.toggle("saving", show);
    if (!show) return;
    const said = edits ? fill(edits === 1 ? text.unsaved_one : text.unsaved, { all: edits }) : text.nothing_unsaved;
    const button = (name, act, ready, extra = "") => make("button", { type: "button", className: `button small ${name}${extra}`, disabled: !ready, onclick: act }, text.save[name]);
    this.place.replaceChildren(
      make("span", { className: "small" }, make("span", { className: edits ? "dot" : "" }), said),
      make("span", { className: "gap" }),
      button("undo", () => this.undo(), this.past.length),
      button("redo", () => this.redo(), this.future.length),
      button("discard", () => this.#askDiscard(), edits),
      button("save", () => this.save(), edits && !this.saving, " primary"),
    );
  }

  #askDiscard() {
    const { text } = this.player;
    const drop = () => {
      this.player.notice(null);
      this.change(this.script.base);
      this.keepDraft();
    };
    this.player.notice(text.ask_discard, [[text.save.discard, drop], [text.keep_editing, () => this.player.notice(null), true]], "warn");
  }

  body(items = this.script.items) {
    return items.filter((item) => item.text).map((item) => (item.changed ? pieceOf(item) : item.index));
  }

  async save() {
    if (this.saving || !this.dirty) return;
    const { player } = this;
    const sent = this.script.items;
    this.saving = true;
    this.#bar();
    try {
      await player.ask("/transcript", { method: "PUT", body: { version: this.script.version, segments: this.body(sent) } });
      this.saved = sent;
      this.offered = false;
      this.keepDraft();
      await this.script.load();
      player.notice(fill(player.text.saved, { version: this.script.version }), [[player.text.close, () => player.notice(null)]], "good");
    } catch (error) {
      this.keepDraft();
      if (error.code === "transcript_moved") await this.#rebase();
      else player.notice(fill(player.text.not_saved, { why: error.message }), [[player.text.again, () => this.save(), true]], "warn");
    } finally {
      this.saving = false;
      this.#bar();
    }
  }

  overtaken(version) {
    const { text } = this.player;
    this.player.notice(fill(text.overtaken, { version }), [[text.put_on_top, () => this.#rebase(), true]], "warn");
  }

  /* Put the changes made here on top of the version that somebody else has saved meanwhile. */
  async #rebase() {
    const { player, script } = this;
    const { text } = player;
    let theirs;
    try {
      theirs = await player.ask("/transcript");
    } catch (error) {
      return player.notice(fill(text.not_saved, { why: error.message }), [[text.again, () => this.#rebase(), true]], "warn");
    }
    const mine = script.items;
    const base = script.base;
    script.take(theirs);
    const { items, clash } = putOnTop(base, mine, script.base);
    this.change(items);
    if (!this.on) this.start();
    const words = clash ? text.both_changed : text.on_top;
    player.notice(fill(words, { all: clash, version: script.version }), [[text.save.save, () => (player.notice(null), this.save()), true], [text.see_theirs, () => player.open("versions")]], "warn");
  }

  keepDraft() {
    clearTimeout(this.draftTimer);
    if (!this.script.base) return;
    if (!this.dirty || this.script.items === this.saved) return this.offered ? undefined : localStorage.removeItem(this.draftName);
    const draft = { version: this.script.version, at: Date.now(), segments: this.body() };
    try {
      localStorage.setItem(this.draftName, JSON.stringify(draft));
    } catch {
      /* the browser's store is full: what is typed stays on the page */
    }
  }

  #offerDraft() {
    const draft = JSON.parse(localStorage.getItem(this.draftName) ?? "null");
    if (!draft?.segments || this.dirty) return;
    this.offered = true;
    const { text } = this.player;
    const at = when(draft.at);
    const drop = () => {
      this.offered = false;
      localStorage.removeItem(this.draftName);
      this.player.notice(null);
    };
    this.player.notice(fill(text.draft, { at }), [[text.take_up, () => this.#takeUp(draft), true], [text.save.discard, drop]], "warn");
  }

  async #takeUp(draft) {
    const { player, script } = this;
    let base = script.base;
    if (draft.version !== script.version) {
      try {
        base = ((await player.ask(`/versions/${draft.version}`)).segments ?? []).map(itemOf);
      } catch (error) {
        return player.notice(error.message, [], "warn");
      }
    }
    this.offered = false;
    player.notice(null);
    const mine = draft.segments.map((one) => (typeof one === "number" ? base[one] : itemOfPiece(one)));
    this.start();
    if (base === script.base) return this.change(mine);
    const { items, clash } = putOnTop(base, mine, script.base);
    this.change(items);
    if (clash) player.notice(fill(player.text.both_changed, { all: clash, version: script.version }), [], "warn");
  }
}

/* An item without what ties it to its line on the page. */
function bare({ line, ...item }) {
  return { ...item, changed: true };
}

/* The item with another text; words that stay keep their times, the others share the time between. */
function rewritten(item, text, base) {
  return settled({ ...bare(item), text, words: spreadWords(item.words, text, item.start, item.end) }, base);
}

/* An item that is again as the saved version has it counts as unchanged. */
function settled(item, base) {
  const old = item.from.length === 1 ? base?.[item.from[0]] : null;
  const back = old && keyOf(old) === keyOf(item);
  return back ? { ...item, words: old.words, changed: false } : item;
}

function spreadWords(words, text, start, end) {
  const tokens = text.split(" ").filter(Boolean);
  if (!words.length || !tokens.length) return [];
  const same = (word, token) => word.text.trim() === token;
  let head = 0;
  while (head < words.length && head < tokens.length && same(words[head], tokens[head])) head++;
  let tail = 0;
  while (tail < words.length - head && tail < tokens.length - head && same(words.at(-1 - tail), tokens.at(-1 - tail))) tail++;
  const fresh = tokens.slice(head, tokens.length - tail);
  const gone = words.slice(head, words.length - tail);
  const from = gone[0]?.start ?? words[head - 1]?.end ?? start;
  const to = gone.at(-1)?.end ?? words[words.length - tail]?.start ?? end;
  const step = Math.max(0, to - from) / (fresh.length || 1);
  const made = fresh.map((token, at) => ({ start: from + step * at, end: from + step * (at + 1), text: ` ${token}`, p: 1 }));
  return [...words.slice(0, head), ...made, ...words.slice(words.length - tail)];
}

function pieceOf(item) {
  const piece = { from: item.from.length ? item.from : undefined, start_s: item.start, end_s: item.end, text: item.text, speaker: item.speaker || null };
  if (item.timed) piece.words = item.words.map((word) => ({ start_s: word.start, end_s: word.end, text: word.text, probability: word.p }));
  return piece;
}

function itemOfPiece(piece) {
  const { from, start_s, end_s, text, speaker, words } = piece;
  const item = { ...itemOf({ start_s, end_s, text, speaker, words: words ?? [] }, null), from, changed: true };
  return words ? { ...item, timed: true } : item;
}

/* My items, which began at `base`, on top of theirs: what only one of us changed is taken; mine wins a clash. */
function putOnTop(base, mine, theirs) {
  const now = new Map(theirs.map((item, at) => [keyOf(item), at]));
  const kept = new Set(mine.filter((item) => !item.changed).map((item) => item.index));
  const gone = new Set(base.filter((item) => !kept.has(item.index)).map((item) => item.index));
  const stayed = (index) => now.get(keyOf(base[index]));
  const pieces = mine.filter((item) => item.changed);
  const covered = new Set([...gone].map(stayed).filter((at) => at !== undefined));
  const touched = pieces.filter((piece) => piece.from.some((index) => stayed(index) === undefined));
  const inTheWay = (item, piece) => piece.start < item.end - 0.01 && piece.end > item.start + 0.01;
  const rest = theirs.filter((item, at) => !covered.has(at) && !touched.some((piece) => inTheWay(item, piece)));
  const moved = pieces.map((piece) => {
    const from = piece.from.map(stayed);
    const over = theirs.filter((item) => inTheWay(item, piece)).map((item) => item.index);
    return { ...bare(piece), from: from.includes(undefined) ? over : from };
  });
  const items = [...rest, ...moved].sort((a, b) => a.start - b.start);
  return { items, clash: touched.length };
}

/* Where the selection lies in a line, in characters of its text. */
function caret(words, rootNode) {
  const selection = rootNode.getSelection?.() ?? getSelection();
  if (!selection.rangeCount) return [-1, -1];
  const range = selection.getRangeAt(0);
  const before = (node, offset) => {
    const upTo = document.createRange();
    upTo.selectNodeContents(words);
    upTo.setEnd(node, offset);
    return upTo.toString().length;
  };
  return [before(range.startContainer, range.startOffset), before(range.endContainer, range.endOffset)];
}
