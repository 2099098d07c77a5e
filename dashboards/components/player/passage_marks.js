/**
 * Comments and highlights in the transcript: the browser paints the words, and a button stands beside the line. No
 * line is drawn anew for it.
 *
 * @import { Comment, HighlightedPassage } from "./api.js"
 * @import { Line } from "./line.js"
 * @import { Player } from "./player.js"
 */
import { make } from "../shared/dom.js";
import { clock, fill } from "../shared/format.js";
import { rangeOf } from "./line.js";
import { COLOURS, placesOf } from "./passage.js";

const BUBBLE = "M5 4h14a2 2 0 0 1 2 2v9a2 2 0 0 1-2 2h-7l-5 4v-4H5a2 2 0 0 1-2-2V6a2 2 0 0 1 2-2z";
const SVG = "http://www.w3.org/2000/svg";
const COMMENTED = "wt-commented";

export class PassageMarks {
  /** @type {Map<HTMLElement, HTMLElement>} the buttons by the line that they stand at */
  #markers = new Map();

  /**
   * @param {Player} player
   * @param {(comments: Comment[]) => void} open
   */
  constructor(player, open) {
    this.player = player;
    this.open = open;
    player.ends.signal.addEventListener("abort", () => this.#clear());
  }

  #clear() {
    for (const name of [COMMENTED, ...COLOURS.map((colour) => `wt-mark-${colour}`)]) CSS.highlights?.delete(name);
  }

  /**
   * @param {Comment[]} comments - those that are open
   * @param {HighlightedPassage[]} highlights
   */
  paint(comments, highlights) {
    for (const colour of COLOURS) this.#paint(`wt-mark-${colour}`, highlights.filter((one) => one.colour === colour));
    this.#paint(COMMENTED, comments);
    this.#placeMarkers(comments);
  }

  /**
   * @param {string} name
   * @param {{ start_s: number, end_s: number }[]} passages
   */
  #paint(name, passages) {
    if (!CSS.highlights) return;
    const { list, segments } = this.player.script;
    const ranges = [];
    for (const { place, from, to } of passages.flatMap((one) => placesOf(segments, one))) {
      const line = list.lines[place];
      const range = line && list.isNear(line) ? rangeOf(line, from, to) : null;
      if (range) ranges.push(range);
    }
    const made = new Highlight(...ranges);
    made.priority = -1; // what is looked for is seen above it
    if (ranges.length) CSS.highlights.set(name, made);
    else CSS.highlights.delete(name);
  }

  /** @param {Comment[]} comments */
  #placeMarkers(comments) {
    /** @type {Map<Line, Comment[]>} */
    const wanted = new Map();
    const { lines, segments } = this.player.script;
    for (const comment of comments) {
      const [first] = placesOf(segments, comment);
      const line = first && lines[first.place];
      if (line) wanted.set(line, [...(wanted.get(line) ?? []), comment]);
    }
    const kept = new Set([...wanted.keys()].map((line) => line.element));
    for (const [element, marker] of this.#markers) {
      if (kept.has(element)) continue;
      marker.remove();
      this.#markers.delete(element);
    }
    for (const [line, found] of wanted) this.#mark(line, found);
  }

  /**
   * @param {Line} line
   * @param {Comment[]} comments
   */
  #mark({ element, segment }, comments) {
    const words = this.player.text.passages;
    const all = comments.length + comments.reduce((sum, one) => sum + one.replies.length, 0);
    const label = fill(all === 1 ? words.marker_one : words.marker_all, { all, time: clock(segment.start) });
    const there = this.#markers.get(element);
    const marker = there ?? this.#newMarker(element);
    marker.onclick = (event) => {
      event.stopPropagation();
      this.open(comments);
    };
    this.player.name(marker, label);
    const count = /** @type {HTMLElement} */ (marker.lastChild);
    if (count.textContent !== String(all)) count.textContent = String(all);
  }

  /** @param {HTMLElement} element */
  #newMarker(element) {
    const icon = document.createElementNS(SVG, "svg");
    icon.setAttribute("viewBox", "0 0 24 24");
    icon.setAttribute("aria-hidden", "true");
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", BUBBLE);
    icon.append(path);
    const marker = make("button", { type: "button", className: "marker small number" }, icon, make("span"));
    element.append(marker);
    this.#markers.set(element, marker);
    return marker;
  }
}
