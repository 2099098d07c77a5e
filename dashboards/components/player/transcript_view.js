/*
 * The transcript: a line a segment, the line and the word being said are marked and kept in view, doubtful words are
 * shaded. Ten thousand lines stay quick since the browser lays out only those in sight (content-visibility).
 */
const HANDS_OFF_MS = 4000;
const UNSURE = 0.6;
const VERY_UNSURE = 0.35;
const CHUNK = 40;

class Script {
  constructor(player) {
    this.player = player;
    this.panel = player.find(".text");
    this.lines = [];
    this.items = [];
    this.version = 0;
    this.line = -1;
    this.handsOn = 0;
    this.following = localStorage.getItem("wt-follow") !== "off";
    this.shading = localStorage.getItem("wt-shade") !== "off";
    this.tools();
    this.#wire();
  }

  tools() {
    const { text } = this.player;
    const tool = (name, act, pressed) => {
      const button = make("button", { type: "button", className: `button small tool ${name}`, onclick: act }, text.tools[name]);
      button.title = text.tool_help[name];
      if (pressed !== undefined) button.setAttribute("aria-pressed", pressed);
      return button;
    };
    this.buttons = {
      edit: tool("edit", () => this.player.editor.toggle(), false),
      find: tool("find", () => this.player.finder.open()),
      follow: tool("follows", () => this.setFollow(!this.following), this.following),
      shade: tool("shade", () => this.shade(!this.shading), this.shading),
      doubt: tool("doubt", () => this.doubt(1)),
    };
    const { edit, ...others } = this.buttons;
    this.player.find(".tools").replaceChildren(...(this.player.data.may_edit ? [edit] : []), ...Object.values(others));
    this.player.root.classList.toggle("shading", this.shading);
  }

