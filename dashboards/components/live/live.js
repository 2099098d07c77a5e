/* Draws nothing: asks the page to look again when one of its jobs has changed, at most every 400 ms. */
export default function ({ data, parentElement, setTriggerValue }) {
  const state = (parentElement.wtLive ??= { timer: 0, last: 0 });
  state.wanted = (event) =>
    event.missed || ((data.job === null || data.job === event.job_id) && (data.owner === null || data.owner === event.owner_id));
  state.fire = () => setTriggerValue("changed", Date.now());
  if (!state.stop) {
    const look = () => {
      state.timer = 0;
      state.last = Date.now();
      state.fire();
    };
    const stop = wtEvents(data.everybody).listen((event) => {
      if (state.timer || !state.wanted(event)) return;
      state.timer = setTimeout(look, Math.max(30, state.last + 400 - Date.now()));
    });
    state.stop = () => {
      stop();
      clearTimeout(state.timer);
      state.stop = null;
    };
  }
  return () => state.stop?.();
}
