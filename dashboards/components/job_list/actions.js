/**
 * Which actions fit which jobs of the list.
 *
 * @import { ListAction } from "../contracts.js"
 */

/**
 * Return what the reader may do to the jobs of this list.
 *
 * @param {ListAction[]} actions
 * @param {boolean} deleted - whether the list is of deleted jobs
 */
export function actionsOn(actions, deleted) {
  return actions.filter((action) => action.deleted === deleted);
}

/**
 * Return the ids of those jobs that an action fits.
 *
 * @param {ListAction} action
 * @param {{ id: string, state: string, shared: boolean }[]} jobs
 */
export function idsFor(action, jobs) {
  return jobs.filter((job) => action.states.includes(job.state) && (action.shared || !job.shared)).map((job) => job.id);
}
