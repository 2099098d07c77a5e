/* The upload page: takes files in, shows each one's way to the server and, from there, its job's progress. */
export default async function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".uploader");
  const view = (parentElement.wtView ??= { rows: new Map() });
  view.data = data;
  label(root, data);
  while (!window.wtUploads) await new Promise((resolve) => setTimeout(resolve, 20));
  const uploads = window.wtUploads;
  view.open = (job) => setTriggerValue("open", job);
  view.tell = (jobs) => setTriggerValue("uploaded", jobs);
  if (!view.stop) {
    wire(root, uploads, view);
    wireRecorder(root, uploads, view);
  }
  view.draw();
  return () => view.stop?.();
}

function label(root, { text }) {
  const write = (path, words) => (root.querySelector(path).textContent = words);
  const touch = matchMedia("(pointer: coarse)").matches;
  write(".lead", touch ? text.lead_touch : text.lead);
  write(".formats", text.formats);
  write(".limit", text.limit);
  write(".files", text.choose_files);
  write(".folder", text.choose_folder);
  write(".kept h2", text.kept);
  write(".unfinished h2", text.unfinished);
  write(".clear", text.clear);
  write(".record", text.record);
  root.querySelector(".folder").hidden = touch;
  root.querySelector(".record").hidden = !window.MediaRecorder || !navigator.mediaDevices;
}

function wire(root, uploads, view) {
  const drop = root.querySelector(".drop");
  const pickFiles = root.querySelector(".pick-files");
  const pickFolder = root.querySelector(".pick-folder");
  const take = (files, fromFolder) => takeIn(root, uploads, view.data, files, fromFolder);
  view.take = (files, more) => uploads.add(files, { ...view.data.settings, text: view.data.text }, more);
  let depth = 0;
  let waiting = false;

  const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const onEnter = (event) => {
    if (!hasFiles(event)) return;
    depth += 1;
    drop.classList.add("over");
  };
  const onLeave = (event) => {
    if (hasFiles(event) && --depth <= 0) drop.classList.remove("over");
  };
  const onOver = (event) => hasFiles(event) && event.preventDefault();
  const onDrop = async (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth = 0;
    drop.classList.remove("over");
    const { files, fromFolder } = await filesOf(event.dataTransfer);
    take(files, fromFolder);
  };
  view.draw = () => {
    if (waiting) return;
    waiting = true;
    setTimeout(() => {
      waiting = false;
      draw(root, uploads, view);
    }, 60);
  };
  const listeners = { dragenter: onEnter, dragleave: onLeave, dragover: onOver, drop: onDrop, "wt-uploads": view.draw };
  for (const [name, listener] of Object.entries(listeners)) window.addEventListener(name, listener);
  const clock = setInterval(view.draw, 1000);
  view.stop = () => {
    for (const [name, listener] of Object.entries(listeners)) window.removeEventListener(name, listener);
    clearInterval(clock);
    view.stop = null;
  };
  root.querySelector(".files").onclick = () => pickFiles.click();
  root.querySelector(".folder").onclick = () => pickFolder.click();
  root.querySelector(".clear").onclick = () => uploads.clear();
  root.querySelector(".skip").onclick = () => uploads.dropKnown();
  for (const input of [pickFiles, pickFolder]) {
    input.onchange = () => {
      take([...input.files], input === pickFolder);
      input.value = "";
    };
  }
}

/* Folders are walked; what is neither sound nor video in them is left out, and said. */
async function filesOf(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return { files: [...transfer.files], fromFolder: false };
  const files = [];
  for (const entry of entries) await walk(entry, files);
  return { files, fromFolder: true };
}

async function walk(entry, files) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    file.wtPath = entry.fullPath;
    files.push(file);
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const batch = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!batch.length) return;
    for (const inner of batch) await walk(inner, files);
  }
}

function takeIn(root, uploads, data, files, fromFolder) {
  const kept = fromFolder ? files.filter((file) => uploads.isMedia(file)) : files;
  const note = root.querySelector(".note");
  const left = files.length - kept.length;
  note.hidden = left === 0;
  note.textContent = (left === 1 ? data.text.left_out_one : data.text.left_out).replace("{n}", left);
  uploads.add(kept, { ...data.settings, text: data.text });
}

