"""Write a transcript as a JSON document, and read it back.

`docs/transcript.schema.json` describes the format, and `docs/formats.md` explains it. Times are seconds with three
decimals. Fields may be added within a version; removing one or changing its meaning raises the version.
"""

import json
from dataclasses import asdict, fields
from math import isfinite
from typing import Any

from storage.domain.errors import BadRequest
from storage.domain.job_messages import texts_of
from storage.domain.model_names import display_name
from storage.domain.records import (
    NOT_TIMED,
    CueLimits,
    ExportFormat,
    Finding,
    LanguageGuess,
    Options,
    PinnedCue,
    Redecoding,
    Seam,
    Segment,
    Transcript,
    Untranscribed,
    Word,
)
from tasks.asr.confidence import LOW_CONFIDENCE, NO_SPEECH, NO_TEXT, REPETITION, TOO_FAST
from tasks.assembly.metrics import quality
from tasks.assembly.review_findings import DAMAGED, DOUBTED, LANGUAGE, MAYBE_SPEECH, NOTHING_SAID
from tasks.assembly.seam_audit import SEAM
from tasks.assembly.text_alignment import TEXT_EXTRA, TEXT_MISSING
from tasks.exports.cues import words_of
from tasks.exports.srt_vtt import milliseconds

SCHEMA = "whisper-transcriber/transcript"
SCHEMA_VERSION = 1
REVIEW_ORDER = (
    NOT_TIMED,
    NOTHING_SAID,
    DOUBTED,
    DAMAGED,
    TEXT_EXTRA,
    TEXT_MISSING,
    NO_TEXT,
    MAYBE_SPEECH,
    REPETITION,
    NO_SPEECH,
    LANGUAGE,
    SEAM,
    TOO_FAST,
    LOW_CONFIDENCE,
)


def to_text(transcript: Transcript) -> str:
    """Return the document as JSON, with one line for each item of a list."""
    fields_json = (f'"{name}": {_value(value)}' for name, value in document(transcript).items())
    return "{\n" + ",\n".join(fields_json) + "\n}\n"


def _value(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(json.dumps(one, ensure_ascii=False) for one in value) + "\n]"
    return json.dumps(value, ensure_ascii=False)


def document(transcript: Transcript) -> dict[str, Any]:
    """Return the transcript as a document.

    `segments` have a `language` if the recording has several, and `words` if the job requested word times. Subtitles
    that a person set are `pinned_cues`.
    """
    with_words = transcript.options.word_timestamps
    pinned = [_pinned(one) for one in transcript.pinned_cues]
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "job_id": transcript.job_id,
        "version": transcript.version,
        "name": transcript.name,
        "media_sha256": transcript.media_sha256,
        "duration": seconds(transcript.duration_s),
        "speech": seconds(transcript.speech_s),
        "language": transcript.language,
        "language_probability": transcript.language_probability,
        "other_languages": [asdict(guess) for guess in transcript.other_languages],
        "task": transcript.options.task,
        "model": display_name(transcript.model),
        "fingerprint": transcript.fingerprint,
        "engine": transcript.engine,
        "settings": asdict(transcript.options),
        "text": transcript.text,
        "segments": [_segment(index, segment, with_words) for index, segment in enumerate(transcript.segments)],
        "quality": {name.removesuffix("_s"): value for name, value in asdict(quality(transcript)).items()},
        "findings": [_finding(rank, one) for rank, one in enumerate(to_review(transcript.findings), start=1)],
        "reheard": [_placed(one) for one in transcript.reheard],
        "untranscribed": [_placed(one) for one in transcript.untranscribed],
        "given_up": texts_of(transcript.given_up),
        "seams": [_seam(one) for one in transcript.seams],
    } | ({"pinned_cues": pinned} if pinned else {})


def to_review(unordered: tuple[Finding, ...]) -> list[Finding]:
    """Return findings in review order: the worst kind first, then the longest."""

    def urgency(finding: Finding) -> tuple[int, float, float]:
        severity = REVIEW_ORDER.index(finding.kind) if finding.kind in REVIEW_ORDER else len(REVIEW_ORDER)
        return severity, finding.start_s - finding.end_s, finding.start_s

    return sorted(unordered, key=urgency)


def seconds(at_s: float) -> float:
    return milliseconds(at_s) / 1000


