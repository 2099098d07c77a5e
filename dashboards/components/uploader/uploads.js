/*
 * The uploads of this browser tab, by the tus protocol (tus-js-client): they outlive the page that started
 * them, wait out a lost network or a restarted server, and are found again after a reload by the file's
 * name, size and date. Components listen to the window event "wt-uploads".
 */
const WT_MB = 1024 * 1024;
const WT_PART = 32 * WT_MB;
const WT_BIG = 64 * WT_MB;
const WT_CONNECTIONS = 4;
const WT_DELAYS = [0, 500, 1000, 2000, 3000, ...Array(120).fill(5000)];
const WT_WORTH_RETRYING = new Set([0, 409, 423, 429]);
const WT_MEDIA = /\.(aac|ac3|aif|aiff|amr|asf|au|avi|caf|dss|flac|flv|gsm|m4a|m4b|m4v|mka|mkv|mov|mp1|mp2|mp3|mp4|mpe?g|mts|m2ts|mxf|oga|ogg|ogv|opus|ra|rm|spx|ts|wav|webm|wma|wmv|w64|3gp|3g2)$/i;

class WtUploads {
  constructor() {
    this.items = [];
    this.next = 1;
    addEventListener("online", () => this.#each("offline", (item) => this.resume(item.key)));
    addEventListener("offline", () => this.#each("sending", (item) => this.#hold(item, "offline")));
    addEventListener("beforeunload", (event) => {
      if (this.summary().active) event.preventDefault();
    });
  }

  /** Whether a file looks like sound or video, by its type or its name. */
  isMedia(file) {
    return /^(audio|video)\//.test(file.type) || WT_MEDIA.test(file.name);
  }

  /**
   * Take files in and start them; `settings` holds owner, options, lane, limits and texts. `more` is added to each
   * item: `kept` is the id of what the browser holds of it (kept.js), forgotten when the file has become a job.
   */
  add(files, settings, more = {}) {
    for (const file of files) {
      const item = { key: this.next++, file, name: file.name, size: file.size, sent: 0, settings, marks: [], ...more };
      const where = file.wtPath || file.webkitRelativePath || file.name;
      item.mark = `wt-${settings.owner}-${where}-${file.size}-${file.lastModified}`;
      const twin = this.items.find((other) => other.mark === item.mark && !["failed", "done"].includes(other.state));
      if (twin) {
        if (twin.state === "paused") this.resume(twin.key);
        continue;
      }
      item.state = "looking";
      const { text } = settings;
      if (file.size === 0) Object.assign(item, { state: "failed", final: true, error: text.empty });
      else if (file.size > settings.max_bytes) Object.assign(item, { state: "failed", final: true, error: text.too_large });
      else if (file.size > settings.free_bytes) Object.assign(item, { state: "failed", final: true, error: text.no_room });
      this.items.push(item);
      if (item.state === "looking") this.#look(item);
    }
    this.#pump();
  }

  /** Look whether the owner has sent it before; what was begun before is simply gone on with. */
  async #look(item) {
    const begun = Object.keys(localStorage).some((key) => key.startsWith(`tus::${item.mark}::`));
    item.twins = begun ? [] : await wtTwins.of(item, () => this.#tell()).catch(() => []);
    if (item.state !== "looking") return;
    item.state = item.twins.length ? "known" : "waiting";
    this.#pump();
  }

  /** Transcribe again what the server has, with the choices of now; where it has gone meanwhile, send it. */
  async again(key, settings) {
    const item = this.find(key);
    Object.assign(item, { state: "looking", settings: settings ?? item.settings });
    const job = await wtTwins.again(item).catch(() => null);
    this.#finish(item, job ? { state: "done", sent: item.size, job } : { state: "waiting" });
  }

  dropKnown() {
    for (const item of this.items.filter((one) => one.state === "known")) this.#settleKept(item);
    this.items = this.items.filter((item) => item.state !== "known");
    this.#tell();
  }

  pause(key) {
    this.#hold(this.find(key), "paused");
    this.#pump();
  }

  resume(key) {
    const item = this.find(key);
    Object.assign(item, { state: "waiting", error: null });
    this.#pump();
  }

  async cancel(key) {
    const item = this.find(key);
    this.items = this.items.filter((other) => other !== item);
    item.stopLooking?.();
    if (item.state !== "done" && item.upload) await item.upload.abort(true).catch(() => {});
    this.#pump();
  }

  clear() {
    this.items = this.items.filter((item) => !["done", "failed"].includes(item.state));
    this.#tell();
  }

  stopAll() {
    this.#each("sending", (item) => this.#hold(item, "paused"));
    this.items = [];
    this.#tell();
  }

  find(key) {
    return this.items.find((item) => item.key === key);
  }

  summary() {
    const open = this.items.filter((item) => ["looking", "waiting", "sending", "offline"].includes(item.state));
    const size = open.reduce((sum, item) => sum + item.size, 0);
    const sent = open.reduce((sum, item) => sum + item.sent, 0);
    const speed = open.reduce((sum, item) => sum + this.speed(item), 0);
    return { active: open.length, size, sent, speed, share: size ? sent / size : 0 };
  }

  /** Bytes a second over the last few seconds. */
  speed(item) {
    if (item.state !== "sending" || item.marks.length < 2) return 0;
    const [t0, b0] = item.marks[0];
    const [t1, b1] = item.marks.at(-1);
    return t1 > t0 ? Math.max(0, (1000 * (b1 - b0)) / (t1 - t0)) : 0;
  }

  /** Uploads of this owner that an earlier page left unfinished: name, size and how to forget them. */
  unfinished(owner) {
    const found = new Map();
    for (const key of Object.keys(localStorage)) {
      if (!key.startsWith(`tus::wt-${owner}-`)) continue;
      const kept = JSON.parse(localStorage.getItem(key));
      const mark = key.split("::")[1];
      if (this.items.some((item) => item.mark === mark)) continue;
      found.set(mark, { key, name: kept.metadata?.filename ?? "", size: kept.size, began: kept.creationTime, kept });
    }
    return [...found.values()];
  }

  async forget(entry) {
    localStorage.removeItem(entry.key);
    const urls = entry.kept.parallelUploadUrls ?? [entry.kept.uploadUrl];
    const headers = { "Tus-Resumable": "1.0.0" };
    await Promise.allSettled(urls.filter(Boolean).map((url) => fetch(url, { method: "DELETE", headers })));
    this.#tell();
  }

  #each(state, action) {
    for (const item of this.items.filter((item) => item.state === state)) action(item);
  }

  #hold(item, state) {
    item.upload?.abort();
    Object.assign(item, { state, marks: [] });
    this.#tell();
  }