function draw(root, uploads, view) {
  const { data } = view;
  drawUnfinished(root, uploads, data);
  const queue = root.querySelector(".queue");
  queue.hidden = uploads.items.length === 0;
  root.classList.toggle("small-drop", uploads.items.length > 0);
  const sum = uploads.summary();
  const n = uploads.items.length;
  queue.querySelector("h2").textContent = n === 1 ? data.text.one_file : data.text.files.replace("{n}", n);
  queue.querySelector(".totals").textContent = sum.active
    ? [`${bytes(sum.sent)} / ${bytes(sum.size)}`, ...pace(sum, data.text)].join(" · ")
    : "";
  queue.querySelector(".overall").hidden = sum.active < 2;
  queue.querySelector(".overall i").style.setProperty("--share", sum.share);
  queue.querySelector(".overall").setAttribute("aria-valuenow", Math.round(100 * sum.share));
  queue.querySelector(".overall").setAttribute("aria-label", data.text.all_files);
  const known = uploads.items.filter((item) => item.state === "known").length;
  const skip = queue.querySelector(".skip");
  skip.hidden = known < 2;
  skip.textContent = data.text.skip_known.replace("{n}", known);
  queue.querySelector(".clear").hidden = !uploads.items.some((item) => ["done", "failed"].includes(item.state));
  const list = queue.querySelector("ul");
  for (const item of uploads.items) {
    if (!view.rows.has(item.key)) {
      view.rows.set(item.key, row());
      list.prepend(view.rows.get(item.key).li);
    }
    drawItem(view.rows.get(item.key), item, uploads, view);
  }
  for (const [key, { li }] of view.rows) {
    if (uploads.find(key)) continue;
    li.remove();
    view.rows.delete(key);
  }
  tellOfJobs(uploads, view);
}

/* Said again until the page has heard it: the first time it may have been on its way to a server that went. */
function tellOfJobs(uploads, view) {
  const unknown = uploads.items.map((item) => item.job).filter((job) => job && !view.data.jobs[job]);
  const print = unknown.join();
  if (print !== view.print) Object.assign(view, { print, tries: 0, toldAt: 0 });
  if (!unknown.length || view.tries >= 10 || Date.now() - view.toldAt < 2000) return;
  view.tries += 1;
  view.toldAt = Date.now();
  view.tell(unknown);
}

function drawUnfinished(root, uploads, { text, settings }) {
  const entries = uploads.unfinished(settings.owner);
  const section = root.querySelector(".unfinished");
  const print = entries.map((entry) => entry.key).join();
  section.hidden = entries.length === 0;
  if (section.wtPrint === print) return;
  section.wtPrint = print;
  section.querySelector("ul").replaceChildren(
    ...entries.map((entry) => {
      const { li, title, facts, acts } = row();
      title.textContent = entry.name;
      facts.textContent = bytes(entry.size);
      acts.append(
        act(text.choose_again, () => root.querySelector(".pick-files").click()),
        act(text.discard, () => uploads.forget(entry)),
      );
      return li;
    }),
  );
}

function row() {
  const li = document.createElement("li");
  li.innerHTML =
    '<div class="row"><span class="title"></span><span class="pill" hidden></span>' +
    '<span class="facts muted small number"></span><span class="acts"></span></div>' +
    '<span class="bar" role="progressbar" aria-valuemin="0" aria-valuemax="100" hidden><i></i></span>' +
    '<p class="known small" hidden></p><p class="problem" hidden></p>';
  const find = (path) => li.querySelector(path);
  return {
    li, title: find(".title"), pill: find(".pill"), facts: find(".facts"),
    acts: find(".acts"), bar: find(".bar"), known: find(".known"), problem: find(".problem"),
  };
}

function act(words, action) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button quiet";
  button.textContent = words;
  button.onclick = action;
  return button;
}

