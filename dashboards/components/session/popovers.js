/**
 * Leads the keyboard into a popover that it opens: Streamlit draws one at the end of the page, and leaves the focus where
 * it was, with all that follows in between.
 *
 * The focus goes to the popover itself, not to what is in it: a key that is held would press that.
 */
const BODY = "[data-testid=stPopoverBody]";
const OPENER = "[data-testid=stPopover] button";
const CONTROL = "input, textarea, select, button, a[href]";
const PLACEHOLDER = "[data-testid=stSkeleton]";
const PATIENCE_MS = 1000;

let leads = false;

export function leadIntoPopovers() {
  if (leads) return;
  leads = true;
  const listen = (/** @type {MouseEvent} */ event) => {
    const opener = event.detail === 0 && event.target instanceof Element ? event.target.closest(OPENER) : null;
    if (opener) enterNext(opener.querySelector("p")?.textContent ?? "", Date.now() + PATIENCE_MS);
  };
  document.addEventListener("click", listen, { capture: true }); // before it opens
}

/**
 * Move the focus to the popover that opens until then, once it is drawn, and name it.
 *
 * @param {string} name
 * @param {number} until
 * @param {Set<Element>} [before] - those that are open already, or about to close
 */
function enterNext(name, until, before = new Set(document.querySelectorAll(BODY))) {
  requestAnimationFrame(() => {
    const opened = [...document.querySelectorAll(BODY)].find((one) => !before.has(one));
    const isLate = Date.now() > until;
    if (opened instanceof HTMLElement && (isLate || isDrawn(opened))) {
      opened.ariaLabel = name;
      opened.tabIndex = -1;
      opened.focus();
    } else if (!isLate) enterNext(name, until, before);
  });
}

/** @param {Element} popover */
function isDrawn(popover) {
  return popover.querySelector(CONTROL) !== null && popover.querySelector(PLACEHOLDER) === null;
}
