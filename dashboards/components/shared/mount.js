/**
 * Draws a component with the modules of one build.
 *
 * A browser tab stays with the build that it began with: after an upgrade the page is loaded anew as soon as nothing
 * would be lost by it, and until then it goes on with the modules that it has.
 *
 * @import { Mounted } from "./mounted.js"
 */
import { mayLeave } from "./page_guard.js";

const RETRY_MS = 5000;
let waiting = 0;

/**
 * Draw a component, and end it once it has left the page: Streamlit also ends what newer data has come for meanwhile.
 *
 * @param {string} build - the hash under which the server has its modules now
 * @param {string} entry - the component's module, below the build
 * @param {Mounted<unknown>} mounted - what Streamlit hands over
 * @returns {Promise<() => void>}
 */
export async function mount(build, entry, mounted) {
  const running = (window.transcriberBuild ??= build);
  if (running !== build) reloadWhenIdle();
  const component = await load(running, entry).catch(() => load(build, entry));
  const end = component.default(mounted);
  return () => {
    if (!mounted.parentElement.isConnected) end?.();
  };
}

/**
 * @param {string} build
 * @param {string} entry
 */
function load(build, entry) {
  return import(new URL(`../../${build}/${entry}`, import.meta.url).href);
}

function reloadWhenIdle() {
  const reload = () => mayLeave() && location.reload();
  waiting ||= window.setInterval(reload, RETRY_MS);
  reload();
}
