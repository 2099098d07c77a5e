/**
 * Which element scrolls what is on the page.
 */

/**
 * Return the element whose scrolling moves this one: the nearest that scrolls, or the page itself.
 *
 * @param {Element} element
 * @returns {Element}
 */
export function scrollerOf(element) {
  for (let at = outer(element); at; at = outer(at)) {
    if (/auto|scroll/.test(getComputedStyle(at).overflowY)) return at;
  }
  return document.scrollingElement ?? document.documentElement;
}

/**
 * The element around this one, which may be the host of its shadow tree.
 *
 * @param {Element} element
 * @returns {Element | null}
 */
function outer(element) {
  const root = element.getRootNode();
  return element.parentElement ?? (root instanceof ShadowRoot ? root.host : null);
}
