/**
 * The foot of the sidebar: who is signed in, the way out, and uploads that go on while other pages are read.
 *
 * It is also what wakes a page whose server was away: a new server process knows none of the page's fragments, so
 * the whole script has to run there once before anything on the page works again. Until `data.run` has changed, it
 * is asked for again each second.
 *
 * @import { DockData } from "../contracts.js"
 * @import { Mounted } from "../shared/mounted.js"
 */
import { find, opensElsewhere } from "../shared/dom.js";
import { listen } from "../shared/event_hub.js";
import { fill } from "../shared/format.js";
import { sitePath } from "../shared/site_path.js";
import { UPLOADS_CHANGED, tab } from "../shared/tab.js";

const MOST_TRIES = 60;

/** @type {WeakMap<object, { run: number, triesLeft: number, stop: () => void }>} */
const docks = new WeakMap();

/** @param {Mounted<DockData>} mounted */
export default function mountDock({ data, parentElement, setTriggerValue }) {
  const root = find(parentElement, ".dock");
  const { text } = data;
  const leaveButton = find(root, ".leave", HTMLButtonElement);
  find(root, ".face").textContent = data.name.slice(0, 1);
  find(root, ".name b").textContent = data.name;
  find(root, ".name span").textContent = data.role;
  leaveButton.textContent = text.leave;
  leaveButton.onclick = leave;
  const sending = find(root, ".sending", HTMLAnchorElement);
  sending.href = sitePath("/upload");
  sending.onclick = (event) => {
    if (opensElsewhere(event)) return;
    event.preventDefault();
    setTriggerValue("open_uploads", true);
  };
  const before = docks.get(parentElement);
  before?.stop();
  const dock = { run: data.run, triesLeft: before?.run === data.run ? before.triesLeft : 0, stop };
  docks.set(parentElement, dock);
  const unlisten = listen(
    (event) => {
      if (event.reopened) dock.triesLeft = MOST_TRIES;
    },
    { everybody: data.everybody, eventsSeen: data.events_seen },
  );
  const timer = setInterval(() => {
    if (dock.triesLeft-- > 0) setTriggerValue("woken", Date.now());
  }, 1000);
  addEventListener(UPLOADS_CHANGED, show);
  show();
  return () => docks.get(parentElement)?.stop();

  function stop() {
    unlisten();
    clearInterval(timer);
    removeEventListener(UPLOADS_CHANGED, show);
  }

  async function leave() {
    if (tab.uploads?.summary().active && !confirm(text.leave_while_sending)) return;
    leaveButton.disabled = true;
    const answer = await fetch(sitePath("/auth/logout"), { method: "POST", redirect: "manual" }).catch(() => null);
    if (answer && (answer.ok || answer.type === "opaqueredirect" || answer.status === 401)) {
      tab.uploads?.stopAll();
      return location.assign(sitePath("/"));
    }
    leaveButton.disabled = false;
    alert(text.leave_failed);
  }

  function show() {
    const sum = tab.uploads?.summary();
    find(root, ".sending").hidden = !sum?.active;
    if (!sum?.active) return;
    find(root, ".sending b").textContent = sum.active === 1 ? text.sending_one : fill(text.sending, { n: sum.active });
    find(root, ".sending .number").textContent = `${Math.floor(100 * sum.share)}%`;
    find(root, ".bar i").style.setProperty("--share", String(sum.share));
  }
}
