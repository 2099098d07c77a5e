"""Write a transcript as SRT, VTT, TXT, JSON and TSV, always from whole milliseconds.

SRT goes through pysubs2, which takes `{…}` and backslashes for its own tags and leaves `-->` as it is, and counts
no further than 100 hours; VTT escapes as https://www.w3.org/TR/webvtt1/ asks, which no writer at hand does. JSON is
described in `document`.
"""

import json
from dataclasses import asdict
from html import escape
from typing import Any

from storage.records import CueLimits, ExportFormat, Segment, Transcript
from tasks.cues import Cue, cues, words_of

HOUR_MS = 3_600_000
SRT_END_MS = 100 * HOUR_MS - 1
SCHEMA = "whisper-transcriber/transcript"


def export(transcript: Transcript, fmt: ExportFormat | str, *, limits: CueLimits | None = None) -> bytes:
    """Return the transcript as a file of this format, UTF-8; `limits` are the job's own unless given."""
    shown = limits or transcript.options.cues
    match ExportFormat(fmt):
        case ExportFormat.SRT:
            text = srt(cues(transcript.segments, shown))
        case ExportFormat.VTT:
            text = vtt(cues(transcript.segments, shown))
        case ExportFormat.TXT:
            text = "".join(f"{segment.text.strip()}\n" for segment in transcript.segments if segment.text.strip())
        case ExportFormat.TSV:
            text = tsv(transcript.segments)
        case ExportFormat.JSON:
            text = json.dumps(document(transcript), ensure_ascii=False, indent=1) + "\n"
    return text.encode()


def srt(found: list[Cue]) -> str:
    """Return cues as SubRip."""
    from pysubs2 import SSAEvent, SSAFile

    written = SSAFile()
    for cue in found:
        start_ms, end_ms = (min(milliseconds(at_s), SRT_END_MS) for at_s in (cue.start_s, cue.end_s))
        text = "\\N".join(_srt_line(line) for line in _lines(cue))
        written.append(SSAEvent(start=start_ms, end=end_ms, text=text))
    # keep_ssa_tags: braces are somebody's words here, not tags to be stripped
    return written.to_string("srt", keep_ssa_tags=True) if found else ""


def vtt(found: list[Cue]) -> str:
    """Return cues as WebVTT, with speakers as voices."""
    parts = ["WEBVTT"]
    for cue in found:
        text = "\n".join(escape(line, quote=False) for line in _lines(cue))
        if cue.speaker:
            text = f"<v {escape(' '.join(cue.speaker.split()), quote=False)}>{text}"
        parts.append(f"{vtt_timestamp(cue.start_s)} --> {vtt_timestamp(cue.end_s)}\n{text}")
    return "\n\n".join(parts) + "\n"


def tsv(segments: tuple[Segment, ...]) -> str:
    """Return segments as start, end (both in milliseconds) and text, as the Whisper family writes them."""
    rows = (
        f"{milliseconds(segment.start_s)}\t{milliseconds(segment.end_s)}\t{text}\n"
        for segment in segments
        if (text := " ".join(segment.text.split()))
    )
    return "start\tend\ttext\n" + "".join(rows)


def document(transcript: Transcript) -> dict[str, Any]:
    """Return the transcript as JSON has it, schema version 1: times in seconds with three decimals.

    `other_languages` are those that it may be in as well. `segments` have a `language` where the job asked for each
    span's own, and hold `words` when the job asked for word times. `findings` say what to review first, `reheard`
    what was heard twice and which hearing was kept, `given_up` what the machine or the file did not allow.
    """
    with_words = transcript.options.word_timestamps
    return {
        "schema": SCHEMA,
        "schema_version": transcript.schema_version,
        "job_id": transcript.job_id,
        "name": transcript.name,
        "media_sha256": transcript.media_sha256,
        "duration": seconds(transcript.duration_s),
        "speech": seconds(transcript.speech_s),
        "language": transcript.language,
        "language_probability": transcript.language_probability,
        "other_languages": [asdict(guess) for guess in transcript.other_languages],
        "task": transcript.options.task,
        "model": transcript.model,
        "fingerprint": transcript.fingerprint,
        "engine": transcript.engine,
        "text": transcript.text,
        "segments": [_segment(index, segment, with_words) for index, segment in enumerate(transcript.segments)],
        "findings": [
            {
                "kind": finding.kind,
                "start": seconds(finding.start_s),
                "end": seconds(finding.end_s),
                "detail": finding.detail,
            }
            for finding in transcript.findings
        ],
        "reheard": [asdict(rehearing) for rehearing in transcript.reheard],
        "given_up": list(transcript.given_up),
    }


def _segment(index: int, segment: Segment, with_words: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": index,
        "start": seconds(segment.start_s),
        "end": seconds(segment.end_s),
        "text": segment.text.strip(),
        "speaker": segment.speaker,
        "avg_logprob": segment.avg_logprob,
        "compression_ratio": segment.compression_ratio,
        "no_speech_prob": segment.no_speech_prob,
        "temperature": segment.temperature,
    }
    if segment.language:
        found["language"] = segment.language
    if with_words:
        found["words"] = [
            {
                "start": seconds(word.start_s),
                "end": seconds(word.end_s),
                "word": word.text,
                "probability": word.probability,
            }
            for word in words_of(segment)
        ]
    return found


def milliseconds(at_s: float) -> int:
    """Return a moment as whole milliseconds; everything that is written is rounded here, once."""
    return max(0, round(at_s * 1000))


def seconds(at_s: float) -> float:
    return milliseconds(at_s) / 1000


def vtt_timestamp(at_s: float) -> str:
    """Return HH:MM:SS.mmm, with more digits of hours where they are needed."""
    minutes, rest_ms = divmod(milliseconds(at_s), 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{rest_ms // 1000:02d}.{rest_ms % 1000:03d}"


def _lines(cue: Cue) -> list[str]:
    """Return the cue's lines without empty ones, which would end it."""
    return [line for line in (" ".join(line.split()) for line in cue.text.splitlines()) if line] or ["…"]


def _srt_line(line: str) -> str:
    """Return a line that neither a reader nor pysubs2 takes for anything but text."""
    return line.replace("-->", "→").replace("\\", "⧵")
