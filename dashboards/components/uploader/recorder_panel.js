/**
 * The microphone, and what the browser holds that has not been sent: recordings and files shared by other apps.
 *
 * @import { View } from "./uploader.js"
 * @import { Recorder } from "./recorder.js"
 */
import { differs, find } from "../shared/dom.js";
import { clock, fileStamp, fill } from "../shared/format.js";
import { redraw } from "../shared/redraw.js";
import { RECORDER_CHANGED, UPLOADS_CHANGED } from "../shared/tab.js";
import { newRow, quietButton } from "./upload_row.js";
import { entries, fileOf, forget } from "./unsent_store.js";

const BEAT_MS = 100;

/**
 * Show the microphone for as long as the view is there.
 *
 * @param {View} view
 * @param {Recorder} recorder
 */
export function showRecorder(view, recorder) {
  const { signal } = view.ends;
  const panel = view.find(".recorder");
  const list = () => drawUnsent(view, recorder).catch(() => {});
  const show = () => {
    draw(view, recorder);
    list();
  };
  view.find(".record").onclick = () => {
    const { settings, text } = view.data;
    recorder.start(settings.owner, fill(text.recording_name, { when: fileStamp(new Date()) }));
  };
  find(panel, ".hold").onclick = () => (recorder.state === "paused" ? recorder.resume() : recorder.pause());
  find(panel, ".finish").onclick = async () => {
    const made = await recorder.stop();
    if (made?.file.size) view.add([made.file], { unsent: made.entry.id });
  };
  const beating = setInterval(() => beat(panel, recorder), BEAT_MS);
  signal.addEventListener("abort", () => clearInterval(beating));
  addEventListener(RECORDER_CHANGED, show, { signal });
  addEventListener(UPLOADS_CHANGED, list, { signal });
  show();
  if (view.data.settings.shared) sendShared(view);
}

/**
 * @param {View} view
 * @param {Recorder} recorder
 */
function draw(view, recorder) {
  const { text } = view.data;
  const panel = view.find(".recorder");
  const part = (/** @type {string} */ path) => find(panel, path);
  const says = { recording: text.mic_recording, paused: text.mic_paused, saving: text.mic_saving, idle: "", asking: "" };
  panel.hidden = !recorder.busy && !recorder.problem;
  panel.classList.toggle("live", recorder.state === "recording");
  find(view.root, ".record", HTMLButtonElement).disabled = recorder.state !== "idle";
  part(".state").textContent = recorder.problem ? text[recorder.problem] : says[recorder.state];
  part(".clock").textContent = recorder.busy ? clock(recorder.seconds()) : "";
  part(".hold").textContent = recorder.state === "paused" ? text.record_on : text.pause;
  part(".finish").textContent = text.record_stop;
  part(".muted").textContent = recorder.busy ? text.recording_kept : "";
  part(".meter").ariaLabel = text.level;
  for (const path of [".acts", ".meter", ".dot"]) part(path).hidden = !recorder.busy;
}

/**
 * @param {HTMLElement} panel
 * @param {Recorder} recorder
 */
function beat(panel, recorder) {
  if (!recorder.busy) return;
  const level = recorder.level();
  find(panel, ".clock").textContent = clock(recorder.seconds());
  find(panel, ".meter i").style.setProperty("--share", String(level));
  find(panel, ".meter").ariaValueNow = String(Math.round(100 * level));
}

/**
 * What another app has shared goes on its way by itself; a single file's page is opened once its job is made.
 *
 * @param {View} view
 */
async function sendShared(view) {
  const shared = (await entries(view.data.settings.owner)).filter((entry) => entry.shared && !isSending(view, entry.id));
  for (const entry of shared) view.add([await fileOf(entry)], { unsent: entry.id, alone: shared.length === 1 });
}

/**
 * @param {View} view
 * @param {string} id
 */
function isSending(view, id) {
  return view.uploads.items.some((upload) => upload.unsent === id);
}

/**
 * @param {View} view
 * @param {Recorder} recorder
 */
async function drawUnsent(view, recorder) {
  const { settings, text } = view.data;
  const all = await entries(settings.owner, recorder.makingId);
  const waiting = all.filter((entry) => !isSending(view, entry.id));
  const section = view.find(".unsent");
  section.hidden = waiting.length === 0;
  if (!differs(section, waiting.map((entry) => entry.id))) return;
  const rows = waiting.map((entry) => {
    const row = newRow();
    const facts = [entry.seconds ? clock(entry.seconds) : "", fileStamp(new Date(entry.began))];
    row.title.textContent = entry.name;
    row.facts.textContent = facts.filter(Boolean).join(" · ");
    const discard = () => confirm(text.discard_sure) && forget(entry.id).then(() => drawUnsent(view, recorder));
    row.acts.append(
      quietButton(text.send, async () => view.add([await fileOf(entry)], { unsent: entry.id })),
      quietButton(text.discard, discard),
    );
    return row.li;
  });
  redraw(find(section, "ul"), ...rows);
}
