/*
 * Player, transcript and what belongs to them. A click, a key or `?t=` in the address moves the recording. Times are
 * seconds on the recording's clock. The parts are in wave.js, script.js, along.js, finding.js, editing.js,
 * panels.js, cues.js.
 */
const PLAY = "M7 4.5v15l13-7.5z";
const PAUSE = "M6 5h4v14H6zm8 0h4v14h-4z";
const SHEETS = ["script", "cues", "review", "notes", "versions"];

export default function ({ data, parentElement }) {
  const print = JSON.stringify([data.media, data.api]);
  if (parentElement.wtPrint === print) {
    parentElement.wtPlayer.told(data);
    return parentElement.wtStop;
  }
  parentElement.wtStop?.();
  parentElement.wtPrint = print;
  const player = new Player(parentElement.querySelector(".player"), data);
  parentElement.wtPlayer = player;
  parentElement.wtStop = () => {
    player.close();
    parentElement.wtPrint = null;
  };
  return parentElement.wtStop;
}

class Player {
  constructor(root, data) {
    this.root = root;
    this.data = data;
    this.text = data.text;
    this.ends = new AbortController();
    this.video = root.querySelector("video");
    this.seekBar = root.querySelector(".seek");
    this.#label();
    this.#wire();
    this.wave = new Wave(this, this.find(".wave"), data.peaks);
    this.script = new Script(this);
    this.finder = new Finder(this);
    this.editor = data.may_edit ? new Editor(this) : null;
    this.panels = new Panels(this);
    this.cues = new CueList(this);
    this.along = data.along ? new Along(this) : null;
    this.#tabs();
    if (this.along) this.along.told();
    else this.script.load();
  }

  close() {
    this.editor?.keepDraft();
    this.ends.abort();
    cancelAnimationFrame(this.frame);
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.load();
  }

  /* The page has looked again: somebody may have saved another version, or written a note. */
  told(data) {
    const { along } = this.data;
    this.data = data;
    if (data.along) {
      this.wave.from(data.peaks);
      this.along.told();
      return;
    }
    if (along) this.#becomeFinal();
    if (data.version > this.script.version) {
      if (this.editor?.dirty) this.editor.overtaken(data.version);
      else this.script.load();
    }
    this.panels.refresh();
  }

