import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { spokenText } from "../../../dashboards/components/player/caption_text.js";

const SRT = "1\r\n00:00:01,000 --> 00:00:04,000\r\n<i>It is 12:30</i>\r\n{\\an8}already.\r\n\r\n2\r\n00:00:05,000 --> 00:00:06,000\r\n1984\r\n3\r\n00:00:07,000 --> 00:00:08,500\r\nBen: A < b.\r\n";
const VTT = `WEBVTT - a title
Kind: captions

STYLE
::cue { color: red }

NOTE by hand
and more

intro
00:01.000 --> 00:04.000 align:start
<v.loud Ann>Fish &amp; <00:02.000>chips</v>

00:05.000 --> 00:06.000
a &lt; b

02:00:07.000 --> 02:00:08.000
<c.x>the <b>end</b></c>
`;

test("subtitles give their words alone", () => {
  assert.equal(spokenText(SRT), "It is 12:30 already.\n1984\nBen: A < b.");
  assert.equal(spokenText(VTT), "Ann: Fish & chips\na < b\nthe end");
  assert.equal(spokenText("0:00:01.000,0:00:02.000\nOne\ntwo\n\n0:00:03.000,0:00:04.000\nthree\n"), "One two\nthree");
});

test("our own files give the words of the transcript", () => {
  for (const format of ["srt", "vtt", "sbv", "json"]) {
    const said = spokenText(readFileSync(new URL(`../../golden/exports/meeting.${format}`, import.meta.url), "utf-8"));
    assert.match(said, /^Ann: Good morning, everybody/, format);
    assert.doesNotMatch(said, /\d\d:\d\d[.,]\d|"text"|^\d+$/m, format);
  }
});

test("another text stays as it is", () => {
  for (const text of ["Ann: at 10:30 --> 11:00\n\n1984", "{not json}", '{"a": 1}', ""]) assert.equal(spokenText(text), text);
});
