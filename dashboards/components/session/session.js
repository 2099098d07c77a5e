/*
 * What concerns the login on every page: a warning before it ends, notices of recordings that are done, the theme.
 *
 * Asking how long the session lasts does not keep it alive; hands on the page do, noted at most once a check.
 */
export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".session");
  const warning = root.querySelector(".warning");
  const notices = root.querySelector(".notices");
  const find = (path) => warning.querySelector(path);
  const text = data.text;
  parentElement.wtStop?.();
  dress();
  find("#wt-session-title").textContent = text.title;
  find(".again span").textContent = text.password;
  find(".name").value = data.name;
  find(".later").textContent = text.later;
  find(".later").onclick = () => {
    hidden_until = Date.now() + 60_000;
    warning.hidePopover();
  };
  warning.onsubmit = (event) => {
    event.preventDefault();
    stay();
  };

  let timer = 0;
  let ticking = 0;
  let left = null;
  let deadline = 0;
  let active = false;
  let hidden_until = 0;
  let asked_at = 0;
  const busy = () => (active = true);
  const seen = () => {
    if (document.visibilityState === "visible" && Date.now() - asked_at > 20_000) check();
  };
  for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, busy, { capture: true, passive: true });
  document.addEventListener("visibilitychange", seen);
  const deaf = wtEvents(data.everybody, data.heard).listen(told);
  check();
  parentElement.wtStop = () => {
    clearTimeout(timer);
    clearInterval(ticking);
    for (const kind of ["pointerdown", "keydown"]) removeEventListener(kind, busy, { capture: true });
    document.removeEventListener("visibilitychange", seen);
    deaf();
  };

  async function check() {
    clearTimeout(timer);
    asked_at = Date.now();
    if (active && left && left.idle_s < left.ends_s && warning.matches(":not(:popover-open)")) {
      active = false;
      await fetch("/auth/session/stay", { method: "POST" }).catch(() => null);
    }
    const answer = await fetch("/auth/session", { headers: { Accept: "application/json" } }).catch(() => null);
    if (answer?.status === 401) return location.reload();
    left = answer?.ok ? await answer.json() : null;
    if (!left) {
      timer = setTimeout(check, 30_000);
      return;
    }
    const seconds = Math.min(left.idle_s, left.ends_s);
    deadline = Date.now() + 1000 * seconds;
    const warned = seconds <= data.warn_s;
    if (warned) warn();
    else hide();
    // Half of what is left, so that hands on the page are noted long before it is idle; setTimeout takes 24 days.
    const pause_s = warned ? 10 : Math.max(5, Math.min(seconds - data.warn_s, seconds / 2, 3600));
    timer = setTimeout(check, 1000 * pause_s);
  }

  function warn() {
    const by_idling = left.idle_s < left.ends_s;
    const by_password = !by_idling && left.by_password;
    find(".again").hidden = !by_password;
    find("[type=submit]").hidden = !by_idling && !left.by_password;
    find("[type=submit]").textContent = by_idling ? text.stay : text.renew;
    const why = by_idling ? text.idle : by_password ? text.old : text.old_elsewhere;
    clearInterval(ticking);
    const tick = () => {
      const rest = Math.max(0, Math.round((deadline - Date.now()) / 1000));
      const clock = `${Math.floor(rest / 60)}:${String(rest % 60).padStart(2, "0")}`;
      find(".why").textContent = why.replace("{time}", clock);
    };
    tick();
    ticking = setInterval(tick, 1000);
    if (Date.now() > hidden_until && !warning.matches(":popover-open")) warning.showPopover();
  }

  function hide() {
    clearInterval(ticking);
    find(".problem").hidden = true;
    if (warning.matches(":popover-open")) warning.hidePopover();
  }

  async function stay() {
    const renewing = !find(".again").hidden;
    const body = renewing ? new URLSearchParams({ password: warning.elements.password.value }) : undefined;
    const path = renewing ? "/auth/session/renew" : "/auth/session/stay";
    const answer = await fetch(path, { method: "POST", body }).catch(() => null);
    if (answer?.ok) {
      warning.elements.password.value = "";
      active = false;
      return check();
    }
    const said = (await answer?.json().catch(() => null))?.error;
    find(".problem").textContent = answer ? (said?.param === "password" ? text.wrong : (said?.message ?? "")) : text.offline;
    find(".problem").hidden = false;
  }

  async function told(event) {
    if (event.owner_id !== data.me || !["completed", "failed"].includes(event.state)) return;
    const mark = `wt-told-${event.job_id}-${event.attempt}`;
    if (new URLSearchParams(location.search).get("id") === event.job_id || sessionStorage.getItem(mark)) return;
    const answer = await fetch(`/api/v1/jobs/${event.job_id}`).catch(() => null);
    const job = answer?.ok ? await answer.json() : null;
    if (!job?.finished_at || Date.now() - Date.parse(job.finished_at) > 60_000) return;
    sessionStorage.setItem(mark, "1");
    notice(job);
  }

  function notice(job) {
    const line = document.createElement("div");
    const words = document.createElement("span");
    const open = document.createElement("button");
    const close = document.createElement("button");
    line.className = `notice ${job.state}`;
    words.textContent = text[job.state].replace("{name}", job.name);
    for (const [button, label] of [[open, text.open], [close, "✕"]]) {
      button.type = "button";
      button.className = "button quiet";
      button.textContent = label;
    }
    close.setAttribute("aria-label", text.close);
    const drop = () => {
      line.remove();
      if (!notices.children.length && notices.matches(":popover-open")) notices.hidePopover();
    };
    close.onclick = drop;
    open.onclick = () => {
      drop();
      setTriggerValue("opened", job.id);
    };
    line.append(words, open, close);
    notices.prepend(line);
    while (notices.children.length > 4) notices.lastChild.remove();
    if (!notices.matches(":popover-open")) notices.showPopover();
    setTimeout(drop, 12_000);
  }

  /* Streamlit keeps the theme by the path that was loaded and reads it at the start, so another one takes a reload. */
  function dress() {
    try {
      const key = (path) => `stActiveTheme-${path}-v2`;
      const wanted = JSON.stringify(data.theme);
      const before = localStorage.getItem(key(location.pathname)) ?? '"System"';
      for (const path of data.paths) localStorage.setItem(key(`/${path}`), wanted);
      if (before === wanted || sessionStorage.getItem("wt-dressed") === wanted) return;
      sessionStorage.setItem("wt-dressed", wanted);
      if (!window.wtUploads?.summary()?.active) location.reload();
    } catch {
      /* a browser that keeps nothing follows the device */
    }
  }

  return () => parentElement.wtStop();
}