  #wire() {
    const { player, panel } = this;
    for (const name of ["wheel", "touchmove", "pointerdown"]) player.on(panel, name, () => (this.handsOn = Date.now()), { passive: true });
    player.on(panel, "click", (event) => this.#clicked(event));
    player.on(panel, "pointerover", (event) => this.#split(this.#lineOf(event.target)));
    player.on(player.find(".follow"), "click", () => {
      this.setFollow(true);
      this.#keepInView();
    });
  }

  async load() {
    const state = this.panel.querySelector(".state");
    let heard;
    try {
      const answer = await fetch(this.player.data.transcript, { signal: this.player.ends.signal });
      if (!answer.ok) throw new Error(answer.status);
      heard = await answer.json();
    } catch {
      if (!this.player.ends.signal.aborted && state) state.textContent = this.player.text.no_transcript;
      return;
    }
    this.take(heard);
  }

  /* Show a transcript as the server has it. */
  take(heard) {
    this.version = heard.version ?? 1;
    this.heard = heard;
    this.base = (heard.segments ?? []).map(itemOf);
    const same = new Map(this.lines.map((line) => [keyOf(line.item), line]));
    for (const item of this.base) {
      const line = same.get(keyOf(item));
      if (!line || line.split || this.#foreign(line.item) !== line.foreign) continue;
      [line.item, item.line] = [item, line];
      line.element.classList.remove("changed");
    }
    this.set(this.base);
    if (!this.base.length) this.panel.replaceChildren(make("p", { className: "state muted" }, this.player.text.no_speech));
    this.player.wave.mark(this.player.data.findings.filter((one) => this.#isLocal(one)));
    this.player.editor?.loaded();
    this.player.panels.loaded();
    this.player.cues.stale();
    this.player.captions();
  }

  /* Show the text so far of a recording that is still being heard; what is there already stays untouched. */
  grow(segments) {
    const there = new Map(this.items.map((item) => [keyOf(item), item]));
    this.base = segments.map((part, index) => {
      const item = itemOf(part, index);
      return Object.assign(there.get(keyOf(item)) ?? item, { index, from: item.from });
    });
    this.set(this.base);
  }

  /* Show these items; lines of those that stay are kept, so that focus and place stay, too. */
  set(items) {
    const before = this.lines;
    this.items = items;
    this.lines = items.map((item) => this.#lineFor(item));
    let head = 0;
    while (head < before.length && head < this.lines.length && before[head] === this.lines[head]) head++;
    let tail = 0;
    while (tail < before.length - head && tail < this.lines.length - head && before.at(-1 - tail) === this.lines.at(-1 - tail)) tail++;
    const fresh = this.lines.slice(head, this.lines.length - tail);
    const keep = new Set(fresh);
    for (const line of before.slice(head, before.length - tail)) if (!keep.has(line)) line.element.remove();
    if (!before.length) this.panel.replaceChildren();
    if (tail) this.lines.at(-tail).element.before(...fresh.map((line) => line.element));
    else this.#append(fresh);
    this.line = -1;
    this.show(this.player.video.currentTime, this.lit);
    this.player.finder.refresh();
  }

  /* Lines stand in chunks, so that the browser has hundreds of things to skip and not ten thousand. */
  #append(lines) {
    for (let at = 0; at < lines.length; at += CHUNK) {
      this.panel.append(make("div", { className: "chunk" }, ...lines.slice(at, at + CHUNK).map((line) => line.element)));
    }
  }

  /* Put another item in a line's place without drawing it anew: somebody is typing in it. */
  swap(line, item) {
    const at = this.lines.indexOf(line);
    item.line = line;
    line.item = item;
    this.items = this.items.with(at, item);
    return this.items;
  }

  /* An item that was typed over and came back by undo finds its line with other words in it. */
  #lineFor(item) {
    const line = (item.line ??= this.#line(item));
    if (line.item !== item) {
      line.item = item;
      this.draw(line);
    }
    return line;
  }

  #line(item) {
    const { text } = this.player;
    const time = make("button", { type: "button", className: "time", tabIndex: -1 }, clock(item.start));
    time.setAttribute("aria-label", fill(text.play_from, { time: clock(item.start) }));
    const body = make("span", { className: "body" });
    const line = { item, time, body, split: false, words: make("span", { className: "words" }) };
    line.element = make("div", { className: "line" }, time, body);
    line.element.wtLine = line;
    item.line = line;
    this.draw(line);
    return line;
  }

  /* Draw what a line says; doubtful words are elements of their own, the others only where pointer or voice is. */
  draw(line, split = false) {
    const { item } = line;
    line.split = split && item.words.length > 0;
    const speaker = this.player.editor?.on
      ? [make("button", { type: "button", className: `speaker${item.speaker ? "" : " none"}` }, item.speaker || this.player.text.add_speaker)]
      : item.speaker ? [make("span", { className: "speaker" }, item.speaker)] : [];
    line.foreign = this.#foreign(item);
    const language = line.foreign ? [make("span", { className: "language", title: this.player.text.language }, languageName(line.foreign))] : [];
    line.words.lang = line.foreign && !this.player.data.translated ? line.foreign : "";
    const parts = [];
    let plain = "";
    for (const [place, word] of item.words.entries()) {
      const space = place && /^\s/.test(word.text) ? " " : "";
      const doubt = word.p < VERY_UNSURE ? "u2" : word.p < UNSURE ? "u1" : "";
      if (!line.split && !doubt) {
        plain += space + word.text.trim();
        continue;
      }
      parts.push(plain + space);
      plain = "";
      word.element = make("span", { className: doubt, title: doubt ? fill(this.player.text.sure, { percent: Math.round(100 * word.p) }) : "" }, word.text.trim());
      parts.push(word.element);
    }
    parts.push(plain);
    line.words.replaceChildren(...parts.filter((part) => part !== ""));
    if (line.words.textContent !== item.text) {
      line.words.textContent = item.text;
      line.split = false;
    }
    line.time.textContent = clock(item.start);
    line.body.replaceChildren(...speaker, ...language, line.words);
    line.element.classList.toggle("changed", item.changed);
    line.element.classList.toggle("doubt", this.player.data.findings.some((one) => this.#isLocal(one) && one.start_s < item.end && one.end_s > item.start));
    if (this.player.editor?.on) this.player.editor.openLine(line);
    else line.words.removeAttribute("contenteditable");
  }

  /* The language of a line, where it is another than the recording's. */
  #foreign(item) {
    const { language } = this.player.data;
    return language && item.language && item.language !== language ? item.language : "";
  }

  /* What is found about a whole recording marks no line of it. */
  #isLocal(finding) {
    return finding.end_s - finding.start_s < 0.8 * (this.player.data.duration_s ?? Infinity);
  }

  #lineOf(target) {
    return target.closest(".line")?.wtLine;
  }

  #split(line) {
    if (line && !line.split && !this.player.editor?.on) this.draw(line, true);
    return line;
  }

  #clicked(event) {
    const line = this.#lineOf(event.target);
    if (!line || !getSelection().isCollapsed) return;
    const onTime = event.target.closest(".time");
    if (this.player.editor?.on && !onTime) return;
    this.#split(line);
    const under = this.player.root.getRootNode().elementFromPoint(event.clientX, event.clientY);
    const word = onTime ? null : line.item.words.find((one) => one.element === under);
    this.player.seek((word ?? line.item).start);
    if (this.player.video.paused) this.player.video.play().catch(() => {});
  }

