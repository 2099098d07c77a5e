/**
 * A web worker: the SHA-256 of a file of any size, read in pieces. Posts {read} now and then, at last {sha256}.
 */
import { sha256 } from "../vendor/noble/sha2.js";

const PIECE_BYTES = 4 * 1024 * 1024;

/** @param {MessageEvent<File>} message */
self.onmessage = async ({ data: file }) => {
  try {
    const digest = sha256.create();
    for (let start = 0; start < file.size; start += PIECE_BYTES) {
      digest.update(new Uint8Array(await file.slice(start, start + PIECE_BYTES).arrayBuffer()));
      self.postMessage({ read: Math.min(start + PIECE_BYTES, file.size) });
    }
    const hex = [...digest.digest()].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    self.postMessage({ sha256: hex });
  } catch (error) {
    self.postMessage({ failed: String(error) });
  }
};