def _segment(index: int, segment: Segment, with_words: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {
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
        entry["language"] = segment.language
    if with_words:
        entry["words"] = [
            {
                "start": seconds(word.start_s),
                "end": seconds(word.end_s),
                "word": word.text,
                "probability": word.probability,
            }
            for word in words_of(segment)
        ]
    return entry


def _finding(rank: int, finding: Finding) -> dict[str, Any]:
    where = {"start": seconds(finding.start_s), "end": seconds(finding.end_s)}
    return {"rank": rank, "kind": finding.kind, **where, "detail": finding.detail}


def _placed(one: Redecoding | Untranscribed) -> dict[str, Any]:
    record = asdict(one)
    return {"start": seconds(record.pop("start_s")), "end": seconds(record.pop("end_s")), **record}


def _pinned(one: PinnedCue) -> dict[str, Any]:
    return {name.removesuffix("_s"): value for name, value in asdict(one).items()}


def _seam(one: Seam) -> dict[str, Any]:
    record = asdict(one)
    return {"at": seconds(record.pop("at_s")), **{name.removesuffix("_s"): value for name, value in record.items()}}


def from_text(text: str | bytes) -> Transcript:
    """Read a document back as far as exports need it: text, times, speakers, settings.

    Raises:
        BadRequest: it is not a document of ours, or has a later version than this program supports.
    """
    try:
        parsed = json.loads(text, parse_constant=_no_number)
        if not isinstance(parsed, dict) or parsed.get("schema") != SCHEMA:
            raise BadRequest(
                "transcript", f"its `schema` is not {SCHEMA}; send a JSON transcript that this program exported"
            )
        if parsed["schema_version"] > SCHEMA_VERSION:
            raise BadRequest(
                "transcript", f"it has schema version {parsed['schema_version']}; update this program, which knows 1"
            )
        return _transcript(parsed)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadRequest("transcript", f"it cannot be read as a JSON transcript ({error!r})") from error


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def _moment(value: Any) -> float:
    at_s = float(value)
    if not isfinite(at_s):
        raise ValueError(f"{value} is not a time")
    return at_s


def _transcript(parsed: dict[str, Any]) -> Transcript:
    same = ("job_id", "version", "name", "media_sha256", "language", "language_probability", "model")
    return Transcript(
        **{name: parsed[name] for name in (*same, "fingerprint", "engine")},
        duration_s=_moment(parsed["duration"]),
        speech_s=_moment(parsed["speech"]),
        options=_options(parsed["settings"]),
        segments=tuple(map(_segment_of, parsed["segments"])),
        findings=tuple(
            Finding(kind=one["kind"], start_s=_moment(one["start"]), end_s=_moment(one["end"]), detail=one["detail"])
            for one in parsed["findings"]
        ),
        given_up=tuple(parsed["given_up"]),
        other_languages=tuple(LanguageGuess(**one) for one in parsed["other_languages"]),
        pinned_cues=tuple(map(_pinned_cue, parsed.get("pinned_cues", ()))),
    )


def _pinned_cue(parsed: dict[str, Any]) -> PinnedCue:
    times = {f"{name}_s": _moment(parsed[name]) for name in ("start", "end", "from", "until")}
    return PinnedCue(**times, speaker=parsed.get("speaker"))


def _options(parsed: dict[str, Any]) -> Options:
    """Return the settings that this version supports."""
    supported = {field.name: parsed[field.name] for field in fields(Options) if field.name in parsed}
    cues = {field.name: parsed["cues"][field.name] for field in fields(CueLimits) if field.name in parsed["cues"]}
    formats = tuple(map(ExportFormat, parsed.get("formats", ())))
    return Options(**supported | {"cues": CueLimits(**cues), "formats": formats})


def _segment_of(parsed: dict[str, Any]) -> Segment:
    return Segment(
        start_s=_moment(parsed["start"]),
        end_s=_moment(parsed["end"]),
        text=str(parsed["text"]),
        speaker=parsed["speaker"],
        language=parsed.get("language"),
        words=tuple(
            Word(
                start_s=_moment(one["start"]),
                end_s=_moment(one["end"]),
                text=str(one["word"]),
                probability=one["probability"],
            )
            for one in parsed.get("words", ())
        ),
        avg_logprob=parsed["avg_logprob"],
        compression_ratio=parsed["compression_ratio"],
        no_speech_prob=parsed["no_speech_prob"],
        temperature=parsed["temperature"],
    )
