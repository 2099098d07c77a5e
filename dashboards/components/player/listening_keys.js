/**
 * The keys for listening that work wherever somebody types, too. Each reader can change them; media keys and pedals
 * that send them always work.
 *
 * @typedef {"play" | "back" | "ahead" | "slower" | "faster"} ListeningAct
 * @typedef {Pick<KeyboardEvent, "key" | "code" | "ctrlKey" | "altKey" | "shiftKey" | "metaKey">} Key
 */
const STORED = "wt-keys";
/** @type {Record<ListeningAct, string>} */
const FIRST = { play: "Alt+K", back: "Alt+J", ahead: "Alt+L", slower: "Alt+,", faster: "Alt+." };
/** @type {Record<string, ListeningAct>} */
const MEDIA = {
  MediaPlayPause: "play",
  MediaPlay: "play",
  MediaPause: "play",
  MediaStop: "play",
  MediaTrackPrevious: "back",
  MediaRewind: "back",
  MediaTrackNext: "ahead",
  MediaFastForward: "ahead",
};
const MODIFIERS = ["Control", "Alt", "AltGraph", "Shift", "Meta", "Dead", "Unidentified"];
const TYPING = /^(.|Space|Enter|Tab|Escape|Backspace|Delete|Insert|Home|End|Page.*|Arrow.*|ContextMenu|CapsLock)$/u;

export const ACTS = /** @type {ListeningAct[]} */ (Object.keys(FIRST));

/**
 * Return a key with what is held down beside it, as in Ctrl+Alt+K; nothing where only modifiers are pressed.
 *
 * @param {Key} event
 */
export function chordOf(event) {
  if (MODIFIERS.includes(event.key)) return null;
  const held = [event.ctrlKey && "Ctrl", event.altKey && "Alt", event.shiftKey && "Shift", event.metaKey && "Meta"];
  return [...held.filter(Boolean), nameOf(event)].join("+");
}

/**
 * With Alt, macOS writes another sign for a key, whose place then says which it is.
 *
 * @param {Key} event
 */
function nameOf({ key, code }) {
  if (key === " ") return "Space";
  if (/^[\x21-\x7e]$/.test(key)) return key.toUpperCase();
  const placed = /^(?:Key|Digit)(.)$/.exec(code)?.[1] ?? { Comma: ",", Period: ".", Space: "Space" }[code];
  return key.length === 1 ? (placed ?? key) : key;
}

/**
 * Whether a chord can be used for listening: none that writes, moves the caret or confirms.
 *
 * @param {string} chord
 */
export function mayListen(chord) {
  const parts = chord.split(/\+(?!$)/);
  const key = parts.at(-1) ?? "";
  const held = parts.slice(0, -1).filter((part) => part !== "Shift");
  return held.length > 0 ? !/^(Tab|Arrow.*|Enter|Backspace|Delete)$/.test(key) : !TYPING.test(key);
}

export class ListeningKeys {
  /** @param {Pick<Storage, "getItem" | "setItem" | "removeItem">} store */
  constructor(store) {
    this.store = store;
    /** @type {Record<ListeningAct, string>} */
    this.chosen = { ...FIRST, ...read(store) };
  }

  /**
   * What a key is for, if it is one of these.
   *
   * @param {Key} event
   * @returns {ListeningAct | undefined}
   */
  actOf(event) {
    const chord = chordOf(event);
    return MEDIA[event.key] ?? ACTS.find((act) => this.chosen[act] === chord);
  }

  /**
   * Use another key; an act that had it takes the one before.
   *
   * @param {ListeningAct} act
   * @param {string} chord
   */
  choose(act, chord) {
    const other = ACTS.find((one) => this.chosen[one] === chord);
    if (other) this.chosen[other] = this.chosen[act];
    this.chosen[act] = chord;
    this.store.setItem(STORED, JSON.stringify(this.chosen));
  }

  reset() {
    this.chosen = { ...FIRST };
    this.store.removeItem(STORED);
  }
}

/** @param {Pick<Storage, "getItem">} store */
function read(store) {
  try {
    const stored = Object.entries(JSON.parse(store.getItem(STORED) ?? "{}"));
    return Object.fromEntries(stored.filter(([act, chord]) => act in FIRST && typeof chord === "string"));
  } catch {
    return {};
  }
}
