/**
 * The few things that every component does with elements.
 */

/**
 * Return the element of this path, which the component's own HTML has.
 *
 * @template {Element} [E=HTMLElement]
 * @param {ParentNode} root
 * @param {string} path
 * @param {new () => E} [kind]
 * @returns {E}
 */
export function find(root, path, kind) {
  const found = root.querySelector(path);
  if (!found || (kind && !(found instanceof kind))) throw new Error(`the component has no ${path}`);
  return /** @type {E} */ (found);
}

/**
 * Make an element with these properties; strings inside are text, never markup.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, unknown>} [properties]
 * @param {...(Node | string)} inside
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, properties = {}, ...inside) {
  const { role, ...rest } = properties;
  const element = Object.assign(document.createElement(tag), rest);
  if (role) element.setAttribute("role", String(role));
  element.append(...inside);
  return element;
}

/** @type {WeakMap<Element, string>} */
const prints = new WeakMap();

/**
 * Tell whether what an element is to show differs from what it was last drawn with.
 *
 * @param {Element} element
 * @param {unknown} shown
 */
export function differs(element, shown) {
  const print = JSON.stringify(shown);
  if (prints.get(element) === print) return false;
  prints.set(element, print);
  return true;
}

/**
 * Whether a click wants another tab or window, which is the browser's own business.
 *
 * @param {MouseEvent} event
 */
export function opensElsewhere(event) {
  return event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0;
}

/**
 * Whether a key was pressed where somebody types.
 *
 * @param {Event} event
 */
export function isTyping(event) {
  const target = /** @type {Element} */ (event.composedPath()[0]);
  return Boolean(target.closest?.("input, textarea, select, [contenteditable]"));
}

/**
 * The words of a caught error.
 *
 * @param {unknown} error
 */
export function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}

/**
 * The element of this path that an event happened in.
 *
 * @param {Event} event
 * @param {string} path
 */
export function closest(event, path) {
  return event.target instanceof Element ? event.target.closest(path) : null;
}
