/**
 * Two texts compared word by word, by their longest common subsequence.
 *
 * @typedef {{ kind: "same" | "removed" | "added", text: string }} DiffPart
 */
const MOST_CELLS = 250_000;

/**
 * Return one text's words with what was taken out of it and what was put in; long texts are compared as wholes.
 *
 * @param {string} before
 * @param {string} after
 * @returns {DiffPart[]}
 */
export function wordDiff(before, after) {
  const [old, now] = [before, after].map((text) => text.split(" ").filter(Boolean));
  if (old.length * now.length > MOST_CELLS) return [{ kind: "removed", text: before }, { kind: "added", text: after }];
  const common = commonLengths(old, now);
  /** @type {DiffPart[]} */
  const parts = [];
  const put = (/** @type {DiffPart["kind"]} */ kind, /** @type {string} */ word) => {
    const last = parts.at(-1);
    if (last?.kind === kind) last.text += ` ${word}`;
    else parts.push({ kind, text: word });
  };
  let [i, j] = [0, 0];
  while (i < old.length || j < now.length) {
    if (i < old.length && j < now.length && old[i] === now[j]) put("same", now[(i++, j++)]);
    else if (i < old.length && (j >= now.length || common[i + 1][j] >= common[i][j + 1])) put("removed", old[i++]);
    else put("added", now[j++]);
  }
  return parts;
}

/**
 * @param {string[]} old
 * @param {string[]} now
 */
function commonLengths(old, now) {
  const table = Array.from({ length: old.length + 1 }, () => new Uint16Array(now.length + 1));
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = now.length - 1; j >= 0; j--) {
      table[i][j] = old[i] === now[j] ? table[i + 1][j + 1] + 1 : Math.max(table[i + 1][j], table[i][j + 1]);
    }
  }
  return table;
}
