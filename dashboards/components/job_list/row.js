/**
 * One recording in the list.
 *
 * @import { JobRow } from "../contracts.js"
 *
 * @typedef {ReturnType<typeof newRow>} Row
 */
import { differs, find, make } from "../shared/dom.js";
import { sitePath } from "../shared/site_path.js";

const HTML =
  '<label class="tick"><input type="checkbox"></label>' +
  '<a><span class="name"><b></b><span class="about muted small"></span><span class="tags"></span></span>' +
  '<span class="length muted number small"></span>' +
  '<span class="state"><span class="pill"></span><span class="bar" role="progressbar" aria-valuemin="0" ' +
  'aria-valuemax="100" hidden><i></i></span><span class="left muted small"></span></span>' +
  '<time class="when muted small"></time><span class="problem" hidden></span></a>';

/** @param {JobRow} job */
export function newRow(job) {
  const item = make("li", { innerHTML: HTML });
  const part = (/** @type {string} */ path) => find(item, path);
  return {
    job,
    item,
    link: find(item, "a", HTMLAnchorElement),
    name: part(".name b"),
    about: part(".about"),
    tags: part(".tags"),
    length: part(".length"),
    left: part(".left"),
    pill: part(".pill"),
    bar: part(".bar"),
    share: part(".bar i"),
    when: find(item, ".when", HTMLTimeElement),
    problem: part(".problem"),
    tick: find(item, ".tick input", HTMLInputElement),
    tickLabel: part(".tick"),
  };
}

/**
 * Show how a job is now; nothing is touched where nothing has changed.
 *
 * @param {Row} row
 * @param {JobRow} job
 */
export function patchRow(row, job) {
  row.job = job;
  if (!differs(row.item, job)) return;
  row.link.href = sitePath(`/job?id=${encodeURIComponent(job.id)}`);
  row.item.dataset.job = job.id;
  row.item.dataset.state = job.state;
  row.name.textContent = job.name;
  row.link.title = job.name;
  row.tick.ariaLabel = job.name;
  row.about.textContent = [job.owner, job.about].filter(Boolean).join(" · ");
  row.tags.hidden = !job.tags.length;
  row.tags.replaceChildren(...job.tags.map((tag) => make("span", { className: "tag small" }, tag)));
  row.length.textContent = job.length;
  row.pill.className = `pill ${job.kind}`;
  row.pill.textContent = job.label;
  row.bar.hidden = !job.active;
  row.bar.ariaValueNow = String(Math.round(100 * job.progress));
  row.bar.ariaLabel = job.label;
  row.share.style.setProperty("--share", String(job.progress));
  row.left.textContent = job.left;
  row.left.hidden = !job.left;
  row.when.textContent = job.when;
  row.when.title = job.when_exact;
  row.when.dateTime = job.created;
  row.problem.hidden = !job.error;
  row.problem.textContent = job.error ?? "";
}
