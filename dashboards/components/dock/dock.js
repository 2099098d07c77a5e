/*
 * The foot of the sidebar: who is signed in, the way out, and uploads that go on while other pages are read.
 *
 * It is also what wakes a page whose server was away: a new server process knows none of the page's fragments, so
 * the whole script has to run there once before anything on the page works again. Until `data.run` has changed, it
 * is asked for again each second.
 */
export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".dock");
  const find = (path) => root.querySelector(path);
  const text = data.text;
  find(".face").textContent = data.name.slice(0, 1);
  find(".name b").textContent = data.name;
  find(".name span").textContent = data.role;
  find(".leave").textContent = text.leave;
  find(".leave").onclick = leave;
  find(".sending").onclick = (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    setTriggerValue("open_uploads", true);
  };
  const wake = (parentElement.wtWake ??= { tries: 0 });
  if (wake.run !== data.run) Object.assign(wake, { run: data.run, tries: 0 });
  parentElement.wtStop?.();
  const deaf = wtEvents(data.everybody, data.heard).listen((event) => {
    if (event.reopened) wake.tries = 60;
  });
  const timer = setInterval(() => {
    if (wake.tries-- > 0) setTriggerValue("woken", Date.now());
  }, 1000);
  window.addEventListener("wt-uploads", show);
  parentElement.wtStop = () => {
    deaf();
    clearInterval(timer);
    window.removeEventListener("wt-uploads", show);
  };
  show();

  async function leave() {
    const sum = window.wtUploads?.summary();
    if (sum?.active && !confirm(text.leave_while_sending)) return;
    find(".leave").disabled = true;
    const answer = await fetch("/auth/logout", { method: "POST", redirect: "manual" }).catch(() => null);
    if (answer && (answer.ok || answer.type === "opaqueredirect" || answer.status === 401)) {
      window.wtUploads?.stopAll();
      return location.assign("/");
    }
    find(".leave").disabled = false;
    alert(text.leave_failed);
  }

  function show() {
    const sum = window.wtUploads?.summary();
    find(".sending").hidden = !sum?.active;
    if (!sum?.active) return;
    find(".sending b").textContent = sum.active === 1 ? text.sending_one : text.sending.replace("{n}", sum.active);
    find(".sending .number").textContent = `${Math.floor(100 * sum.share)}%`;
    find(".bar i").style.setProperty("--share", sum.share);
  }

  return () => parentElement.wtStop();
}