function drawItem(place, item, uploads, view) {
  const { text, jobs } = view.data;
  const job = item.job && jobs[item.job];
  const sent = item.state === "looking" ? item.read ?? 0 : item.sent;
  const share = job ? job.progress : item.size ? sent / item.size : 0;
  const moving = job ? job.active : ["looking", "sending", "waiting", "paused", "offline"].includes(item.state);
  place.title.textContent = item.name;
  place.title.title = item.name;
  place.pill.hidden = !job && item.state !== "done";
  place.pill.className = `pill ${job ? job.kind : "active"}`;
  place.pill.textContent = job ? job.label : text.uploaded;
  place.facts.textContent = job ? job.detail : facts(item, uploads, text);
  place.bar.hidden = !moving;
  place.bar.firstChild.style.setProperty("--share", share);
  place.bar.setAttribute("aria-valuenow", Math.round(100 * share));
  place.bar.setAttribute("aria-label", item.name);
  place.problem.hidden = !(item.error || job?.error);
  place.problem.textContent = item.error ?? job?.error ?? "";
  place.known.hidden = item.state !== "known";
  if (item.state === "known") place.known.textContent = knownWords(item, text);
  if (item.alone && item.job && !item.opened) {
    item.opened = true;
    view.open(item.job);
  }
  const print = `${item.state}/${item.job ?? ""}`;
  if (place.print === print) return;
  place.print = print;
  place.acts.replaceChildren(...acts(item, uploads, view));
}

function acts(item, uploads, view) {
  const { text } = view.data;
  const drop = act(text.cancel, () => uploads.cancel(item.key));
  if (item.job) return [act(text.open, () => view.open(item.job))];
  if (item.state === "done") return [];
  if (item.state === "looking") return [drop];
  if (item.state === "known") {
    return [
      act(text.open_it, () => view.open(item.twins[0].id)),
      act(text.hear_again, () => uploads.again(item.key, { ...view.data.settings, text })),
      act(text.remove, () => uploads.cancel(item.key)),
    ];
  }
  if (item.state === "failed") {
    const remove = act(text.remove, () => uploads.cancel(item.key));
    return item.final ? [remove] : [act(text.again, () => uploads.resume(item.key)), remove];
  }
  if (item.state === "paused") return [act(text.resume, () => uploads.resume(item.key)), drop];
  return [act(text.pause, () => uploads.pause(item.key)), drop];
}

function facts(item, uploads, text) {
  if (["done", "failed", "known"].includes(item.state)) return bytes(item.size);
  if (item.state === "looking") return `${bytes(item.size)} · ${text.looking}`;
  if (item.state === "waiting") return `${bytes(item.size)} · ${text.waiting}`;
  const sent = `${bytes(item.sent)} / ${bytes(item.size)}`;
  if (item.state === "paused") return `${sent} · ${text.paused}`;
  if (item.state === "offline") return `${sent} · ${text.offline}`;
  if (item.trouble) return `${sent} · ${item.trouble}`;
  if (item.sent >= item.size) return `${sent} · ${text.checking}`;
  return [sent, ...pace({ ...item, speed: uploads.speed(item) }, text)].join(" · ");
}

function knownWords(item, text) {
  const [twin] = item.twins;
  const on = new Date(twin.created_at).toLocaleDateString(undefined, { day: "numeric", month: "long", year: "numeric" });
  const words = twin.state === "completed" ? text.known : text.known_waiting;
  return words.replace("{name}", twin.name).replace("{date}", on);
}

function pace({ size, sent, speed }, text) {
  if (speed < 1) return [];
  return [`${bytes(speed)}/s`, text.left.replace("{time}", duration((size - sent) / speed))];
}

function bytes(n) {
  const units = ["B", "kB", "MB", "GB"];
  const power = n < 1000 ? 0 : Math.min(3, Math.floor(Math.log10(n) / 3));
  const value = n / 1000 ** power;
  return `${value.toFixed(power && value < 100 ? 1 : 0)} ${units[power]}`;
}

function duration(s) {
  if (s < 60) return `${Math.max(1, Math.round(s))} s`;
  if (s < 3600) return `${Math.round(s / 60)} min`;
  return `${Math.floor(s / 3600)} h ${Math.round((s % 3600) / 60)} min`;
}
