/**
 * One line of the transcript, which shows a segment.
 *
 * @import { Player } from "./player.js"
 * @import { Segment, Word } from "./segments.js"
 *
 * @typedef {object} Line
 * @property {Segment} segment
 * @property {HTMLElement} element
 * @property {HTMLElement} time
 * @property {HTMLElement} body
 * @property {HTMLElement} words
 * @property {boolean} split - whether every word is an element of its own
 * @property {boolean} stale - whether it holds its plain text alone
 * @property {boolean} turn - whether somebody else speaks than in the line before
 * @property {Word[] | null} drawn - the words that it was last drawn with
 * @property {string} foreign - its language, where it is another than the recording's
 */
import { make } from "../shared/dom.js";
import { clock, fill, languageName } from "../shared/format.js";

export const UNSURE = 0.6;
const VERY_UNSURE = 0.35;

/** @type {WeakMap<Element, Line>} */
const lineOfElement = new WeakMap();

/**
 * Return a line for a segment, which nothing is drawn in yet.
 *
 * @param {Segment} segment
 * @returns {Line}
 */
export function newLine(segment) {
  const time = make("button", { type: "button", className: "time", tabIndex: -1 });
  const words = make("span", { className: "words" });
  const body = make("span", { className: "body", dir: "auto" }, words); // Arabic and Hebrew run from the right
  const element = make("div", { className: "line" }, time, body);
  const line = { segment, element, time, body, words, split: false, stale: true, turn: false, drawn: null, foreign: "" };
  lineOfElement.set(element, line);
  return line;
}

/**
 * The line that an element on the page is in.
 *
 * @param {EventTarget | null} target
 */
export function lineOf(target) {
  const element = target instanceof Element ? target.closest(".line") : null;
  return element ? lineOfElement.get(element) : undefined;
}

/**
 * Draw what a line says. Words that are there already are left alone: the caret may stand among them.
 *
 * @param {Player} player
 * @param {Line} line
 * @param {{ split: boolean, doubted: boolean }} how - `split` makes every word an element of its own
 */
export function drawLine(player, line, { split, doubted }) {
  const { segment, words } = line;
  const { data, editor, text } = player;
  line.foreign = foreignLanguage(segment, data.language);
  const language = line.foreign ? [make("span", { className: "language", title: text.language }, apart(languageName(line.foreign)))] : [];
  words.lang = line.foreign && !data.translated ? line.foreign : "";
  drawWords(player, line, split && segment.words.length > 0);
  line.time.style.visibility = data.timed ? "" : "hidden"; // its column stays
  line.time.textContent = clock(segment.start);
  line.time.ariaLabel = fill(text.play_from, { time: clock(segment.start) });
  for (const part of [...line.body.childNodes]) if (part !== words) part.remove();
  words.before(...speakerParts(player, segment), ...language);
  line.element.classList.toggle("changed", segment.changed);
  line.element.classList.toggle("doubt", doubted);
  line.stale = false;
  if (editor?.on) editor.openLine(line);
  else closeLine(line);
}

/**
 * @param {Player} player
 * @param {Line} line
 * @param {boolean} split
 */
function drawWords(player, line, split) {
  const { segment, words } = line;
  const isTypedIn = player.rootNode.activeElement === words && oneLine(words.textContent) === segment.text;
  if (isTypedIn || (line.drawn === segment.words && line.split === split && words.textContent === segment.text)) return;
  line.split = split;
  line.drawn = segment.words;
  words.replaceChildren(...wordParts(player, line));
  if (words.textContent === segment.text) return;
  words.textContent = segment.text;
  line.split = false;
}

/**
 * Return what somebody has typed as a segment has it.
 *
 * @param {string | null} typed
 */
export function oneLine(typed) {
  return (typed ?? "").split(/\s+/).filter(Boolean).join(" ");
}

/**
 * Let a line that is far from the view hold its plain text, for whoever searches or copies the page.
 *
 * @param {Line} line
 */
export function drawPlain(line) {
  const { segment, words } = line;
  if (words.textContent !== segment.text) {
    words.textContent = segment.text;
    line.drawn = null;
  }
  line.element.classList.toggle("changed", segment.changed);
  line.stale = true;
}

/**
 * Let nobody type in a line.
 *
 * @param {Line} line
 */
export function closeLine({ words }) {
  if (!words.hasAttribute("contenteditable")) return;
  for (const name of ["contenteditable", "role", "aria-label", "spellcheck"]) words.removeAttribute(name);
}

/**
 * @param {Player} player
 * @param {Segment} segment
 */
function speakerParts({ editor, text }, { speaker }) {
  if (editor?.on) {
    return [make("button", { type: "button", className: `speaker${speaker ? "" : " none"}` }, apart(speaker || text.add_speaker))];
  }
  return speaker ? [make("span", { className: "speaker" }, apart(speaker))] : [];
}

/**
 * A text that does not decide which way the line around it runs.
 *
 * @param {string} text
 */
function apart(text) {
  return make("bdi", {}, text);
}

/**
 * Doubtful words are elements, the others only in a line that is split.
 *
 * @param {Player} player
 * @param {Line} line
 */
function wordParts(player, line) {
  const parts = [];
  let plain = "";
  for (const [place, word] of line.segment.words.entries()) {
    const space = place && /^\s/.test(word.text) ? " " : "";
    const doubt = word.p < VERY_UNSURE ? "u2" : word.p < UNSURE ? "u1" : "";
    if (!line.split && !doubt) {
      plain += space + word.text.trim();
      continue;
    }
    parts.push(plain + space);
    plain = "";
    const title = doubt ? fill(player.text.sure, { percent: Math.round(100 * word.p) }) : "";
    word.element = make("span", { className: doubt, title }, word.text.trim());
    parts.push(word.element);
  }
  parts.push(plain);
  return parts.filter((part) => part !== "");
}

/**
 * The language of a segment, where it is another than the recording's.
 *
 * @param {Segment} segment
 * @param {string | null} recordings
 */
export function foreignLanguage({ language }, recordings) {
  return recordings && language && language !== recordings ? language : "";
}

/**
 * Return where these characters of a line are, which may be one text or many words; nothing where they are not.
 *
 * @param {Line} line
 * @param {number} start
 * @param {number} end
 */
export function rangeOf(line, start, end) {
  const walk = document.createTreeWalker(line.words, NodeFilter.SHOW_TEXT);
  let before = 0;
  /** @type {[Node, number] | null} */
  let first = null;
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const after = before + (node.textContent?.length ?? 0);
    if (!first && start <= after && (start < after || start === end)) first = [node, start - before];
    if (first && end <= after) {
      return new StaticRange({ startContainer: first[0], startOffset: first[1], endContainer: node, endOffset: end - before });
    }
    before = after;
  }
  return null;
}

/**
 * Where the selection lies in a line, in characters of its text; -1 where there is none.
 *
 * @param {HTMLElement} words
 * @param {Document | ShadowRoot} rootNode
 * @returns {[start: number, end: number]}
 */
export function caretIn(words, rootNode) {
  // In Chromium, what is selected inside a shadow root is told by that root alone.
  const selection = /** @type {Document} */ (rootNode).getSelection?.() ?? getSelection();
  if (!selection?.rangeCount) return [-1, -1];
  const range = selection.getRangeAt(0);
  const before = (/** @type {Node} */ node, /** @type {number} */ offset) => {
    const upTo = document.createRange();
    upTo.selectNodeContents(words);
    upTo.setEnd(node, offset);
    return upTo.toString().length;
  };
  return [before(range.startContainer, range.startOffset), before(range.endContainer, range.endOffset)];
}
