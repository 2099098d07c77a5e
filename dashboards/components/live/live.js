/**
 * Draws nothing: asks the page to look again when one of its jobs has changed, at most every 400 ms.
 *
 * @import { LiveData } from "../contracts.js"
 * @import { JobEvent, Mounted } from "../shared/mounted.js"
 */
import { listen } from "../shared/event_hub.js";
import { inTurn } from "../shared/turns.js";

const SOONEST_MS = 30;
const PAUSE_MS = 400;

/** @type {WeakMap<object, { mounted: Mounted<LiveData>, stop: () => void }>} */
const watches = new WeakMap();

/** @param {Mounted<LiveData>} mounted */
export default function mountLive(mounted) {
  const { parentElement } = mounted;
  const there = watches.get(parentElement);
  if (there) there.mounted = mounted;
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
  let isOver = false;
  const look = () => {
    lookedAt = Date.now();
    inTurn(() => {
      timer = 0;
      if (!isOver) current.mounted.setTriggerValue("changed", Date.now());
    });
  };
  const unlisten = listen(
    (event) => {
      if (timer || !concerns(event, current.mounted.data)) return;
      timer = window.setTimeout(look, Math.max(SOONEST_MS, lookedAt + PAUSE_MS - Date.now()));
    },
    { everybody: first.data.everybody },
  );
  const current = {
    mounted: first,
    stop() {
      isOver = true;
      unlisten();
      clearTimeout(timer);
    },
  };
  return current;
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
