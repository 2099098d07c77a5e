/**
 * The words of subtitles (SRT, WebVTT, SBV) and of JSON transcripts: a line for each, without numbers, times and markup.
 */
const MOMENT = String.raw`(?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3}`;
const TIMES = new RegExp(String.raw`^${MOMENT}\s*(?:-->|,)\s*${MOMENT}(?:\s.*)?$`);
const NOT_SAID = /^(NOTE|STYLE|REGION)(\s|$)/;
const MARKUP = /<\/?(?:b|i|u|c|lang|ruby|rt|font)\b[^>]*>|<\/v>|<[\d:.]+>|\{\\[^}]*\}/gi;
const VOICE = /<v(?:\.[^\s>]+)*\s+([^>]+)>/gi;
/** @type {Record<string, string>} */
const ENTITIES = { "&lt;": "<", "&gt;": ">", "&nbsp;": " ", "&lrm;": "", "&rlm;": "", "&amp;": "&" };

/**
 * Return what is said in a text; one that is neither subtitles nor JSON is returned as it is.
 *
 * @param {string} text
 */
export function spokenText(text) {
  return textOfJson(text) ?? textOfCaptions(text) ?? text;
}

/** @param {string} text */
function textOfJson(text) {
  if (!/^\s*\{/.test(text)) return null;
  try {
    /** @type {{ segments: { text: string, speaker?: string | null }[] }} */
    const { segments } = JSON.parse(text);
    return segments.map((one) => labelled(one.speaker, one.text.trim().replace(/\s+/g, " "))).join("\n");
  } catch {
    return null;
  }
}

/** @param {string} text */
function textOfCaptions(text) {
  const lines = text.split(/\r\n?|\n/).map((line) => line.trim());
  if (!lines.some((line) => TIMES.test(line))) return null;
  const isVtt = /^\ufeff?WEBVTT/.test(text);
  return cuesOf(lines, isVtt)
    .map((cue) => plain(cue.join(" "), isVtt))
    .filter(Boolean)
    .join("\n");
}

/**
 * Return the lines of each cue; what stands alone before its times is its number or name.
 *
 * @param {string[]} lines
 * @param {boolean} isVtt
 */
function cuesOf(lines, isVtt) {
  /** @type {string[][]} */
  const cues = [];
  let skips = false;
  for (const [place, line] of lines.entries()) {
    const isFirst = !lines[place - 1];
    skips = isVtt && (isFirst ? NOT_SAID.test(line) : skips);
    const isName = TIMES.test(lines[place + 1] ?? "") && (isFirst || /^\d+$/.test(line));
    if (TIMES.test(line)) cues.push([]);
    else if (line && !skips && !isName) cues.at(-1)?.push(line);
  }
  return cues;
}

/**
 * @param {string} text
 * @param {boolean} isVtt
 */
function plain(text, isVtt) {
  const said = text.replace(VOICE, (_, name) => `${name}: `).replace(MARKUP, "").replace(/\u200b/g, "");
  const read = isVtt ? said.replace(/&(?:lt|gt|nbsp|lrm|rlm|amp);/g, (entity) => ENTITIES[entity]) : said;
  return read.replace(/\s+/g, " ").trim();
}

/**
 * @param {string | null | undefined} speaker
 * @param {string} text
 */
function labelled(speaker, text) {
  return speaker ? `${speaker}: ${text}` : text;
}
