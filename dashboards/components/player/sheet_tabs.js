/**
 * The tabs over the sheets of a recording.
 *
 * @import { Player } from "./player.js"
 *
 * @typedef {"script" | "cues" | "summary" | "review" | "comments" | "notes" | "versions"} Sheet
 */
import { make } from "../shared/dom.js";

/** @type {Sheet[]} */
const SHEETS = ["script", "cues", "summary", "review", "comments", "notes", "versions"];

export class SheetTabs {
  /**
   * @param {Player} player
   * @param {HTMLElement} bar
   */
  constructor(player, bar) {
    this.player = player;
    this.bar = bar;
    player.on(bar, "keydown", (event) => this.#key(/** @type {KeyboardEvent} */ (event)));
  }

  /** Show a tab for each sheet that the recording has. */
  show() {
    const { data, text } = this.player;
    const tabs = SHEETS.filter((sheet) => data.sheets.includes(sheet)).map((sheet) => {
      const tab = make("button", { type: "button", className: "tab", role: "tab" }, text.sheets[sheet]);
      tab.dataset.tab = sheet;
      tab.append(make("span", { className: "badge number", hidden: true }));
      tab.onclick = () => this.player.open(sheet);
      return tab;
    });
    this.bar.replaceChildren(...tabs);
  }

  get #tabs() {
    return /** @type {HTMLElement[]} */ ([...this.bar.children]);
  }

  /**
   * Mark the tab of the sheet that is open.
   *
   * @param {Sheet} sheet
   */
  mark(sheet) {
    for (const tab of this.#tabs) {
      const here = tab.dataset.tab === sheet;
      tab.ariaSelected = String(here);
      tab.tabIndex = here ? 0 : -1;
    }
  }

  /**
   * Show how many there are of what a sheet holds.
   *
   * @param {Sheet} sheet
   * @param {number} count
   */
  badge(sheet, count) {
    const badge = /** @type {HTMLElement | null} */ (this.bar.querySelector(`[data-tab=${sheet}] .badge`));
    if (!badge) return;
    badge.textContent = count ? String(count) : "";
    badge.hidden = !count;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (!by) return;
    event.stopPropagation();
    event.preventDefault();
    const tabs = this.#tabs;
    const here = tabs.findIndex((tab) => tab === this.player.rootNode.activeElement);
    const next = tabs[(here + by + tabs.length) % tabs.length];
    next.focus();
    next.click();
  }
}
