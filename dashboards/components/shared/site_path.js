/**
 * Where the app lies on its host: these modules know it by the address that they were loaded from.
 */
const [before, ...after] = new URL(import.meta.url).pathname.split("/assets/components/");
const site = after.length ? before : "";

/**
 * Return the path under which this browser reaches one of the app's own.
 *
 * @param {string} path
 */
export function sitePath(path) {
  return site + path;
}
