/*
 * Subtitles as the exporter makes them (they are its WebVTT), with warnings by the same limits. An edit of a cue is an
 * edit of the words that it shows; after saving, the exporter breaks the lines anew.
 */
const NUDGE_S = 0.1;
const WIDE = /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6]/u;
const NO_WIDTH = /\p{Mn}/u;

class CueList {
  constructor(player) {
    this.player = player;
    this.text = player.text;
    this.place = player.find("[data-sheet=cues]");
    this.cues = null;
    this.here = -1;
  }

  /* Another version is shown: fetch anew what is looked at. */
  stale() {
    this.cues = null;
    if (this.player.sheet === "cues") this.show();
  }

  /* Somebody types in the transcript: what the cues show has changed, where they break will follow. */
  edited() {
    if (this.cues && this.player.sheet === "cues") this.#draw();
  }

  async show() {
    if (this.cues) return this.#draw();
    this.place.replaceChildren(make("p", { className: "empty muted" }, this.text.cues_loading));
    const { data, script } = this.player;
    const url = `${data.captions}${data.captions.includes("?") ? "&" : "?"}v=${script.version}`;
    try {
      const answer = await fetch(url, { signal: this.player.ends.signal });
      if (!answer.ok) throw new Error(answer.status === 404 ? "" : (await answer.json().catch(() => null))?.error?.message ?? this.text.no_answer);
      this.cues = parsedVtt(await answer.text());
    } catch (error) {
      if (this.player.ends.signal.aborted) return;
      const again = make("button", { type: "button", className: "button small", onclick: () => this.show() }, this.text.again);
      return this.place.replaceChildren(make("div", { className: "empty muted" }, make("p", {}, `${this.text.no_cues} ${error.message}`), again));
    }
    this.#draw();
  }

  #draw() {
    const { limits } = this.player.data;
    const rows = this.cues.map((cue, at) => this.#cue(cue, at));
    this.warned = rows.filter((row) => row.wtWarnings.length);
    const said = fill(this.cues.length === 1 ? this.text.cues_one : this.text.cues_all, { all: this.cues.length });
    const next = make("button", { type: "button", className: "button small", disabled: !this.warned.length, onclick: () => this.#next() }, this.text.next_warning);
    const count = make("span", { className: `pill ${this.warned.length ? "warned" : "completed"}` }, fill(this.warned.length === 1 ? this.text.warned_one : this.text.warned_all, { all: this.warned.length }));
    const rule = fill(this.text.rule, { width: limits.max_line_width, lines: limits.max_line_count, cps: limits.max_chars_per_s, least: Math.round(limits.min_duration_s * 100) / 100, most: limits.max_duration_s });
    const head = make("div", { className: "cuehead" }, make("span", { className: "small" }, said), count, next, make("span", { className: "small muted rule" }, rule));
    const top = this.place.querySelector(".cues")?.scrollTop ?? 0;
    const list = make("ol", { className: "cues" }, ...rows);
    if (!rows.length) list.append(make("li", { className: "empty muted" }, this.text.no_speech));
    this.place.replaceChildren(head, list);
    list.scrollTop = top;
    this.here = -1;
    this.at(this.player.video.currentTime);
  }

  /* The words that a cue shows, by the segment that each is in. */
  #wordsOf(at) {
    const cue = this.cues[at];
    const until = this.cues[at + 1]?.start ?? Infinity;
    const { items } = this.player.script;
    const found = [];
    for (let place = Math.max(0, lastBefore(items, cue.start) - 3); place < items.length && items[place].start < until; place++) {
      const inside = [...items[place].words.entries()].filter(([, word]) => word.start > cue.start - 0.002 && word.start < until - 0.002);
      if (inside.length) found.push({ place, first: inside[0][0], last: inside.at(-1)[0] });
    }
    return found;
  }

  #cue(cue, at) {
    const row = make("li", { className: "cue" });
    const warnings = warningsOf(cue, this.player.data.limits, this.text.warnings);
    row.wtWarnings = warnings;
    const cps = columns(cue.text) / Math.max(0.001, cue.end - cue.start);
    const fast = cps > this.player.data.limits.max_chars_per_s + 0.05;
    const stamp = make("button", { type: "button", className: "moment number", onclick: () => this.player.seek(cue.start) }, clock(cue.start, true));
    stamp.setAttribute("aria-label", fill(this.text.play_from, { time: clock(cue.start, true) }));
    const facts = make("span", { className: "facts small number muted" }, `${(cue.end - cue.start).toFixed(1)} s · `, make("span", { className: fast ? "bad" : "" }, `${cps.toFixed(0)} ${this.text.cps}`));
    const body = make("div", { className: "words" }, cue.text);
    const chips = make("span", { className: "chips" }, ...warnings.map((words) => make("span", { className: "chip" }, words)));
    row.append(make("span", { className: "when" }, stamp, facts), make("div", { className: "what" }, ...(cue.speaker ? [make("span", { className: "speaker" }, cue.speaker)] : []), body, chips));
    if (this.player.data.may_edit) this.#open(row, body, cue, at);
    return row;
  }

