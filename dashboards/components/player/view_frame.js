/**
 * The part of the page in which the transcript is read: below the player, which stays in view, down to the page's end.
 *
 * @import { Player } from "./player.js"
 */
import { scrollerOf } from "../shared/scrolling.js";

const LOWEST = 0.75;
const WANTED = 1 / 3;
const FAR = 4;

export class ViewFrame {
  /** @param {Player} player */
  constructor(player) {
    this.head = player.find(".head");
    this.scroller = scrollerOf(player.root);
  }

  /**
   * Where an element's top and bottom are, as shares of the frame's height.
   *
   * @param {Element} element
   */
  span(element) {
    const { top, height } = this.#box();
    const box = element.getBoundingClientRect();
    return [(box.top - top) / height, (box.bottom - top) / height];
  }

  #box() {
    const whole = this.scroller === document.scrollingElement;
    const { bottom } = whole ? { bottom: innerHeight } : this.scroller.getBoundingClientRect();
    const top = this.head.getBoundingClientRect().bottom;
    return { top, height: Math.max(1, bottom - top) };
  }

  /**
   * Scroll until the element stands well in the frame; leave the page alone where it does.
   *
   * @param {Element} element
   */
  bring(element) {
    if (!element.checkVisibility()) return;
    const [top, bottom] = this.span(element);
    if (top >= 0 && bottom <= LOWEST) return;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches || Math.abs(top) > FAR;
    this.scroller.scrollBy({ top: (top - WANTED) * this.#box().height, behavior: calm ? "instant" : "smooth" });
  }
}
