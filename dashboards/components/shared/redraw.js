/**
 * Draws the inside of an element anew without taking the focus from whoever is in it.
 *
 * Things that are drawn bear their id as `data-of`: the focus goes to the same control of the same thing, or, if that has
 * gone, to the control that now stands in its place. A `details` with an id stays open.
 */
const CONTROLS = "a[href], summary, :is(button, input, select, textarea):enabled";

/**
 * @typedef {object} FocusPlace
 * @property {string[]} things - the ids of the things that have the control, the innermost first
 * @property {string} label
 * @property {number[]} places - of the control in each of those things, and in all of the element
 */

/**
 * @param {HTMLElement} element
 * @param {...(Node | string)} inside
 */
export function redraw(element, ...inside) {
  const at = placeOfFocus(element);
  const open = [...element.querySelectorAll("details[data-of]")].filter((one) => /** @type {HTMLDetailsElement} */ (one).open);
  const ids = new Set(open.map((one) => /** @type {HTMLElement} */ (one).dataset.of));
  element.replaceChildren(...inside);
  for (const one of element.querySelectorAll("details")) one.open ||= Boolean(one.dataset.of && ids.has(one.dataset.of));
  if (at) focusAgain(element, at);
}

/**
 * @param {HTMLElement} element
 * @returns {FocusPlace | null}
 */
function placeOfFocus(element) {
  const { activeElement } = /** @type {Document | ShadowRoot} */ (element.getRootNode());
  if (!activeElement || activeElement === element || !element.contains(activeElement)) return null;
  const things = thingsAround(activeElement, element);
  const places = [...things, element].map((one) => controlsIn(one).indexOf(/** @type {HTMLElement} */ (activeElement)));
  return { things: things.map((one) => one.dataset.of ?? ""), label: labelOf(activeElement), places };
}

/**
 * @param {Element} control
 * @param {HTMLElement} element
 */
function thingsAround(control, element) {
  /** @type {HTMLElement[]} */
  const found = [];
  for (let one = control.closest("[data-of]"); one && element.contains(one); one = one.parentElement?.closest("[data-of]") ?? null) {
    found.push(/** @type {HTMLElement} */ (one));
  }
  return found;
}

/**
 * @param {HTMLElement} element
 * @param {FocusPlace} at
 */
function focusAgain(element, { things, label, places }) {
  for (const [number, id] of things.entries()) {
    const thing = /** @type {HTMLElement | null} */ (element.querySelector(`[data-of="${CSS.escape(id)}"]`));
    const controls = thing ? controlsIn(thing) : [];
    const same = controls.filter((one) => labelOf(one) === label);
    const found = same.length === 1 ? same[0] : (controls[places[number]] ?? controls.at(-1));
    if (found) return found.focus();
  }
  const controls = controlsIn(element);
  (controls[places.at(-1) ?? 0] ?? controls.at(-1))?.focus();
}

/** @param {HTMLElement} element */
function controlsIn(element) {
  return /** @type {HTMLElement[]} */ ([...element.querySelectorAll(CONTROLS)]).filter((one) => one.checkVisibility());
}

/** @param {Element} control */
function labelOf(control) {
  return control.ariaLabel || control.textContent || "";
}