  #open(row, body, cue, at) {
    body.setAttribute("contenteditable", "plaintext-only");
    body.setAttribute("role", "textbox");
    body.setAttribute("aria-label", fill(this.text.cue_at, { time: clock(cue.start, true) }));
    body.onblur = () => {
      const text = body.textContent.split(/\s+/).filter(Boolean).join(" ");
      if (text !== cue.text.split(/\s+/).join(" ")) this.#write(at, text);
    };
    body.onkeydown = (event) => {
      if (event.key === "Escape") body.textContent = cue.text;
      if (event.key === "Escape" || event.key === "Enter") (event.preventDefault(), body.blur());
    };
    const nudge = (edge, by, sign) => {
      const button = make("button", { type: "button", className: "button quiet small nudge", onclick: () => this.#nudge(at, edge, by) }, sign);
      this.player.name(button, fill(this.text.nudge[edge], { by: `${by > 0 ? "+" : "−"}${Math.abs(by)}` }));
      return button;
    };
    row.append(make("span", { className: "nudges" }, this.text.edge.start, nudge("start", -NUDGE_S, "−"), nudge("start", NUDGE_S, "+"), this.text.edge.end, nudge("end", -NUDGE_S, "−"), nudge("end", NUDGE_S, "+")));
  }

  /* Write a cue's text into the words of its segments; words that stay keep their times. */
  #write(at, text) {
    const { editor, script } = this.player;
    const spots = this.#wordsOf(at);
    if (!spots.length) return this.#draw();
    const tokens = text.split(" ").filter(Boolean);
    const items = [...script.items];
    let used = 0;
    for (const [nth, { place, first, last }] of spots.entries()) {
      const item = items[place];
      const mine = nth === spots.length - 1 ? tokens.slice(used) : tokens.slice(used, used + last - first + 1);
      used += mine.length;
      const all = [...item.words.slice(0, first).map((word) => word.text.trim()), ...mine, ...item.words.slice(last + 1).map((word) => word.text.trim())];
      items[place] = rewritten(item, all.join(" "), script.base);
    }
    const cue = this.cues[at];
    this.cues[at] = { ...cue, text: broken(text, this.player.data.limits.max_line_width) };
    editor.change(items);
  }