  /* Light up what is being said, and bring it into view unless it is `lit` already. */
  show(now, lit = null) {
    if (!this.items.length) return;
    const at = lastBefore(this.items, now);
    if (at !== this.line) {
      this.lit?.classList.remove("on");
      this.line = at;
      this.lit = this.lines[at]?.element;
      this.lit?.classList.add("on");
      this.#split(this.lines[at]);
      if (this.lit !== lit || !lit) this.#keepInView();
    }
    const words = this.items[at]?.words ?? [];
    this.#mark(words[lastBefore(words, now)], now);
    this.#offerFollow();
  }

  #mark(word, now) {
    const said = word?.element?.isConnected && now < word.end + 0.4 ? word.element : null;
    if (said === this.said) return;
    this.said?.classList.remove("said");
    this.said = said;
    said?.classList.add("said");
  }

  handsOff() {
    this.handsOn = 0;
  }

  #keepInView() {
    if (this.following && Date.now() - this.handsOn >= HANDS_OFF_MS) this.#bring(this.lines[this.line]);
  }

  #bring(line) {
    if (!line) return;
    const { panel } = this;
    const [top] = this.#span(line);
    const far = Math.abs(top) > 4 * panel.clientHeight;
    panel.scrollTo({ top: Math.max(0, panel.scrollTop + top - panel.clientHeight / 3), behavior: far ? "instant" : "auto" });
  }

  /* Where a line's top and bottom are, in pixels below the top of the panel. */
  #span(line) {
    const frame = this.panel.getBoundingClientRect();
    const box = line.element.getBoundingClientRect();
    return [box.top - frame.top, box.bottom - frame.top];
  }

  #offerFollow() {
    const line = this.lines[this.line];
    const [top, bottom] = line ? this.#span(line) : [0, 0];
    const away = line && (bottom < 0 || top > this.panel.clientHeight);
    this.player.find(".follow").hidden = !(away && (!this.following || Date.now() - this.handsOn < 60000));
  }

  setFollow(on) {
    this.following = on;
    this.handsOff();
    localStorage.setItem("wt-follow", on ? "on" : "off");
    this.buttons.follow.setAttribute("aria-pressed", on);
    this.#keepInView();
    this.#offerFollow();
  }

  shade(on) {
    this.shading = on;
    localStorage.setItem("wt-shade", on ? "on" : "off");
    this.buttons.shade.setAttribute("aria-pressed", on);
    this.player.root.classList.toggle("shading", on);
  }

  /* Go to the segment before or after the one being said. */
  go(by) {
    const at = Math.min(Math.max(0, this.line + by), this.items.length - 1);
    if (this.items[at]) this.reach(this.items[at].start, at);
  }

  reach(at_s, place = lastBefore(this.items, at_s)) {
    this.player.seek(at_s);
    this.#bring(this.lines[place]);
  }

  /* Go to the next doubtful word or finding, or the one before. */
  doubt(by) {
    const { data, video } = this.player;
    const places = data.findings.filter((one) => this.#isLocal(one)).map((one) => one.start_s);
    for (const item of this.items) {
      let before = 1;
      for (const word of item.words) {
        if (word.p < UNSURE && before >= UNSURE) places.push(word.start);
        before = word.p;
      }
    }
    places.sort((a, b) => a - b);
    const now = video.currentTime;
    const next = by > 0 ? places.find((at) => at > now + 0.05) ?? places[0] : places.findLast((at) => at < now - 0.05) ?? places.at(-1);
    if (next === undefined) return this.player.notice(this.player.text.no_doubts, [[this.player.text.close, () => this.player.notice(null)]]);
    this.player.open("script");
    this.reach(next);
  }
}

function itemOf(part, index) {
  const words = (part.words ?? []).map((word) => ({ start: word.start_s, end: word.end_s, text: word.text, p: word.probability }));
  const text = part.text.split(/\s+/).filter(Boolean).join(" ");
  return { index, from: [index], start: part.start_s, end: part.end_s, text, speaker: part.speaker ?? "", language: part.language ?? "", words, changed: false };
}

function languageName(code) {
  try {
    return new Intl.DisplayNames(["en"], { type: "language" }).of(code);
  } catch {
    return code;
  }
}

function keyOf(item) {
  return `${item.start.toFixed(3)}|${item.end.toFixed(3)}|${item.speaker}|${item.text}`;
}
