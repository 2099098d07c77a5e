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
 * @param {{ id: string, state: string, shared: boolean, held: boolean }[]} jobs
 */
export function idsFor(action, jobs) {
  return jobs.filter((job) => fits(action, job)).map((job) => job.id);
}

/**
 * Return whether the action can be performed on the job now.
 *
 * @param {ListAction} action
 * @param {{ state: string, shared: boolean, held: boolean }} job
 */
function fits(action, job) {
  const heldRight = action.held === null || action.held === job.held;
  return heldRight && action.states.includes(job.state) && (action.shared || !job.shared);
}
