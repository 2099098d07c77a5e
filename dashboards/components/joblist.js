/* Rows of recordings: real links that open in place, patched rather than drawn anew when a job moves. */
export default function ({ data, parentElement, setTriggerValue }) {
  const list = parentElement.querySelector(".jobs ul");
  filters(parentElement.querySelector(".filters"), data.filters, setTriggerValue);
  const nothing = parentElement.querySelector(".nothing");
  nothing.hidden = data.rows.length > 0;
  nothing.textContent = data.nothing;
  const rows = (parentElement.wtRows ??= new Map());
  const wanted = new Set(data.rows.map((row) => row.id));
  for (const [id, row] of rows) {
    if (wanted.has(id)) continue;
    row.item.remove();
    rows.delete(id);
  }
  data.rows.forEach((job, place) => {
    if (!rows.has(job.id)) rows.set(job.id, newRow());
    const row = rows.get(job.id);
    if (list.children[place] !== row.item) list.insertBefore(row.item, list.children[place] ?? null);
    const print = JSON.stringify(job);
    if (row.print === print) return;
    row.print = print;
    fill(row, job);
    row.link.onclick = inPlace(() => setTriggerValue("open", job.id));
  });
}

/* A plain click stays on the page; with a modifier it is a link like any other. */
function inPlace(action) {
  return (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    event.preventDefault();
    action();
  };
}

function filters(place, all, setTriggerValue) {
  const print = JSON.stringify(all);
  if (place.wtPrint === print) return;
  place.wtPrint = print;
  while (place.children.length > all.length) place.lastChild.remove();
  while (place.children.length < all.length) place.append(document.createElement("a"));
  all.forEach(({ key, label, count, on }, at) => {
    const link = place.children[at];
    link.href = `?show=${key}`;
    link.dataset.show = key;
    const number = document.createElement("span");
    number.className = "number";
    number.textContent = count.toLocaleString();
    link.replaceChildren(label, number);
    if (on) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    link.onclick = inPlace(() => setTriggerValue("show", key));
  });
}

function newRow() {
  const item = document.createElement("li");
  item.innerHTML =
    '<a><span class="name"><b></b><span class="about muted small"></span></span>' +
    '<span class="length muted number small"></span>' +
    '<span class="state"><span class="pill"></span><span class="bar" role="progressbar" aria-valuemin="0" ' +
    'aria-valuemax="100" hidden><i></i></span></span>' +
    '<time class="when muted small"></time><span class="problem" hidden></span></a>';
  const find = (path) => item.querySelector(path);
  return {
    item, link: find("a"), name: find(".name b"), about: find(".about"), length: find(".length"),
    pill: find(".pill"), bar: find(".bar"), when: find(".when"), problem: find(".problem"),
  };
}

function fill(row, job) {
  row.link.href = `/recording?id=${encodeURIComponent(job.id)}`;
  row.item.dataset.job = job.id;
  row.item.dataset.state = job.state;
  row.name.textContent = job.name;
  row.link.title = job.name;
  row.about.textContent = job.about;
  row.length.textContent = job.length;
  row.pill.className = `pill ${job.kind}`;
  row.pill.textContent = job.label;
  row.bar.hidden = !job.active;
  row.bar.setAttribute("aria-valuenow", Math.round(100 * job.progress));
  row.bar.setAttribute("aria-label", job.label);
  row.bar.firstChild.style.setProperty("--share", job.progress);
  row.when.textContent = job.when;
  row.when.title = job.when_exact;
  row.when.dateTime = job.created;
  row.problem.hidden = !job.error;
  row.problem.textContent = job.error ?? "";
}
