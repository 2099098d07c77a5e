/**
 * Leaves a page whose session is over: nothing of it stays on the screen until the log-in comes.
 */
const STAYED_MS = 10_000;

export function leavePage() {
  const { style } = document.documentElement;
  style.visibility = "hidden";
  setTimeout(() => (style.visibility = ""), STAYED_MS); // the reader chose to stay, with what is not saved
  location.reload();
}
