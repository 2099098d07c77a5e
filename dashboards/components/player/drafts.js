/*
 * What this browser holds and has not sent yet, in IndexedDB: recordings from the microphone, written while they are
 * made, and files that other apps have shared. Used by the upload page and by the service worker.
 */
const wtKept = {
  open() {
    return new Promise((resolve, reject) => {
      const asked = indexedDB.open("wt-kept", 1);
      asked.onupgradeneeded = () => {
        asked.result.createObjectStore("files", { keyPath: "id" });
        asked.result.createObjectStore("chunks");
      };
      asked.onsuccess = () => resolve(asked.result);
      asked.onerror = () => reject(asked.error);
    });
  },

  /** Run `work(files, chunks)` in one transaction; resolves when it is on disk. */
  async change(work) {
    const db = await this.open();
    try {
      await new Promise((resolve, reject) => {
        const deed = db.transaction(["files", "chunks"], "readwrite");
        deed.oncomplete = resolve;
        deed.onerror = deed.onabort = () => reject(deed.error);
        work(deed.objectStore("files"), deed.objectStore("chunks"));
      });
    } finally {
      db.close();
    }
  },

  async all(store, range) {
    const db = await this.open();
    try {
      return await new Promise((resolve, reject) => {
        const asked = db.transaction(store).objectStore(store).getAll(range);
        asked.onsuccess = () => resolve(asked.result);
        asked.onerror = () => reject(asked.error);
      });
    } finally {
      db.close();
    }
  },

  /** Begin a file that comes in pieces; `owner` is null for what was shared, which is the next sender's. */
  async begin({ name, type, owner = null, shared = false }) {
    const entry = { id: crypto.randomUUID(), name, type, owner, shared, began: Date.now(), seconds: 0 };
    await this.change((files) => files.put(entry));
    return entry;
  },

  /** Add a piece; `entry` carries the length so far. */
  append(entry, number, blob) {
    return this.change((files, chunks) => {
      files.put(entry);
      chunks.put(blob, [entry.id, number]);
    });
  },

  async keepFile(file) {
    const entry = await this.begin({ name: file.name, type: file.type, shared: true });
    await this.append(entry, 0, file);
  },

  /** Entries of this owner, and those of nobody; a recording that is being made is left out by its id. */
  async entries(owner, but = null) {
    const found = await this.all("files");
    return found.filter((entry) => entry.id !== but && [null, owner].includes(entry.owner));
  },

  async file(entry) {
    const pieces = await this.all("chunks", IDBKeyRange.bound([entry.id, 0], [entry.id, Infinity]));
    return new File(pieces, entry.name, { type: entry.type, lastModified: entry.began });
  },

  forget(id) {
    return this.change((files, chunks) => {
      files.delete(id);
      chunks.delete(IDBKeyRange.bound([id, 0], [id, Infinity]));
    });
  },
};
