/* The microphone, and what the browser holds that has not been sent: recordings and files shared by other apps. */
function wireRecorder(root, uploads, view) {
  const recorder = window.wtRecorder;
  const panel = root.querySelector(".recorder");
  const find = (path) => panel.querySelector(path);
  const name = () => view.data.text.recording_name.replace("{when}", stamp(new Date()));
  root.querySelector(".record").onclick = () => recorder.start(view.data.settings.owner, name());
  find(".hold").onclick = () => (recorder.state === "paused" ? recorder.resume() : recorder.pause());
  find(".finish").onclick = async () => {
    const made = await recorder.stop();
    if (made?.file.size) view.take([made.file], { kept: made.entry.id });
  };
  const show = () => {
    const { text } = view.data;
    panel.hidden = !recorder.busy && !recorder.problem;
    panel.classList.toggle("live", recorder.state === "recording");
    root.querySelector(".record").disabled = recorder.state !== "idle";
    find(".state").textContent = recorder.problem ? text[recorder.problem] : text[`mic_${recorder.state}`] ?? "";
    find(".clock").textContent = recorder.busy ? clock(recorder.seconds()) : "";
    find(".hold").textContent = recorder.state === "paused" ? text.record_on : text.pause;
    find(".finish").textContent = text.record_stop;
    find(".muted").textContent = recorder.busy ? text.recording_kept : "";
    find(".meter").setAttribute("aria-label", text.level);
    for (const part of [".acts", ".meter", ".dot"]) find(part).hidden = !recorder.busy;
  };
  const beat = () => {
    if (!recorder.busy) return;
    const loud = recorder.level();
    find(".clock").textContent = clock(recorder.seconds());
    find(".meter i").style.setProperty("--share", loud);
    find(".meter").setAttribute("aria-valuenow", Math.round(100 * loud));
  };
  const list = () => drawKept(root, uploads, view).catch(() => {});
  const ticking = setInterval(beat, 100);
  const both = () => (show(), list());
  window.addEventListener("wt-recorder", both);
  window.addEventListener("wt-uploads", list);
  const stop = view.stop;
  view.stop = () => {
    clearInterval(ticking);
    window.removeEventListener("wt-recorder", both);
    window.removeEventListener("wt-uploads", list);
    stop();
  };
  both();
  if (view.data.settings.shared) sendShared(uploads, view);
}

/* What another app has shared goes on its way by itself; a single file's page is opened once its job is made. */
async function sendShared(uploads, view) {
  const entries = (await wtKept.entries(view.data.settings.owner)).filter((entry) => entry.shared);
  const fresh = entries.filter((entry) => !uploads.items.some((item) => item.kept === entry.id));
  for (const entry of fresh) view.take([await wtKept.file(entry)], { kept: entry.id, alone: fresh.length === 1 });
}

async function drawKept(root, uploads, view) {
  const { text, settings } = view.data;
  const recorder = window.wtRecorder;
  const making = recorder.busy || recorder.state === "saving" ? recorder.entry?.id : null;
  const all = await wtKept.entries(settings.owner, making);
  const entries = all.filter((entry) => !uploads.items.some((item) => item.kept === entry.id));
  const section = root.querySelector(".kept");
  section.hidden = entries.length === 0;
  const print = entries.map((entry) => entry.id).join();
  if (section.wtPrint === print) return;
  section.wtPrint = print;
  section.querySelector("ul").replaceChildren(
    ...entries.map((entry) => {
      const { li, title, facts, acts } = row();
      title.textContent = entry.name;
      facts.textContent = [entry.seconds ? clock(entry.seconds) : "", stamp(new Date(entry.began))].filter(Boolean).join(" · ");
      const send = async () => view.take([await wtKept.file(entry)], { kept: entry.id });
      const discard = () => confirm(text.discard_sure) && wtKept.forget(entry.id).then(() => drawKept(root, uploads, view));
      acts.append(act(text.send, send), act(text.discard, discard));
      return li;
    }),
  );
}

function clock(seconds) {
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
  const two = (n) => String(n).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

function stamp(date) {
  const two = (n) => String(n).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}.${two(date.getMinutes())}`;
}
