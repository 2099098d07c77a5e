/**
 * Keeps the page from being left while something would be lost: uploads, a recording, unsaved edits.
 */
const LEAVING = "wt-leaving";

/**
 * Ask the reader before the page is left while `busy()`.
 *
 * @param {() => boolean} busy
 * @param {AbortSignal} [signal] - ends the watch
 */
export function guardPage(busy, signal) {
  const hold = (/** @type {Event} */ event) => {
    if (busy()) event.preventDefault();
  };
  for (const name of ["beforeunload", LEAVING]) addEventListener(name, hold, { signal });
}

/** Whether the page can be loaded anew without a loss. */
export function mayLeave() {
  return dispatchEvent(new Event(LEAVING, { cancelable: true }));
}
