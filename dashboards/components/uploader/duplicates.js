/*
 * Whether its owner has sent a file before, found out before it is sent. The server is asked for the size first: only
 * where something of that size is there is the file hashed, one at a time, in a web worker.
 */
const wtTwins = {
  line: Promise.resolve(),

  /** Return the owner's jobs of the file's bytes; `item.read` tells how far the hashing is. */
  async of(item, tell) {
    const { known } = await this.ask(`/uploads/known?size=${item.size}`);
    if (!known) return [];
    item.sha256 = await (this.line = this.line.then(() => this.hash(item, tell)));
    return item.sha256 ? (await this.ask(`/uploads/known?sha256=${item.sha256}`)).jobs : [];
  },

  async ask(path) {
    const answer = await fetch(path, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(answer.status);
    return answer.json();
  },

  hash(item, tell) {
    if (item.state !== "looking") return null;
    return new Promise((resolve) => {
      const worker = new Worker("/assets/hasher.js", { type: "module" });
      const end = (sha256) => {
        worker.terminate();
        item.stopLooking = null;
        resolve(sha256);
      };
      item.stopLooking = () => end(null);
      worker.onerror = () => end(null);
      worker.onmessage = ({ data }) => {
        if (data.read) {
          item.read = data.read;
          tell();
        } else end(data.sha256 ?? null);
      };
      worker.postMessage(item.file);
    });
  },

  /** Make a job of bytes that the server has; resolves to its id, or null where they have to be sent after all. */
  async again(item) {
    const { options, lane } = item.settings;
    const key = (item.againKey ??= crypto.randomUUID());
    const answer = await fetch("/uploads/again", {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify({ sha256: item.sha256, name: item.name, options: JSON.parse(options), lane, key }),
    });
    return answer.ok ? (await answer.json()).id : null;
  },
};