  /* All of it has been heard: the same page, where it is, with all that belongs to a transcript. */
  #becomeFinal() {
    this.find(".along").hidden = true;
    if (this.data.may_edit) this.editor = new Editor(this);
    this.script.tools();
    this.#tabs();
    this.find(".whole").textContent = clock(this.data.duration_s ?? 0);
    this.wave.from(this.data.peaks);
  }

  find(path) {
    return this.root.querySelector(path);
  }

  on(target, name, action, options = {}) {
    target.addEventListener(name, action, { signal: this.ends.signal, ...options });
  }

  name(path, words) {
    const item = typeof path === "string" ? this.find(path) : path;
    item.setAttribute("aria-label", words);
    item.title = words;
  }

  #label() {
    const { text } = this;
    for (const part of ["play", "back", "ahead", "seek", "speed", "link", "keys"]) this.name(`.${part}`, text[part]);
    for (const option of this.find(".speed").options) option.label = `${option.value}×`;
    this.find(".follow").textContent = text.follow;
    this.find(".text .state").textContent = text.loading;
    this.find(".play path").setAttribute("d", PLAY);
    this.find(".whole").textContent = clock(this.data.duration_s ?? 0);
    this.seekBar.max = this.data.duration_s ?? 0;
    const rows = text.shortcuts.map(([keys, words]) => `<dt>${keys.map((key) => `<kbd>${key}</kbd>`).join(" ")}</dt><dd>${words}</dd>`);
    this.find(".shortcuts").innerHTML = `<h4>${text.keys}</h4><dl>${rows.join("")}</dl><form method="dialog"><button class="button">${text.close}</button></form>`;
  }

  #wire() {
    const { video } = this;
    video.src = this.data.media;
    this.on(video, "loadedmetadata", () => this.#ready());
    this.on(video, "play", () => this.#running());
    this.on(video, "pause", () => this.#running());
    this.on(video, "timeupdate", () => this.show());
    this.on(video, "seeked", () => this.show());
    this.on(video, "error", () => this.#trouble());
    this.on(video, "click", () => this.toggle());
    this.on(this.seekBar, "input", () => this.seek(Number(this.seekBar.value)));
    this.on(this.find(".speed"), "change", (event) => (video.playbackRate = Number(event.target.value)));
    this.on(this.find(".shortcuts"), "click", (event) => event.target === event.currentTarget && event.currentTarget.close());
    this.on(document, "keydown", (event) => this.#key(event));
    const acts = {
      toggle: () => this.toggle(), back: () => this.step(-10), ahead: () => this.step(10),
      link: () => this.#copyLink(), keys: () => this.find(".shortcuts").showModal(),
    };
    for (const button of this.root.querySelectorAll("[data-act]")) this.on(button, "click", acts[button.dataset.act]);
  }

  #tabs() {
    const bar = this.find(".tabs");
    bar.replaceChildren(
      ...SHEETS.filter((sheet) => this.data.sheets.includes(sheet)).map((sheet) => {
        const tab = make("button", { type: "button", className: "tab", role: "tab" }, this.text.sheets[sheet]);
        tab.dataset.tab = sheet;
        tab.append(make("span", { className: "badge number", hidden: true }));
        tab.onclick = () => this.open(sheet);
        return tab;
      }),
    );
    this.on(bar, "keydown", (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const tabs = [...bar.children];
      if (!by) return;
      event.stopPropagation();
      event.preventDefault();
      const next = tabs[(tabs.indexOf(this.root.getRootNode().activeElement) + by + tabs.length) % tabs.length];
      next.focus();
      next.click();
    });
    this.open("script");
  }

  open(sheet) {
    this.sheet = sheet;
    for (const tab of this.find(".tabs").children) {
      const here = tab.dataset.tab === sheet;
      tab.setAttribute("aria-selected", here);
      tab.tabIndex = here ? 0 : -1;
    }
    for (const part of this.root.querySelectorAll(".sheet")) part.hidden = part.dataset.sheet !== sheet;
    if (sheet === "cues") this.cues.show();
    if (sheet !== "script" && sheet !== "cues") this.panels.show(sheet);
  }

  badge(sheet, count) {
    const badge = this.find(`[data-tab=${sheet}] .badge`);
    if (!badge) return;
    badge.textContent = count || "";
    badge.hidden = !count;
  }

  #ready() {
    const { video } = this;
    this.find(".screen").hidden = video.videoWidth === 0;
    if (video.videoWidth) this.captions();
    if (Number.isFinite(video.duration)) {
      this.seekBar.max = video.duration;
      this.find(".whole").textContent = clock(video.duration);
    }
    const asked = Number(new URLSearchParams(location.search).get("t"));
    if (asked > 0 && !this.asked) this.seek(asked);
    this.asked = true;
  }

  /* Captions over a picture; asked for anew with each version. */
  captions() {
    for (const track of this.video.querySelectorAll("track")) track.remove();
    if (!this.video.videoWidth || this.data.along) return;
    const src = `${this.data.captions}${this.data.captions.includes("?") ? "&" : "?"}v=${this.script.version}`;
    const track = make("track", { kind: "captions", src, default: true, label: this.text.captions });
    track.srclang = this.data.language ?? "";
    this.video.append(track);
  }

  #running() {
    const { paused } = this.video;
    this.find(".play path").setAttribute("d", paused ? PLAY : PAUSE);
    this.name(".play", paused ? this.text.play : this.text.pause);
    cancelAnimationFrame(this.frame);
    const tick = () => {
      this.show();
      if (!this.video.paused) this.frame = requestAnimationFrame(tick);
    };
    tick();
  }

  show() {
    const now = this.video.currentTime;
    if (now !== this.shown) {
      this.shown = now;
      this.seekBar.value = now;
      this.seekBar.setAttribute("aria-valuetext", clock(now));
      this.find(".now").textContent = clock(now);
      this.wave?.draw();
    }
    this.script?.show(now);
    this.cues?.at(now);
  }

  toggle() {
    if (this.video.paused) this.video.play().catch(() => {});
    else this.video.pause();
  }

  step(by_s) {
    this.seek(this.video.currentTime + by_s);
  }

  seek(to_s) {
    const end = Number(this.seekBar.max) || Infinity;
    this.script?.handsOff();
    this.video.currentTime = Math.min(Math.max(0, to_s), end);
    this.show();
  }

  #key(event) {
    const target = event.composedPath()[0];
    const typing = target.closest?.("input:not(.seek), textarea, select, [contenteditable], dialog[open], [role=dialog], [role=listbox]");
    if (this.editor?.key(event, typing)) return;
    if (event.metaKey || event.ctrlKey || event.altKey || typing || this.find(".shortcuts").open) return;
    if (event.key === " " && target.closest?.("button, a, summary, [role=button], [role=tab]")) return;
    const acts = {
      " ": () => this.toggle(), k: () => this.toggle(), j: () => this.step(-10), l: () => this.step(10),
      ArrowLeft: () => this.step(-5), ArrowRight: () => this.step(5), "<": () => this.#faster(-1), ">": () => this.#faster(1),
      ArrowUp: () => this.script.go(-1), ArrowDown: () => this.script.go(1),
      n: () => this.script.doubt(1), N: () => this.script.doubt(-1), u: () => this.script.shade(!this.script.shading),
      f: () => this.script.setFollow(!this.script.following), "/": () => this.finder.open(), e: () => this.editor?.toggle(),
      "?": () => this.find(".shortcuts").showModal(),
    };
    const act = acts[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  #faster(by) {
    const speed = this.find(".speed");
    speed.selectedIndex = Math.min(Math.max(0, speed.selectedIndex + by), speed.options.length - 1);
    this.video.playbackRate = Number(speed.value);
  }

  async #copyLink() {
    const url = new URL(location.href);
    url.searchParams.set("t", this.video.currentTime.toFixed(1));
    const button = this.find(".link");
    const done = await copy(url.href);
    this.name(button, done ? this.text.copied : url.href);
    button.classList.toggle("primary", done);
    setTimeout(() => {
      button.classList.remove("primary");
      this.name(button, this.text.link);
    }, 1500);
  }

  #trouble() {
    const place = this.find(".trouble");
    place.textContent = this.text.cannot_play;
    const link = make("a", { href: this.data.media, download: this.data.name }, this.text.download_original);
    place.append(" ", link);
    place.hidden = false;
  }

  /* Ask our own API; the answer's JSON, or an error with the server's words in it. */
  async ask(path, { method = "GET", body } = {}) {
    const headers = body === undefined ? {} : { "Content-Type": "application/json" };
    const answer = await fetch(`${this.data.api}${path}`, { method, headers, body: body && JSON.stringify(body), signal: this.ends.signal });
    if (answer.status === 204) return null;
    const told = await answer.json().catch(() => ({}));
    if (answer.ok) return told;
    throw Object.assign(new Error(told.error?.message ?? this.text.no_answer), { status: answer.status, code: told.error?.code });
  }

  /* One line above the sheets, with buttons; none takes it away. */
  notice(words, buttons = [], kind = "info") {
    const place = this.find(".notice");
    place.hidden = !words;
    place.className = `notice ${kind}`;
    const made = buttons.map(([label, act, primary]) => make("button", { type: "button", className: `button small${primary ? " primary" : ""}`, onclick: act }, label));
    place.replaceChildren(make("span", {}, words ?? ""), ...made);
    clearTimeout(this.noticeTimer);
    if (kind === "good") this.noticeTimer = setTimeout(() => (place.hidden = true), 8000);
  }
}

function make(tag, set = {}, ...inside) {
  const { role, ...rest } = set;
  const item = Object.assign(document.createElement(tag), rest);
  if (role) item.setAttribute("role", role);
  item.append(...inside);
  return item;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

function lastBefore(parts, now) {
  let low = 0;
  let high = parts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (parts[middle].start <= now + 0.02) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function clock(s, tenths = false) {
  const whole = Math.floor(s + (tenths ? 0.0005 : 0));
  const two = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const rest = tenths ? `.${Math.floor((s + 0.0005 - whole) * 10)}` : "";
  return (hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`) + rest;
}

function fill(words, values) {
  return words.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}
