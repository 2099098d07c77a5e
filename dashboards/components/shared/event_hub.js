/**
 * One WebSocket to /events for the whole browser tab, whatever number of components listen to it. An administrator's
 * carries everybody's jobs.
 *
 * @import { JobEvent } from "./mounted.js"
 *
 * @typedef {"open" | "lost" | "no_websocket"} Connection
 */
import { leavePage } from "./leave_page.js";
import { sitePath } from "./site_path.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15000;
const SESSION_OVER = 4401;
const LOST_AFTER_MS = 4000;
const REFUSALS = 3;
export const CONNECTION = "wt-connection";

/** @type {Set<(event: JobEvent) => void>} */
const listeners = new Set();
let started = false;

/**
 * Listen to what happens to jobs.
 *
 * @param {(event: JobEvent) => void} listener
 * @param {{ everybody: boolean, eventsSeen?: number }} options - `eventsSeen` is how many events there had been when
 *   the page was made: if there are more by the time that the socket opens, or nobody knows, something was missed
 * @returns {() => void} what ends it
 */
export function listen(listener, { everybody, eventsSeen }) {
  listeners.add(listener);
  if (!started) connect(everybody, eventsSeen);
  started = true;
  return () => listeners.delete(listener);
}

/** @param {Partial<JobEvent>} event */
function tell(event) {
  for (const listener of [...listeners]) listener(/** @type {JobEvent} */ (event));
}

/**
 * Tell the page how it is connected to the server.
 *
 * @param {Connection} connection
 */
function announce(connection) {
  dispatchEvent(new CustomEvent(CONNECTION, { detail: connection }));
}

/** Whether the server answers this session, which may open a socket. */
async function isAnswering() {
  const answer = await fetch(sitePath("/auth/session"), { headers: { Accept: "application/json" } }).catch(() => null);
  return answer?.ok ?? false;
}

/**
 * @param {boolean} everybody
 * @param {number | undefined} eventsSeen
 */
function connect(everybody, eventsSeen) {
  let wait_ms = FIRST_WAIT_MS;
  let opened = false;
  let lost = 0;
  let refusals = 0; // of sockets in a row, while the server answers and none has ever opened
  const tellIfLost = () => (lost ||= window.setTimeout(() => announce("lost"), LOST_AFTER_MS));
  const tellIfBlocked = async () => {
    refusals = !opened && (await isAnswering()) ? refusals + 1 : 0;
    if (refusals < REFUSALS || opened) return;
    clearTimeout(lost);
    announce("no_websocket");
  };
  const open = () => {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const since = opened || eventsSeen === undefined ? "" : `&heard=${eventsSeen}`;
    const socket = new WebSocket(`${scheme}//${location.host}${sitePath("/events")}?batch=1${everybody ? "&all=1" : ""}${since}`);
    socket.onopen = () => {
      wait_ms = FIRST_WAIT_MS;
      clearTimeout(lost);
      lost = 0;
      announce("open");
      if (opened || eventsSeen === undefined) tell({ missed: true, reopened: opened });
      opened = true;
    };
    socket.onmessage = (message) => {
      try {
        for (const event of JSON.parse(message.data)) tell(event);
      } catch {
        tell({ missed: true });
      }
    };
    socket.onclose = (closed) => {
      if (closed.code === SESSION_OVER) return leavePage();
      tellIfLost();
      tellIfBlocked();
      setTimeout(open, wait_ms * (0.75 + Math.random() / 2));
      wait_ms = Math.min(wait_ms * 2, LONGEST_WAIT_MS);
    };
  };
  open();
}
