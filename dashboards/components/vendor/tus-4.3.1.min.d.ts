import type * as tus from "tus-js-client";

declare global {
  /** The library is no module: it puts itself here. */
  interface Window {
    tus: typeof tus;
  }
}
