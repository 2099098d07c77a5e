/**
 * The lines of a transcript, one for each segment. Ten thousand stay quick: they stand in chunks of which the browser
 * lays out those in sight alone, and only lines near the view are drawn in full. The others hold their plain text.
 *
 * @import { Line } from "./line.js"
 * @import { Player } from "./player.js"
 * @import { Segment } from "./segments.js"
 */
import { make } from "../shared/dom.js";
import { closeLine, drawLine, drawPlain, foreignLanguage, newLine } from "./line.js";
import { commonEnds, identityOf } from "./segments.js";

const CHUNK_LINES = 40;
const FIRST_LINES = 2 * CHUNK_LINES;
const NEAR = "100% 0px";

export class LineList {
  /** @type {Line[]} */
  lines = [];
  /** @type {Set<Element>} the chunks near the view */
  #near = new Set();

  /**
   * @param {Player} player
   * @param {HTMLElement} panel
   * @param {{ doubted: (segment: Segment) => boolean, drawn: () => void }} asks - whether a segment is to be reviewed;
   *   `drawn` is told when lines have been drawn
   */
  constructor(player, panel, { doubted, drawn }) {
    this.player = player;
    this.panel = panel;
    this.doubted = doubted;
    this.drawn = drawn;
    const { scroller } = player.frame;
    const root = scroller === document.scrollingElement ? null : scroller;
    this.watch = new IntersectionObserver((seen) => this.#seen(seen), { root, rootMargin: NEAR });
    player.ends.signal.addEventListener("abort", () => this.watch.disconnect());
  }

  /**
   * Show these segments. Lines of those that stay are left alone, so that focus and place stay, too; between them, a
   * line shows another segment.
   *
   * @param {Segment[]} segments
   */
  show(segments) {
    const before = this.lines;
    if (!before.length) this.panel.replaceChildren();
    const { head, tail } = commonEnds(before.map((line) => line.segment), segments);
    const old = before.slice(head, before.length - tail);
    const wanted = segments.slice(head, segments.length - tail);
    const kept = old.slice(0, wanted.length);
    for (const line of old.slice(wanted.length)) this.#remove(line);
    const fresh = wanted.slice(kept.length).map(newLine);
    this.lines = [...before.slice(0, head), ...kept, ...fresh, ...before.slice(before.length - tail)];
    kept.forEach((line, at) => this.#put(line, wanted[at]));
    this.#insert(fresh, head + kept.length, tail);
    fresh.forEach((line, at) => this.#draw(line, head + kept.length + at < FIRST_LINES || this.isNear(line)));
    this.#markTurns();
    if (old.length || fresh.length) this.drawn();
  }

  /** @param {Line} line */
  #remove({ element }) {
    const chunk = /** @type {Element} */ (element.parentElement);
    element.remove();
    if (chunk.childElementCount) return;
    this.watch.unobserve(chunk);
    this.#near.delete(chunk);
    chunk.remove();
  }

  /**
   * Let a line show another segment; nothing is drawn where a reader sees no difference.
   *
   * @param {Line} line
   * @param {Segment} segment
   */
  #put(line, segment) {
    const same = identityOf(line.segment) === identityOf(segment) && foreignLanguage(segment, this.player.data.language) === line.foreign;
    const wasChanged = line.segment.changed;
    line.segment = segment;
    if (same && !line.split && line.words.textContent === segment.text) {
      if (wasChanged !== segment.changed) line.element.classList.toggle("changed", segment.changed);
    } else this.#draw(line, this.isNear(line));
  }

  /**
   * @param {Line} line
   * @param {boolean} whole
   */
  #draw(line, whole) {
    if (whole) this.draw(line, line.split);
    else drawPlain(line);
  }

  /**
   * Draw what a line says.
   *
   * @param {Line} line
   * @param {boolean} [split] - make every word an element of its own, as where pointer or voice is
   */
  draw(line, split = false) {
    drawLine(this.player, line, { split, doubted: this.doubted(line.segment) });
  }

  /** Draw all lines anew, as soon as they are near. */
  redraw() {
    for (const line of this.lines) {
      if (this.isNear(line)) this.draw(line);
      else {
        closeLine(line);
        line.stale = true;
      }
    }
    this.drawn();
  }

  /**
   * Draw a line that is far from the view in full, since somebody goes there.
   *
   * @param {Line} line
   */
  settle(line) {
    if (line.stale) this.draw(line);
  }

  /** @param {Line} line */
  isNear(line) {
    return this.#near.has(/** @type {Element} */ (line.element.parentElement));
  }

  /** The first line of each turn names its speaker. */
  #markTurns() {
    let speaker = "";
    for (const line of this.lines) {
      const turn = line.segment.speaker !== speaker;
      speaker = line.segment.speaker;
      if (line.turn !== turn) line.element.classList.toggle("turn", (line.turn = turn));
    }
  }

  /**
   * Put lines on the page: before others into their chunk, at the end into chunks of their own.
   *
   * @param {Line[]} fresh
   * @param {number} place - of the first of them
   * @param {number} after - how many lines follow them
   */
  #insert(fresh, place, after) {
    if (!fresh.length) return;
    const elements = fresh.map((line) => line.element);
    const next = after ? this.lines[place + fresh.length].element : null;
    const previous = place ? this.lines[place - 1].element : null;
    const hasRoom = next || (previous?.parentElement?.childElementCount ?? CHUNK_LINES) < CHUNK_LINES;
    if (fresh.length < CHUNK_LINES && hasRoom) {
      if (previous) previous.after(...elements);
      else next?.before(...elements);
      return;
    }
    const chunks = [];
    for (let at = 0; at < elements.length; at += CHUNK_LINES) {
      chunks.push(make("div", { className: "chunk" }, ...elements.slice(at, at + CHUNK_LINES)));
    }
    if (next) this.#cut(next).before(...chunks);
    else this.panel.append(...chunks);
    for (const chunk of chunks) this.watch.observe(chunk);
  }

  /**
   * Cut a chunk in two before one of its lines, and return the second.
   *
   * @param {Element} first
   */
  #cut(first) {
    const chunk = /** @type {Element} */ (first.parentElement);
    if (first === chunk.firstElementChild) return chunk;
    const moved = [...chunk.children].slice([...chunk.children].indexOf(first));
    const second = make("div", { className: "chunk" }, ...moved);
    chunk.after(second);
    this.watch.observe(second);
    return second;
  }

  /** @param {IntersectionObserverEntry[]} seen */
  #seen(seen) {
    for (const { target, isIntersecting } of seen) {
      if (isIntersecting) this.#near.add(target);
      else this.#near.delete(target);
    }
    const late = this.lines.filter((line) => line.stale && this.isNear(line));
    for (const line of late) this.draw(line);
    this.drawn();
  }
}
