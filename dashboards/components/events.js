/*
 * One WebSocket to /events for the whole browser tab, whatever number of components listen to it. An admin's
 * hears of everybody's jobs. `heard` is how much had been told when the page was made: if it is more by the time
 * that the socket opens, or nobody knows, something was missed.
 */
function wtEvents(everybody, heard) {
  if (window.wtEventHub) return window.wtEventHub;
  const listeners = new Set();
  let wait = 500;
  let opened = false;
  function tell(event) {
    for (const listener of [...listeners]) listener(event);
  }
  function open() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const since = opened || heard === undefined ? "" : `&heard=${heard}`;
    const socket = new WebSocket(`${scheme}//${location.host}/events?batch=1${everybody ? "&all=1" : ""}${since}`);
    socket.onopen = () => {
      wait = 500;
      if (opened || heard === undefined) tell({ missed: true, reopened: opened });
      opened = true;
    };
    socket.onmessage = (message) => {
      try {
        for (const event of JSON.parse(message.data)) tell(event);
      } catch {
        tell({ missed: true });
      }
    };
    socket.onclose = (closed) => {
      if (closed.code === 4401) return location.reload();
      setTimeout(open, wait * (0.75 + Math.random() / 2));
      wait = Math.min(wait * 2, 15000);
    };
  }
  open();
  window.wtEventHub = {
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  return window.wtEventHub;
}
