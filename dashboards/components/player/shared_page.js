/**
 * Puts the player on the page of a link that was shared, outside of Streamlit.
 */
import { find } from "../shared/dom.js";
import { Player } from "./player.js";

const root = find(document, ".player");
find(root, ".tabs").hidden = true;
new Player(root, JSON.parse(find(document, "#data").textContent ?? ""));