  /** A big file takes all connections, small ones one each, so that the browser's six are never used up. */
  #pump() {
    const weight = (item) => (item.size >= WT_BIG ? WT_CONNECTIONS : 1);
    let free = WT_CONNECTIONS;
    this.#each("sending", (item) => (free -= weight(item)));
    for (const item of this.items) {
      if (item.state !== "waiting") continue;
      if (weight(item) > free) break;
      free -= weight(item);
      this.#start(item);
    }
    this.#tell();
  }

  async #start(item) {
    Object.assign(item, { state: "sending", began: Date.now(), marks: [] });
    if (item.upload && item.started) return item.upload.start();
    const { settings } = item;
    item.upload = new tus.Upload(item.file, {
      endpoint: "/uploads",
      chunkSize: WT_PART,
      parallelUploads: item.size >= WT_BIG ? WT_CONNECTIONS : 1,
      retryDelays: WT_DELAYS,
      metadata: { filename: item.name, filetype: item.file.type, options: settings.options, lane: settings.lane },
      fingerprint: async () => item.mark,
      removeFingerprintOnSuccess: true,
      onShouldRetry: (error) => this.#again(item, error),
      onProgress: (sent) => this.#progress(item, sent),
      onAfterResponse: (_request, response) => {
        item.job = response.getHeader("X-Job-Id") ?? item.job;
        item.trouble = null;
      },
      onSuccess: () => this.#finish(item, { state: "done", sent: item.size }),
      onError: (error) => this.#broke(item, error),
    });
    const [earlier] = await item.upload.findPreviousUploads();
    if (item.state !== "sending") return;
    if (earlier) item.upload.resumeFromPreviousUpload(earlier);
    item.started = true;
    item.upload.start();
  }

  #again(item, error) {
    const status = error.originalResponse?.getStatus() ?? 0;
    const worth = WT_WORTH_RETRYING.has(status) || (status >= 500 && status !== 507);
    if (status === 0 || status >= 500) item.trouble = item.settings.text.waiting_server;
    this.#tell();
    return worth && navigator.onLine;
  }

  /** What the server has refused for good is not offered to be gone on with. */
  #broke(item, error) {
    const status = error.originalResponse?.getStatus() ?? 0;
    if (status >= 400 && status < 500 && status !== 401) {
      for (const key of Object.keys(localStorage)) if (key.startsWith(`tus::${item.mark}::`)) localStorage.removeItem(key);
      Object.assign(item, { started: false, final: true });
    }
    this.#finish(item, { state: "failed", error: this.#explain(item, error) });
  }

  #explain(item, error) {
    const { text } = item.settings;
    const answer = error.originalResponse;
    if (!answer) return text.no_answer;
    if (answer.getStatus() === 401) return text.signed_out;
    try {
      return JSON.parse(answer.getBody()).error.message;
    } catch {
      return text.refused.replace("{status}", answer.getStatus());
    }
  }

  #progress(item, sent) {
    const now = Date.now();
    item.sent = sent;
    item.trouble = null;
    if (!item.marks.length) item.marks.push([now, sent]);
    if (now - item.began < 700) item.marks = [[now, sent]]; // what was there before is no speed
    else if (now - item.marks.at(-1)[0] > 200) item.marks.push([now, sent]);
    while (item.marks.length > 2 && now - item.marks[0][0] > 6000) item.marks.shift();
    this.#tell();
  }

  #settleKept(item) {
    if (item.kept) wtKept.forget(item.kept).catch(() => {});
  }

  #finish(item, change) {
    Object.assign(item, change);
    if (item.state === "done") this.#settleKept(item);
    if (!navigator.onLine && item.state === "failed") Object.assign(item, { state: "offline", error: null });
    this.#pump();
  }

  #tell() {
    dispatchEvent(new CustomEvent("wt-uploads"));
  }
}

export default function () {
  window.wtUploads ??= new WtUploads();
  window.wtRecorder ??= new WtRecorder();
}
