/**
 * The buttons that stand in rows: to a moment of the recording, quiet ones, and ones that ask first.
 *
 * @import { Player } from "./player.js"
 */
import { make } from "../shared/dom.js";
import { clock, fill } from "../shared/format.js";

const SURE_MS = 8000;

/**
 * @param {Player} player
 * @param {number} at_s
 * @param {(at_s: number) => void} reach
 */
export function momentButton(player, at_s, reach) {
  const button = make("button", { type: "button", className: "moment number" }, clock(at_s));
  button.onclick = () => reach(at_s);
  button.ariaLabel = fill(player.text.play_from, { time: clock(at_s) });
  return button;
}

/**
 * @param {string} words
 * @param {() => void} act
 */
export function quietButton(words, act) {
  return make("button", { type: "button", className: "button quiet small", onclick: act }, words);
}

/**
 * A button that asks by itself: a second click within eight seconds means it.
 *
 * @param {string} words
 * @param {string} question
 * @param {() => void} act
 */
export function sureButton(words, question, act) {
  const button = quietButton(words, () => {
    if (button.dataset.asked) return act();
    button.dataset.asked = "1";
    button.textContent = question;
    setTimeout(() => {
      delete button.dataset.asked;
      button.textContent = words;
    }, SURE_MS);
  });
  return button;
}
