/**
 * The words that a reader has selected in the transcript, and what can be done with them.
 *
 * @import { Part } from "./passage.js"
 * @import { Passages } from "./passages.js"
 * @import { Player } from "./player.js"
 */
import { make } from "../shared/dom.js";
import { fill } from "../shared/format.js";
import { lineOf } from "./line.js";
import { COLOURS } from "./passage.js";

const SETTLED_MS = 150;
const GAP = 8;

export class PassageSelection {
  #timer = 0;

  /**
   * @param {Player} player
   * @param {Passages} passages
   */
  constructor(player, passages) {
    this.player = player;
    this.passages = passages;
    this.sheet = player.find(".sheet[data-sheet=script]");
    this.bar = make("div", { className: "passagebar", role: "toolbar", ariaLabel: player.text.passages.tools, hidden: true });
    this.sheet.append(this.bar);
    this.draw();
    player.on(document, "selectionchange", () => {
      clearTimeout(this.#timer);
      this.#timer = window.setTimeout(() => this.#look(), SETTLED_MS);
    });
    player.on(this.bar, "pointerdown", (event) => event.preventDefault()); // or the selection would go
  }

  /** Show the tools that the reader has: whoever reads along gets more of them in the end. */
  draw() {
    const { passages } = this;
    const { text, data } = this.player;
    const words = text.passages;
    const tool = (/** @type {string} */ label, /** @type {() => void} */ act, /** @type {(Node | string)[]} */ ...inside) =>
      make("button", { type: "button", className: "button quiet small", ariaLabel: label, title: label, onclick: act }, ...inside);
    /** @type {HTMLElement[]} */
    const tools = [];
    if (data.may_comment) {
      tools.push(tool(words.comment, () => passages.comment(), words.comment));
      for (const colour of COLOURS) {
        const label = fill(words.highlight, { colour: words.colours[colour] });
        tools.push(tool(label, () => passages.highlight(colour), make("i", { className: `swatch ${colour}` })));
      }
    }
    tools.push(tool(words.copy, () => passages.copy(), words.copy), tool(words.link, () => passages.copyLink(), words.link));
    this.bar.replaceChildren(...tools);
  }

  #look() {
    const range = this.range();
    const isEditing = this.player.editor?.on ?? false;
    this.bar.hidden = !range || isEditing || !this.parts().length;
    if (this.bar.hidden || !range) return;
    const box = range.getBoundingClientRect();
    const around = this.sheet.getBoundingClientRect();
    this.bar.style.top = `${box.bottom - around.top + GAP}px`;
    const left = Math.min(box.left - around.left, around.width - this.bar.offsetWidth);
    this.bar.style.left = `${Math.max(0, left)}px`;
  }

  /**
   * What is selected inside the transcript. What is selected inside a shadow root is told by that root (Chromium), by
   * composed ranges (Safari), or as anywhere (Firefox).
   */
  range() {
    const { rootNode, script } = this.player;
    const own = /** @type {Document} */ (rootNode).getSelection?.();
    const selection = own ?? getSelection();
    if (!selection?.rangeCount) return null;
    /** @type {StaticRange[]} */
    const composed = own ? [] : (/** @type {any} */ (selection).getComposedRanges?.({ shadowRoots: [rootNode] }) ?? []);
    const found = composed[0] ?? selection.getRangeAt(0);
    if (!script.panel.contains(found.startContainer) || !script.panel.contains(found.endContainer)) return null;
    const range = document.createRange();
    range.setStart(found.startContainer, found.startOffset);
    range.setEnd(found.endContainer, found.endOffset);
    return range.collapsed ? null : range;
  }

  /** Nothing is selected any more. */
  clear() {
    const own = /** @type {Document} */ (this.player.rootNode).getSelection?.();
    (own ?? getSelection())?.removeAllRanges();
    this.bar.hidden = true;
  }

  /**
   * The parts of lines that are selected; without a selection the line that is being said.
   *
   * @returns {Part[]}
   */
  chosen() {
    const selected = this.parts();
    if (selected.length) return selected;
    const { script } = this.player;
    const segment = script.segments[Math.max(0, script.line)];
    return segment ? [{ segment, from: 0, to: segment.text.length }] : [];
  }

  /** @returns {Part[]} */
  parts() {
    const range = this.range();
    if (!range) return [];
    const { lines } = this.player.script;
    const placeOf = (/** @type {Node} */ node) => {
      const line = lineOf(node instanceof Element ? node : node.parentElement);
      return line ? lines.indexOf(line) : -1;
    };
    const first = Math.max(0, placeOf(range.startContainer));
    const last = placeOf(range.endContainer);
    const parts = lines.slice(first, (last < 0 ? lines.length : last) + 1).map(({ segment, words }) => {
      const [from, to] = charactersIn(range, words);
      return { segment, from, to };
    });
    return parts.filter(({ segment, from, to }) => segment.text.slice(from, to).trim());
  }
}

/**
 * Which characters of an element a range covers.
 *
 * @param {Range} range
 * @param {HTMLElement} element
 */
function charactersIn(range, element) {
  const whole = document.createRange();
  whole.selectNodeContents(element);
  const all = whole.toString().length;
  const upTo = (/** @type {Node} */ node, /** @type {number} */ offset) => {
    const side = whole.comparePoint(node, offset);
    if (side) return side < 0 ? 0 : all;
    const before = document.createRange();
    before.selectNodeContents(element);
    before.setEnd(node, offset);
    return before.toString().length;
  };
  return [upTo(range.startContainer, range.startOffset), upTo(range.endContainer, range.endOffset)];
}
