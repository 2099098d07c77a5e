/**
 * The theme that the reader has chosen, put where Streamlit looks for it.
 *
 * @import { SessionData } from "../contracts.js"
 */
import { mayLeave } from "../shared/page_guard.js";
import { sitePath } from "../shared/site_path.js";

const APPLIED = "wt-dressed";

/** @param {string} path */
const keyOf = (path) => `stActiveTheme-${path}-v2`;

/**
 * Streamlit keeps the theme by the path that was loaded and reads it at the start, so another one takes a reload.
 *
 * @param {SessionData} data
 */
export function applyTheme({ paths, theme }) {
  try {
    const wanted = JSON.stringify(theme);
    const before = localStorage.getItem(keyOf(location.pathname)) ?? '"System"';
    for (const path of paths) localStorage.setItem(keyOf(sitePath(`/${path}`)), wanted);
    if (before === wanted || sessionStorage.getItem(APPLIED) === wanted) return;
    sessionStorage.setItem(APPLIED, wanted);
    if (mayLeave()) location.reload();
  } catch {
    /* a browser that keeps nothing follows the device */
  }
}
