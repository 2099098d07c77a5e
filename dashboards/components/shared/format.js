/**
 * Numbers, dates and languages as readers see them.
 */
const UNITS = ["B", "kB", "MB", "GB"];

/** The locale of the page: English dates are British, as those that the server writes. */
export const locale = () => {
  const language = globalThis.document?.documentElement.lang || "en";
  return language === "en" ? "en-GB" : language;
};

/**
 * Return a number with the separator of the page's language.
 *
 * @param {number} n
 * @param {number} digits
 */
export const decimal = (n, digits) =>
  n.toLocaleString(locale(), { minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: false });

/**
 * Return the name of a language by its code, in the page's language.
 *
 * @param {string} code
 */
export function languageName(code) {
  try {
    return new Intl.DisplayNames([locale()], { type: "language" }).of(code) ?? code;
  } catch {
    return code;
  }
}

/** @param {number} n */
const two = (n) => String(n).padStart(2, "0");

/**
 * Return a place in a recording, as in 4:07 or 1:02:03.
 *
 * @param {number} s
 * @param {boolean} [tenths]
 */
export function clock(s, tenths = false) {
  const whole = Math.floor(s + (tenths ? 0.0005 : 0));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const rest = tenths ? `.${Math.floor((s + 0.0005 - whole) * 10)}` : "";
  return (hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`) + rest;
}

/**
 * Return an instant as part of a file's name.
 *
 * @param {Date} date
 */
export function fileStamp(date) {
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}.${two(date.getMinutes())}`;
}

/**
 * Return a size in decimal units.
 *
 * @param {number} n
 */
export function bytes(n) {
  const power = n < 1000 ? 0 : Math.min(3, Math.floor(Math.log10(n) / 3));
  const value = n / 1000 ** power;
  const digits = power && value < 100 ? 1 : 0;
  return `${decimal(value, digits)} ${UNITS[power]}`;
}

/**
 * Return how long something takes, roughly.
 *
 * @param {number} s
 */
export function duration(s) {
  if (s < 60) return `${Math.max(1, Math.round(s))} s`;
  if (s < 3600) return `${Math.round(s / 60)} min`;
  return `${Math.floor(s / 3600)} h ${Math.round((s % 3600) / 60)} min`;
}

/**
 * Put values into the {places} of a text.
 *
 * @param {string} text
 * @param {Record<string, string | number>} values
 */
export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

/**
 * Return a day and its time.
 *
 * @param {string | number} when
 */
export function instant(when) {
  /** @type {Intl.DateTimeFormatOptions} */
  const parts = { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" };
  return new Date(when).toLocaleString(locale(), parts);
}
