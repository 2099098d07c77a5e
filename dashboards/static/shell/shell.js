/* Loaded by every page: the service worker, without which it works as well. */
if ("serviceWorker" in navigator) navigator.serviceWorker.register("/sw.js", { type: "module" }).catch(() => {});
