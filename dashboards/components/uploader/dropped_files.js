/**
 * The files in what somebody drops; folders are walked.
 *
 * @typedef {File & { path?: string }} DroppedFile - `path` is where it lies in a folder
 */

/**
 * @param {DataTransfer} transfer
 * @returns {Promise<{ files: DroppedFile[], fromFolder: boolean }>}
 */
export async function filesOf(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter((entry) => entry !== null && entry !== undefined);
  if (!entries.some((entry) => entry.isDirectory)) return { files: [...transfer.files], fromFolder: false };
  /** @type {DroppedFile[]} */
  const files = [];
  for (const entry of entries) await walk(entry, files);
  return { files, fromFolder: true };
}

/**
 * @param {FileSystemEntry} entry
 * @param {DroppedFile[]} files
 */
async function walk(entry, files) {
  if (entry.isFile) {
    /** @type {File} */
    const file = await new Promise((resolve, reject) => /** @type {FileSystemFileEntry} */ (entry).file(resolve, reject));
    files.push(Object.assign(file, { path: entry.fullPath }));
    return;
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const batch = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!batch.length) return;
    for (const inner of batch) await walk(inner, files);
  }
}
