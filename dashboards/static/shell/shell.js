/* Loaded by every page: the service worker, and a way for the keyboard past the navigation. */
if ("serviceWorker" in navigator) navigator.serviceWorker.register("/sw.js").catch(() => {});

document.querySelector(".wt-skip").addEventListener("click", (event) => {
  event.preventDefault();
  const main = document.querySelector(".stMain");
  if (!main) return;
  main.setAttribute("tabindex", "-1");
  main.focus();
});
