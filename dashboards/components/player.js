/*
 * Player and transcript: the line and the word being said are marked and kept in view; a click, a key or
 * `?t=` in the address moves the recording. Times are seconds on the recording's clock.
 */
const PLAY = "M7 4.5v15l13-7.5z";
const PAUSE = "M6 5h4v14H6zm8 0h4v14h-4z";
const HANDS_OFF_MS = 4000;

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".player");
  const print = JSON.stringify([data.media, data.transcript]);
  if (parentElement.wtPrint === print) return parentElement.wtStop;
  parentElement.wtStop?.();
  parentElement.wtPrint = print;
  const player = new Player(root, data);
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
    this.lines = [];
    this.line = -1;
    this.word = null;
    this.handsOn = 0;
    this.ends = new AbortController();
    this.video = root.querySelector("video");
    this.panel = root.querySelector(".text");
    this.seekBar = root.querySelector(".seek");
    this.#label();
    this.#wire();
    this.#findings();
    this.#load();
  }

  close() {
    this.ends.abort();
    cancelAnimationFrame(this.frame);
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.load();
  }

  #find(path) {
    return this.root.querySelector(path);
  }

  #label() {
    const { text } = this.data;
    const name = (path, words) => {
      this.#find(path).setAttribute("aria-label", words);
      this.#find(path).title = words;
    };
    name(".play", text.play);
    name(".back", text.back);
    name(".ahead", text.ahead);
    name(".seek", text.seek);
    name(".speed", text.speed);
    name(".link", text.link);
    for (const option of this.#find(".speed").options) option.label = `${option.value}×`;
    this.#find(".follow").textContent = text.follow;
    this.#find(".keys").innerHTML = text.keys.map(([key, words]) => `<kbd>${key}</kbd> ${words}`).join(" &ensp; ");
    this.#find(".text .state").textContent = text.loading;
    this.#find(".play path").setAttribute("d", PLAY);
    this.#find(".whole").textContent = clock(this.data.duration_s ?? 0);
    this.seekBar.max = this.data.duration_s ?? 0;
  }

  #wire() {
    const { signal } = this.ends;
    const on = (target, name, action) => target.addEventListener(name, action, { signal });
    const { video, panel } = this;
    video.src = this.data.media;
    for (const track of video.querySelectorAll("track")) track.remove();
    const track = Object.assign(document.createElement("track"), { kind: "captions", src: this.data.captions, default: true });
    track.srclang = this.data.language ?? "";
    track.label = this.data.text.captions;
    video.append(track);
    on(video, "loadedmetadata", () => this.#ready());
    on(video, "play", () => this.#running());
    on(video, "pause", () => this.#running());
    on(video, "timeupdate", () => this.#show());
    on(video, "seeked", () => this.#show());
    on(video, "error", () => this.#trouble());
    on(video, "click", () => this.toggle());
    on(this.seekBar, "input", () => this.seek(Number(this.seekBar.value)));
    on(this.#find(".speed"), "change", (event) => (video.playbackRate = Number(event.target.value)));
    on(this.#find(".follow"), "click", () => {
      this.handsOn = 0;
      this.#keepInView();
    });
    for (const name of ["wheel", "touchmove", "pointerdown"]) {
      panel.addEventListener(name, () => (this.handsOn = Date.now()), { signal, passive: true });
    }
    on(panel, "click", (event) => this.#clicked(event));
    on(panel, "pointerover", (event) => this.#split(event.target.closest(".line")));
    on(document, "keydown", (event) => this.#key(event));
    const acts = { toggle: () => this.toggle(), back: () => this.step(-10), ahead: () => this.step(10), link: () => this.#copyLink() };
    for (const button of this.root.querySelectorAll("[data-act]")) on(button, "click", acts[button.dataset.act]);
  }

  async #load() {
    const state = this.#find(".text .state");
    let heard;
    try {
      const answer = await fetch(this.data.transcript, { signal: this.ends.signal });
      if (!answer.ok) throw new Error(answer.status);
      heard = await answer.json();
    } catch (error) {
      if (!this.ends.signal.aborted) state.textContent = this.data.text.no_transcript;
      return;
    }
    const parts = (heard.segments ?? []).filter((part) => part.text.trim());
    if (!parts.length) {
      state.textContent = this.data.text.no_speech;
      return;
    }
    this.lines = parts.map((part) => this.#line(part));
    this.panel.replaceChildren(...this.lines.map((line) => line.item));
    this.#show();
  }

  #line(part) {
    const start = part.start ?? part.start_s;
    const end = part.end ?? part.end_s;
    const words = (part.words ?? []).map((word) => ({
      start: word.start ?? word.start_s, end: word.end ?? word.end_s, text: word.word ?? word.text,
    }));
    const item = document.createElement("div");
    item.className = "line";
    const time = document.createElement("button");
    time.type = "button";
    time.className = "time";
    time.textContent = clock(start);
    time.setAttribute("aria-label", this.data.text.play_from.replace("{time}", clock(start)));
    const body = document.createElement("span");
    if (part.speaker) {
      const speaker = document.createElement("span");
      speaker.className = "speaker";
      speaker.textContent = part.speaker;
      body.append(speaker);
    }
    const text = document.createElement("span");
    text.className = "words";
    text.textContent = part.text.trim();
    body.append(text);
    item.append(time, body);
    item.classList.toggle("doubt", this.data.findings.some((finding) => this.#isLocal(finding) && finding.start_s < end && finding.end_s > start));
    return { item, text, words, start, end, split: false };
  }

  /* What is found about a whole recording marks no line of it. */
  #isLocal(finding) {
    return finding.end_s - finding.start_s < 0.8 * (this.data.duration_s ?? Infinity);
  }

  /* Words become elements of their own only where the pointer or the voice is: an hour has ten thousand. */
  #split(item) {
    const line = item && this.lines.find((line) => line.item === item);
    if (!line || line.split || !line.words.length) return line;
    line.split = true;
    line.text.replaceChildren(
      ...line.words.flatMap((word) => {
        word.item = document.createElement("span");
        word.item.textContent = word.text.trim();
        return [word.text.startsWith(" ") ? " " : "", word.item];
      }),
    );
    return line;
  }

  #clicked(event) {
    const item = event.target.closest(".line");
    if (!item || !getSelection().isCollapsed) return;
    const line = this.#split(item);
    const under = this.root.getRootNode().elementFromPoint(event.clientX, event.clientY);
    const word = event.target.closest(".time") ? null : line.words.find((word) => word.item === under);
    this.handsOn = 0;
    this.seek((word ?? line).start);
    if (this.video.paused) this.video.play().catch(() => {});
  }

  #ready() {
    const { video } = this;
    this.#find(".screen").hidden = video.videoWidth === 0;
    if (Number.isFinite(video.duration)) {
      this.seekBar.max = video.duration;
      this.#find(".whole").textContent = clock(video.duration);
    }
    const asked = Number(new URLSearchParams(location.search).get("t"));
    if (asked > 0 && !this.asked) this.seek(asked);
    this.asked = true;
  }

  #running() {
    const { paused } = this.video;
    this.#find(".play path").setAttribute("d", paused ? PLAY : PAUSE);
    const words = paused ? this.data.text.play : this.data.text.pause;
    this.#find(".play").setAttribute("aria-label", words);
    this.#find(".play").title = words;
    cancelAnimationFrame(this.frame);
    const tick = () => {
      this.#show();
      if (!this.video.paused) this.frame = requestAnimationFrame(tick);
    };
    tick();
  }

  #show() {
    const now = this.video.currentTime;
    this.seekBar.value = now;
    this.seekBar.setAttribute("aria-valuetext", clock(now));
    this.#find(".now").textContent = clock(now);
    if (!this.lines.length) return;
    const at = lastBefore(this.lines, now);
    if (at !== this.line) {
      this.lines[this.line]?.item.classList.remove("on");
      this.line = at;
      this.lines[at]?.item.classList.add("on");
      this.#split(this.lines[at]?.item);
      this.#keepInView();
    }
    this.#mark(at < 0 ? null : this.lines[at].words[lastBefore(this.lines[at].words, now)], now);
    this.#offerFollow();
  }

  #mark(word, now) {
    const said = word?.item && now < word.end + 0.4 ? word.item : null;
    if (said === this.word) return;
    this.word?.classList.remove("said");
    this.word = said;
    said?.classList.add("said");
  }

  #keepInView() {
    const item = this.lines[this.line]?.item;
    if (!item || Date.now() - this.handsOn < HANDS_OFF_MS) return;
    const { panel } = this;
    const top = item.offsetTop - panel.clientHeight / 3;
    panel.scrollTo({ top: Math.max(0, top) });
  }

  #offerFollow() {
    const item = this.lines[this.line]?.item;
    const { panel } = this;
    const away = item && (item.offsetTop + item.offsetHeight < panel.scrollTop || item.offsetTop > panel.scrollTop + panel.clientHeight);
    this.#find(".follow").hidden = !(away && Date.now() - this.handsOn < 60000);
  }

  #findings() {
    const { findings, text } = this.data;
    const box = this.#find(".findings");
    box.hidden = findings.length === 0;
    box.querySelector("h4").textContent = text.findings;
    box.querySelector("ul").replaceChildren(
      ...findings.map((finding) => {
        const item = document.createElement("li");
        const button = document.createElement("button");
        button.type = "button";
        const time = document.createElement("span");
        time.className = "number muted";
        time.textContent = clock(finding.start_s);
        button.append(time, finding.words);
        button.onclick = () => {
          this.handsOn = 0;
          this.seek(finding.start_s);
        };
        item.append(button);
        return item;
      }),
    );
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
    this.video.currentTime = Math.min(Math.max(0, to_s), end);
    this.#show();
  }

  #key(event) {
    if (event.metaKey || event.ctrlKey || event.altKey) return;
    const target = event.composedPath()[0];
    const typing = target.closest?.("input:not(.seek), textarea, select, [contenteditable], [role=dialog], [role=listbox]");
    if (typing) return;
    if (event.key === " " && target.closest?.("button, a, summary, [role=button], [role=tab]")) return;
    const acts = {
      " ": () => this.toggle(), k: () => this.toggle(), j: () => this.step(-10), l: () => this.step(10),
      ArrowLeft: () => this.step(-5), ArrowRight: () => this.step(5), "<": () => this.#faster(-1), ">": () => this.#faster(1),
    };
    const act = acts[event.key];
    if (!act) return;
    event.preventDefault();
    this.handsOn = 0;
    act();
  }

  #faster(by) {
    const speed = this.#find(".speed");
    speed.selectedIndex = Math.min(Math.max(0, speed.selectedIndex + by), speed.options.length - 1);
    this.video.playbackRate = Number(speed.value);
  }

  async #copyLink() {
    const url = new URL(location.href);
    url.searchParams.set("t", this.video.currentTime.toFixed(1));
    const button = this.#find(".link");
    const done = await copy(url.href);
    button.title = done ? this.data.text.copied : url.href;
    button.classList.toggle("primary", done);
    setTimeout(() => {
      button.classList.remove("primary");
      button.title = this.data.text.link;
    }, 1200);
  }

  #trouble() {
    const place = this.#find(".trouble");
    place.textContent = this.data.text.cannot_play;
    const link = document.createElement("a");
    link.href = this.data.media;
    link.download = this.data.name;
    link.textContent = this.data.text.download_original;
    place.append(" ", link);
    place.hidden = false;
  }
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

function clock(s) {
  const whole = Math.floor(s);
  const two = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}