  /* Move a cue's edge by moving the word at it, no further than the words beside it. */
  #nudge(at, edge, by) {
    const { editor, script } = this.player;
    const spots = this.#wordsOf(at);
    if (!spots.length) return;
    const { place, first, last } = edge === "start" ? spots[0] : spots.at(-1);
    const item = script.items[place];
    const words = item.words.map((word) => ({ ...word }));
    const least = words[first - 1]?.end ?? script.items[place - 1]?.end ?? 0;
    const most = words[last + 1]?.start ?? script.items[place + 1]?.start ?? this.player.data.duration_s ?? Infinity;
    const cue = this.cues[at];
    if (edge === "start") {
      const moved = Math.min(Math.max(words[first].start + by, least), words[first].end - 0.02);
      this.cues[at] = { ...cue, start: moved };
      words[first].start = moved;
    } else {
      const moved = Math.max(Math.min(Math.max(cue.end, words[last].end) + by, most), words[last].start + 0.02);
      this.cues[at] = { ...cue, end: moved };
      words[last].end = moved;
    }
    const start = Math.min(item.start, words[0].start);
    const next = { ...bare(item), start: first === 0 && edge === "start" ? words[0].start : start, end: last === words.length - 1 && edge === "end" ? words.at(-1).end : item.end, words, timed: true };
    editor.change(script.items.with(place, next));
  }

  #next() {
    const now = this.player.video.currentTime;
    const start = (row) => this.cues[[...row.parentElement.children].indexOf(row)].start;
    const row = this.warned.find((one) => start(one) > now + 0.05) ?? this.warned[0];
    this.player.seek(start(row));
    row.scrollIntoView({ block: "center" });
  }

  at(now) {
    if (!this.cues || this.player.sheet !== "cues") return;
    const at = lastBefore(this.cues, now);
    if (at === this.here) return;
    const list = this.place.querySelector(".cues");
    list?.children[this.here]?.classList.remove("on");
    this.here = at;
    const row = list?.children[at];
    row?.classList.add("on");
    if (row && this.player.script.following && !list.contains(this.player.root.getRootNode().activeElement)) list.scrollTo({ top: row.offsetTop - list.clientHeight / 3 });
  }
}

function warningsOf(cue, limits, words) {
  const long = cue.end - cue.start;
  const lines = cue.text.split("\n");
  const widest = Math.max(...lines.map(columns));
  const found = [];
  if (columns(cue.text) / Math.max(0.001, long) > limits.max_chars_per_s + 0.05) found.push(words.fast);
  if (widest > limits.max_line_width) found.push(fill(words.wide, { width: widest }));
  if (lines.length > limits.max_line_count) found.push(fill(words.lines, { lines: lines.length }));
  if (long < limits.min_duration_s - 0.0015) found.push(words.short);
  if (long > limits.max_duration_s + 0.0015) found.push(words.long);
  return found;
}

/* Columns as the exporter counts them: East Asian wide characters take two, combining marks none. */
function columns(text) {
  let wide = 0;
  for (const character of text) if (character !== "\n" && !NO_WIDTH.test(character)) wide += WIDE.test(character) ? 2 : 1;
  return wide;
}

/* Lines for a text that was just written, until the exporter has made its own. */
function broken(text, width) {
  const lines = [];
  for (const word of text.split(" ")) {
    if (lines.length && columns(`${lines.at(-1)} ${word}`) <= width) lines[lines.length - 1] += ` ${word}`;
    else lines.push(word);
  }
  return lines.join("\n");
}

function parsedVtt(text) {
  const seconds = (stamp) => stamp.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
  const plain = (words) => words.replace(/<[^>]*>/g, "").replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&nbsp;/g, " ").replace(/&amp;/g, "&");
  return text.replace(/\r/g, "").split(/\n\n+/).flatMap((block) => {
    const lines = block.split("\n");
    const at = lines.findIndex((line) => line.includes("-->"));
    if (at < 0) return [];
    const [start, end] = lines[at].split("-->").map((stamp) => seconds(stamp.trim().split(" ")[0]));
    const body = lines.slice(at + 1).filter(Boolean);
    const speaker = /^<v(?:\.[^ >]*)? ([^>]*)>/.exec(body[0] ?? "")?.[1] ?? "";
    return body.length ? [{ start, end, speaker: plain(speaker), text: plain(body.join("\n")) }] : [];
  });
}
