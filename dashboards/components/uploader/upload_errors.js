/**
 * What the server, or the bucket, says of an upload that broke off.
 *
 * @import { DetailedError } from "tus-js-client"
 * @import { Upload } from "./upload.js"
 */
import { fill } from "../shared/format.js";

/**
 * Return the error of an answer, as tus-js-client's errors are; 0 is no answer.
 *
 * @param {number} status
 * @param {string} [body]
 */
export function errorOf(status, body = "") {
  const originalResponse = status ? { getStatus: () => status, getBody: () => body } : null;
  return Object.assign(new Error(`status ${status}`), { originalResponse });
}

/** @param {Error | DetailedError} error */
function answerOf(error) {
  return "originalResponse" in error ? error.originalResponse : null;
}

/** @param {Error | DetailedError} error */
export function statusOf(error) {
  return answerOf(error)?.getStatus() ?? 0;
}

/**
 * The server's code for what went wrong, if it sent one.
 *
 * @param {Error | DetailedError} error
 * @returns {string | undefined}
 */
export function codeOf(error) {
  try {
    return JSON.parse(answerOf(error)?.getBody() ?? "").error.code;
  } catch {
    return undefined;
  }
}

/**
 * Say why an upload has failed: in the server's words, where it has some.
 *
 * @param {Upload} upload
 * @param {Error | DetailedError} error
 * @returns {string}
 */
export function explained({ settings: { text } }, error) {
  const answer = answerOf(error);
  if (!answer) return text.no_answer;
  if (answer.getStatus() === 401) return text.signed_out;
  try {
    return JSON.parse(answer.getBody()).error.message;
  } catch {
    return fill(text.refused, { status: answer.getStatus() });
  }
}
