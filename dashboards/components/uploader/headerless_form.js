/**
 * The question about a recording that has no header: its format, sample rate and channels.
 *
 * @import { HeaderlessChoices, UploaderText } from "../contracts.js"
 *
 * @typedef {{ input_format: string, sample_rate: string, input_channels: string }} InputDescription - as the server
 *   wants it
 */
import { make } from "../shared/dom.js";

const USUAL_HZ = 8000;

/**
 * Return a form that asks; what it is told is passed on. The format that a file's name speaks for stands there first.
 *
 * @param {string} name - the file's
 * @param {HeaderlessChoices} choices
 * @param {UploaderText} text
 * @param {(described: InputDescription) => void} onDescribed
 */
export function headerlessForm(name, { formats, lowest_hz, highest_hz, max_channels }, text, onDescribed) {
  const format = make("select", {}, ...formats.map(({ value, label }) => make("option", { value }, label)));
  const rate = numberInput(USUAL_HZ, lowest_hz, highest_hz);
  const channels = numberInput(1, 1, max_channels);
  const fixed = () => formats[format.selectedIndex].rate_hz;
  const followFormat = () => {
    const only = fixed();
    rate.disabled = channels.disabled = only !== null;
    if (only === null) return;
    rate.value = String(only);
    channels.value = "1";
  };
  format.onchange = followFormat;
  format.selectedIndex = Math.max(0, formats.findIndex(({ endings }) => endings.some((ending) => name.toLowerCase().endsWith(ending))));
  followFormat();
  return make(
    "form",
    {
      className: "describe",
      onsubmit: (/** @type {SubmitEvent} */ event) => {
        event.preventDefault();
        onDescribed({ input_format: format.value, sample_rate: rate.value, input_channels: channels.value });
      },
    },
    labelled(text.input_format, format),
    labelled(text.sample_rate, rate),
    labelled(text.input_channels, channels),
    make("button", { type: "submit", className: "button" }, text.describe),
  );
}

/**
 * @param {number} value
 * @param {number} min
 * @param {number} max
 */
function numberInput(value, min, max) {
  const range = { min: String(min), max: String(max), step: "1" };
  return make("input", { type: "number", inputMode: "numeric", required: true, value: String(value), ...range });
}

/**
 * @param {string} words
 * @param {HTMLElement} input
 */
function labelled(words, input) {
  return make("label", {}, make("span", { className: "small muted" }, words), input);
}
