/**
 * Draws nothing: asks the page to look again when one of its jobs has changed, at most every 400 ms, and less often where
 * looking takes long, so that a page of hundreds of jobs leaves the server and the browser time for the jobs themselves.
 *
 * @import { LiveData } from "../contracts.js"
 * @import { JobEvent, Mounted } from "../shared/mounted.js"
 */
import { listen } from "../shared/event_hub.js";
import { inTurn } from "../shared/turns.js";

const SOONEST_MS = 30;
const PAUSE_MS = 400;
const LONGEST_PAUSE_MS = 3000;
const PAUSE_PER_LOOK = 4;

/** @type {WeakMap<object, ReturnType<typeof watch>>} */
const watches = new WeakMap();

/** @param {Mounted<LiveData>} mounted */
export default function mountLive(mounted) {
  const { parentElement } = mounted;
  const there = watches.get(parentElement);
  if (there) there.drawn(mounted);
  else watches.set(parentElement, watch(mounted));
  return () => {
    watches.get(parentElement)?.stop();
    watches.delete(parentElement);
  };
}

/** @param {Mounted<LiveData>} first */
function watch(first) {
  let timer = 0;
  let lookedAt = 0;
  let tookMs = 0;
  let isOver = false;
  const look = () => {
    lookedAt = Date.now();
    tookMs = 0;
    inTurn(() => {
      timer = 0;
      if (!isOver) current.mounted.setTriggerValue("changed", Date.now());
    });
  };
  const unlisten = listen(
    (event) => {
      if (timer || !concerns(event, current.mounted.data)) return;
      timer = window.setTimeout(look, Math.max(SOONEST_MS, lookedAt + pauseAfter(tookMs) - Date.now()));
    },
    { everybody: first.data.everybody },
  );
  const current = {
    mounted: first,
    /** @param {Mounted<LiveData>} mounted */
    drawn(mounted) {
      current.mounted = mounted;
      tookMs ||= lookedAt && Date.now() - lookedAt;
    },
    stop() {
      isOver = true;
      unlisten();
      clearTimeout(timer);
    },
  };
  return current;
}

/**
 * Return for how long a page is left alone after it began to look.
 *
 * @param {number} tookMs - until it was drawn
 */
export function pauseAfter(tookMs) {
  return Math.min(Math.max(PAUSE_MS, PAUSE_PER_LOOK * tookMs), LONGEST_PAUSE_MS);
}

/**
 * Tell whether an event is about the jobs that are looked at. Who does not hear everybody's hears what is shared, too.
 *
 * @param {JobEvent} event
 * @param {LiveData} wanted
 */
export function concerns(event, wanted) {
  if (event.missed) return true;
  const isOwners = wanted.owner === null || wanted.owner === event.owner_id;
  return (wanted.job === null || wanted.job === event.job_id) && (isOwners || !wanted.everybody);
}
