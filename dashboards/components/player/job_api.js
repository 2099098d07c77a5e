/**
 * Our own API, as the player asks it.
 */

/** The API has refused, or did not answer; the message is for the reader. */
export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {string} [code] - what went wrong, where the server said so
   */
  constructor(message, code) {
    super(message);
    this.code = code;
  }
}

/**
 * Ask for JSON.
 *
 * @param {string} url
 * @param {{ method?: string, body?: unknown, signal: AbortSignal, noAnswer: string }} request - `noAnswer` is what to
 *   say where the server gives no reason
 * @returns {Promise<any>}
 * @throws {ApiError} it was refused
 */
export async function askApi(url, { method = "GET", body, signal, noAnswer }) {
  const headers = body === undefined ? undefined : { "Content-Type": "application/json" };
  const answer = await fetch(url, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal });
  if (answer.status === 204) return null;
  const found = await answer.json().catch(() => ({}));
  if (answer.ok) return found;
  throw new ApiError(found.error?.message ?? noAnswer, found.error?.code);
}
