/**
 * Lets one component at a time ask for a run of the page.
 *
 * What two ask in the same moment, or one while the page runs for another, Streamlit makes one run for one of them: the
 * other would never look again.
 */
const APART_MS = 200;
const LOOK_MS = 50;
const PATIENCE_MS = 3000;

/** @type {(() => void)[]} */
const waiting = [];
let timer = 0;
let askedAt = -Infinity;

/**
 * Ask at once, or when those before have got their run.
 *
 * @param {() => void} ask
 */
export function inTurn(ask) {
  waiting.push(ask);
  if (!timer) next();
}

function next() {
  timer = 0;
  const passed = performance.now() - askedAt;
  if (passed >= APART_MS && (passed > PATIENCE_MS || !isRunning())) {
    askedAt = performance.now();
    waiting.shift()?.();
  }
  if (waiting.length) timer = window.setTimeout(next, LOOK_MS);
}

function isRunning() {
  const app = /** @type {HTMLElement | null} */ (document.querySelector("[data-testid=stApp]"));
  return Boolean(app) && app?.dataset.testScriptState !== "notRunning";
}
