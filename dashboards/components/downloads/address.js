/**
 * The address of a file that is made by the settings of the form.
 *
 * @import { CueSettings, DownloadFile } from "../contracts.js"
 *
 * @typedef {{ name: keyof CueSettings, value: number | boolean }} Setting
 */

/**
 * Name only those settings that shape the file and that differ from the job's own.
 *
 * @param {Pick<DownloadFile, "url" | "settings">} file
 * @param {Setting[]} chosen
 * @param {CueSettings} usual - the job's own
 */
export function addressOf({ settings, url }, chosen, usual) {
  const query = new URLSearchParams();
  for (const { name, value } of chosen) {
    if (settings.includes(name) && value !== usual[name]) query.set(name, String(value));
  }
  return query.size ? `${url}?${query}` : url;
}
