/**
 * The text of a file that somebody chose: plain text, subtitles or a JSON transcript, of which what is said is read, or a
 * Word document (.docx), of which the paragraphs are.
 */
import { spokenText } from "./caption_text.js";

const MOST_BYTES = 20e6;
const END_OF_DIRECTORY = 0x06054b50;
const ENTRY = 0x02014b50;
const DEFLATED = 8;
const MARKED_UP = /^\s*(?:\[Script Info\]|<\?xml|<tt[\s>]|<!doctype|<html[\s>]|\{\\rtf|%PDF)/i; // not the words alone
const NOT_TYPED = /[^\P{Cc}\t\n\v\f\r\x85]/u; // control characters, of which no text has any
const LINE_BREAKS = /[\v\x85]/g; // of Word, and of mainframes
const END_OF_FILE = 0x1a; // of DOS
const ANSI = {
  "windows-1250": ["pl", "cs", "sk", "hu", "sl", "hr", "bs", "ro", "sq"],
  "windows-1251": ["ru", "uk", "be", "bg", "mk", "sr", "kk", "mn", "tg"],
  "windows-1253": ["el"],
  "windows-1254": ["tr", "az"],
  "windows-1255": ["he", "yi"],
  "windows-1256": ["ar", "fa", "ur"],
  "windows-1257": ["lt", "lv", "et"],
  "windows-1258": ["vi"],
  "windows-874": ["th"],
  gb18030: ["zh", "yue"],
  shift_jis: ["ja"],
  "euc-kr": ["ko"],
};
const WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";

/**
 * Return the text of a file; nothing where it is none.
 *
 * @param {File} file
 * @param {string | null} language that it is in, for texts older than Unicode
 * @returns {Promise<string | null>}
 */
export async function textOfFile(file, language) {
  if (file.size > MOST_BYTES) return null;
  const bytes = new Uint8Array(await file.arrayBuffer());
  const isZip = bytes[0] === 0x50 && bytes[1] === 0x4b;
  try {
    if (isZip) return await textOfDocument(bytes);
    const written = bytes.subarray(0, bytes.findLastIndex((byte) => byte !== END_OF_FILE) + 1);
    const text = decoded(written, language).replace(LINE_BREAKS, "\n");
    return MARKED_UP.test(text) || NOT_TYPED.test(text) ? null : spokenText(text);
  } catch {
    return null;
  }
}

/**
 * Return the characters of a text: UTF-8, UTF-16 with a byte order mark, or what editors under Windows call ANSI, which
 * differs from language to language.
 *
 * @param {Uint8Array} bytes
 * @param {string | null} language
 */
function decoded(bytes, language) {
  const mark = (bytes[0] << 8) | bytes[1];
  if (mark === 0xfffe || mark === 0xfeff) return new TextDecoder(mark === 0xfffe ? "utf-16le" : "utf-16be", { fatal: true }).decode(bytes);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    if (isDamagedUtf8(bytes)) throw new Error("damaged");
    const [label] = Object.entries(ANSI).find(([, languages]) => languages.includes(language ?? "")) ?? ["windows-1252"];
    return new TextDecoder(label, { fatal: true }).decode(bytes);
  }
}

/**
 * Return whether most of what is not ASCII is UTF-8 all the same.
 *
 * @param {Uint8Array} bytes
 */
function isDamagedUtf8(bytes) {
  const letters = new TextDecoder("utf-8").decode(bytes).match(/[^\0-\x7f]/gu) ?? [];
  return letters.filter((letter) => letter !== "\ufffd").length * 2 > letters.length;
}

/** @param {Uint8Array<ArrayBuffer>} bytes */
async function textOfDocument(bytes) {
  const xml = await partOf(bytes, "word/document.xml");
  const parsed = new DOMParser().parseFromString(new TextDecoder().decode(xml), "application/xml");
  if (parsed.querySelector("parsererror") || parsed.doctype) throw new Error("no document");
  return [...parsed.getElementsByTagNameNS(WORD, "p")].map(textOfParagraph).join("\n");
}

/** @param {Element} paragraph */
function textOfParagraph(paragraph) {
  const marks = /** @type {Record<string, string>} */ ({ tab: "\t", br: "\n" });
  const parts = [...paragraph.getElementsByTagNameNS(WORD, "*")];
  return parts.map((part) => (part.localName === "t" ? part.textContent : (marks[part.localName] ?? ""))).join("");
}

/**
 * Return a part of a ZIP file, by its central directory.
 *
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {string} name
 */
export async function partOf(bytes, name) {
  const view = new DataView(bytes.buffer);
  let at = bytes.length - 22;
  while (at >= 0 && view.getUint32(at, true) !== END_OF_DIRECTORY) at--;
  if (at < 0) throw new Error("no ZIP");
  const count = view.getUint16(at + 10, true);
  let entry = view.getUint32(at + 16, true);
  for (let n = 0; n < count && view.getUint32(entry, true) === ENTRY; n++) {
    const [nameBytes, extra, comment] = [28, 30, 32].map((offset) => view.getUint16(entry + offset, true));
    if (new TextDecoder().decode(bytes.subarray(entry + 46, entry + 46 + nameBytes)) === name) return unpacked(bytes, view, entry);
    entry += 46 + nameBytes + extra + comment;
  }
  throw new Error(`no ${name}`);
}

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {DataView} view
 * @param {number} entry
 */
async function unpacked(bytes, view, entry) {
  const [method, packed, start] = [view.getUint16(entry + 10, true), view.getUint32(entry + 20, true), view.getUint32(entry + 42, true)];
  const data = start + 30 + view.getUint16(start + 26, true) + view.getUint16(start + 28, true);
  const part = bytes.subarray(data, data + packed);
  if (method !== DEFLATED) return part;
  const reader = new Blob([part]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  const chunks = [];
  let size = 0;
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    size += next.value.length;
    if (size > MOST_BYTES) throw new Error("too large");
    chunks.push(next.value);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}
