/**
 * What this browser holds and has not sent yet, in IndexedDB: recordings from the microphone, written while they are
 * made, and files that other apps have shared. Used by the upload page and by the service worker.
 *
 * @typedef {object} UnsentFile
 * @property {string} id
 * @property {string} name
 * @property {string} type
 * @property {string | null} owner - null for what was shared, which is the next sender's
 * @property {boolean} shared
 * @property {number} began - milliseconds since 1970
 * @property {number} seconds - how long a recording is so far
 */
const DATABASE = "wt-kept";

/** @returns {Promise<IDBDatabase>} */
function open() {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore("files", { keyPath: "id" });
    request.result.createObjectStore("chunks");
  };
  return resultOf(request);
}

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
function resultOf(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/**
 * Run `work` in one transaction; resolves when it is on disk.
 *
 * @param {(files: IDBObjectStore, chunks: IDBObjectStore) => void} work
 */
async function change(work) {
  const database = await open();
  try {
    await new Promise((resolve, reject) => {
      const transaction = database.transaction(["files", "chunks"], "readwrite");
      transaction.oncomplete = resolve;
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
      work(transaction.objectStore("files"), transaction.objectStore("chunks"));
    });
  } finally {
    database.close();
  }
}

/**
 * @param {"files" | "chunks"} store
 * @param {IDBKeyRange} [range]
 * @returns {Promise<any[]>}
 */
async function all(store, range) {
  const database = await open();
  try {
    return await resultOf(database.transaction(store).objectStore(store).getAll(range));
  } finally {
    database.close();
  }
}

/**
 * Begin a file that comes in pieces.
 *
 * @param {{ name: string, type: string, owner?: string | null, shared?: boolean }} file
 * @returns {Promise<UnsentFile>}
 */
export async function begin({ name, type, owner = null, shared = false }) {
  const entry = { id: crypto.randomUUID(), name, type, owner, shared, began: Date.now(), seconds: 0 };
  await change((files) => files.put(entry));
  return entry;
}

/**
 * Add a piece; `entry` carries the length so far.
 *
 * @param {UnsentFile} entry
 * @param {number} number
 * @param {Blob} blob
 */
export function append(entry, number, blob) {
  return change((files, chunks) => {
    files.put(entry);
    chunks.put(blob, [entry.id, number]);
  });
}

/**
 * Keep a file that another app has shared.
 *
 * @param {File} file
 */
export async function keepShared(file) {
  const entry = await begin({ name: file.name, type: file.type, shared: true });
  await append(entry, 0, file);
}

/**
 * Return the entries of this owner, and those of nobody.
 *
 * @param {string} owner
 * @param {string | null} [but] - the id of a recording that is being made, which is left out
 * @returns {Promise<UnsentFile[]>}
 */
export async function entries(owner, but = null) {
  const found = await all("files");
  return found.filter((entry) => entry.id !== but && [null, owner].includes(entry.owner));
}

/**
 * Return all pieces of an entry as one file.
 *
 * @param {UnsentFile} entry
 */
export async function fileOf(entry) {
  const pieces = await all("chunks", piecesOf(entry.id));
  return new File(pieces, entry.name, { type: entry.type, lastModified: entry.began });
}

/** @param {string} id */
export function forget(id) {
  return change((files, chunks) => {
    files.delete(id);
    chunks.delete(piecesOf(id));
  });
}

/** @param {string} id */
function piecesOf(id) {
  return IDBKeyRange.bound([id, 0], [id, Infinity]);
}
