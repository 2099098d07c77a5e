/**
 * Listening while somebody types: by keys that work everywhere, and by those of headsets, pedals and the system.
 *
 * @import { ListeningAct } from "./listening_keys.js"
 * @import { Player } from "./player.js"
 */
import { ListeningKeys } from "./listening_keys.js";

const STEP_S = 3;

export class Listening {
  keys = new ListeningKeys(localStorage);

  /** @param {Player} player */
  constructor(player) {
    /** @type {Record<ListeningAct, () => void>} */
    this.acts = {
      play: () => player.toggle(),
      back: () => player.step(-STEP_S),
      ahead: () => player.step(STEP_S),
      slower: () => player.faster(-1),
      faster: () => player.faster(1),
    };
    this.#takeMediaKeys(player);
  }

  /**
   * Do what a key for listening asks for; tell whether it was one.
   *
   * @param {KeyboardEvent} event
   */
  pressed(event) {
    const act = this.keys.actOf(event);
    if (!act) return false;
    event.preventDefault();
    this.acts[act]();
    return true;
  }

  /**
   * The browser itself takes media keys of the page that plays, and asks for what they mean.
   *
   * @param {Player} player
   */
  #takeMediaKeys({ video, ends }) {
    const session = navigator.mediaSession;
    const { back, ahead } = this.acts;
    /** @type {[MediaSessionAction, () => void][]} */
    const acts = [
      ["play", () => video.play().catch(() => {})],
      ["pause", () => video.pause()],
      ["seekbackward", back],
      ["seekforward", ahead],
      ["previoustrack", back],
      ["nexttrack", ahead],
    ];
    for (const [name, act] of acts) session?.setActionHandler(name, act);
    ends.signal.addEventListener("abort", () => acts.forEach(([name]) => session?.setActionHandler(name, null)));
  }
}
