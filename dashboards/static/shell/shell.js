/*
 * Loaded by every page: the service worker, without which it works as well, and a notice where no WebSocket gets
 * through, without which Streamlit would wait for one and show nothing.
 */
const SITE = new URL("..", import.meta.url);
const LOOK_MS = 1000;
const PATIENCE_MS = 6000;

if (!location.pathname.startsWith(SITE.pathname)) {
  location.replace(new URL(`.${location.pathname}${location.search}`, SITE)); // opened beside the proxy
}
if ("serviceWorker" in navigator) {
  navigator.serviceWorker.register(new URL("sw.js", SITE), { type: "module" }).catch(() => {});
}
watchConnection();

function watchConnection() {
  let waited_ms = 0;
  const timer = setInterval(async () => {
    const app = document.querySelector(".stApp");
    if (app?.dataset.testConnectionState === "CONNECTED") {
      clearInterval(timer);
      document.querySelector(".no-websocket")?.remove();
    } else if (app) waited_ms += LOOK_MS;
    if (waited_ms !== PATIENCE_MS) return;
    waited_ms = (await isBlocked()) ? waited_ms + LOOK_MS : 0;
    if (waited_ms) document.body.append(document.querySelector("template.about-websocket").content.cloneNode(true));
  }, LOOK_MS);
}

/* Whether the server answers, and a WebSocket to it is refused: one that is slow is neither. */
async function isBlocked() {
  const answer = await fetch(new URL("livez", SITE), { cache: "no-store" }).catch(() => null);
  if (!answer?.ok) return false;
  const address = new URL("_stcore/stream", SITE);
  address.protocol = address.protocol.replace("http", "ws");
  return new Promise((resolve) => {
    const socket = new WebSocket(address);
    socket.onopen = () => {
      resolve(false);
      socket.close();
    };
    socket.onerror = () => resolve(true);
    setTimeout(() => resolve(false), PATIENCE_MS);
  });
}
