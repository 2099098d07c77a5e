"""A transcript as a JSON document, and back: `docs/transcript.schema.json` describes it, `docs/formats.md` explains it.

Times are seconds with three decimals. Fields may be added within a version; one that changes its meaning or goes
raises it.
"""

import json
from dataclasses import asdict, fields
from math import isfinite
from typing import Any

from storage.errors import BadRequest
from storage.records import (
    CueLimits,
    ExportFormat,
    Finding,
    LanguageGuess,
    Options,
    Rehearing,
    Seam,
    Segment,
    Transcript,
    Untranscribed,
    Word,
)
from tasks.captions import milliseconds
from tasks.cues import words_of
from tasks.doubt import LOW_CONFIDENCE, NO_SPEECH, NO_TEXT, REPETITION, TOO_FAST
from tasks.gate import DAMAGED, LANGUAGE, NOTHING_SAID
from tasks.quality import quality
from tasks.seams import SEAM

SCHEMA = "whisper-transcriber/transcript"
SCHEMA_VERSION = 1
REVIEW_ORDER = (NOTHING_SAID, DAMAGED, NO_TEXT, REPETITION, NO_SPEECH, LANGUAGE, SEAM, TOO_FAST, LOW_CONFIDENCE)


def to_text(transcript: Transcript) -> str:
    """Return the document as JSON; what it has many of stands on a line each."""
    told = (f'"{name}": {_value(value)}' for name, value in document(transcript).items())
    return "{\n" + ",\n".join(told) + "\n}\n"


def _value(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(json.dumps(one, ensure_ascii=False) for one in value) + "\n]"
    return json.dumps(value, ensure_ascii=False)


def document(transcript: Transcript) -> dict[str, Any]:
    """Return the transcript as the document has it.

    `segments` have a `language` where the recording is in several, and hold `words` when the job asked for word times.
    """
    with_words = transcript.options.word_timestamps
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
        "model": transcript.model,
        "fingerprint": transcript.fingerprint,
        "engine": transcript.engine,
        "settings": asdict(transcript.options),
        "text": transcript.text,
        "segments": [_segment(index, segment, with_words) for index, segment in enumerate(transcript.segments)],
        "quality": {name.removesuffix("_s"): value for name, value in asdict(quality(transcript)).items()},
        "findings": [_finding(rank, one) for rank, one in enumerate(to_review(transcript.findings), start=1)],
        "reheard": [_placed(one) for one in transcript.reheard],
        "untranscribed": [_placed(one) for one in transcript.untranscribed],
        "given_up": list(transcript.given_up),
        "seams": [_seam(one) for one in transcript.seams],
    }


def to_review(found: tuple[Finding, ...]) -> list[Finding]:
    """Return findings as they should be looked at: the worst kind first, then the longest."""

    def urgency(finding: Finding) -> tuple[int, float, float]:
        known = REVIEW_ORDER.index(finding.kind) if finding.kind in REVIEW_ORDER else len(REVIEW_ORDER)
        return known, finding.start_s - finding.end_s, finding.start_s

    return sorted(found, key=urgency)


def seconds(at_s: float) -> float:
    return milliseconds(at_s) / 1000


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


def _finding(rank: int, finding: Finding) -> dict[str, Any]:
    where = {"start": seconds(finding.start_s), "end": seconds(finding.end_s)}
    return {"rank": rank, "kind": finding.kind, **where, "detail": finding.detail}


def _placed(one: Rehearing | Untranscribed) -> dict[str, Any]:
    told = asdict(one)
    return {"start": seconds(told.pop("start_s")), "end": seconds(told.pop("end_s")), **told}


def _seam(one: Seam) -> dict[str, Any]:
    told = asdict(one)
    return {"at": seconds(told.pop("at_s")), **{name.removesuffix("_s"): value for name, value in told.items()}}


def from_text(text: str | bytes) -> Transcript:
    """Read a document back, as far as exports need it: text, times, speakers, provenance and settings.

    Raises:
        BadRequest: it is no document of ours, or of a later version than this program knows.
    """
    try:
        told = json.loads(text, parse_constant=_no_number)
        if not isinstance(told, dict) or told.get("schema") != SCHEMA:
            raise BadRequest("transcript", f"this is no JSON transcript of ours (its `schema` is not {SCHEMA})")
        if told["schema_version"] > SCHEMA_VERSION:
            raise BadRequest(
                "transcript", f"it has schema version {told['schema_version']}; update this program, which knows 1"
            )
        return _transcript(told)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadRequest("transcript", f"it cannot be read as a JSON transcript ({error!r})") from error


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _moment(told: Any) -> float:
    at_s = float(told)
    if not isfinite(at_s):
        raise ValueError(f"{told} is no moment")
    return at_s


def _transcript(told: dict[str, Any]) -> Transcript:
    same = ("job_id", "version", "name", "media_sha256", "language", "language_probability", "model")
    return Transcript(
        **{name: told[name] for name in (*same, "fingerprint", "engine")},
        duration_s=_moment(told["duration"]),
        speech_s=_moment(told["speech"]),
        options=_options(told["settings"]),
        segments=tuple(map(_segment_of, told["segments"])),
        findings=tuple(
            Finding(kind=one["kind"], start_s=_moment(one["start"]), end_s=_moment(one["end"]), detail=one["detail"])
            for one in told["findings"]
        ),
        given_up=tuple(told["given_up"]),
        other_languages=tuple(LanguageGuess(**one) for one in told["other_languages"]),
    )


def _options(told: dict[str, Any]) -> Options:
    """Return the settings that this version knows."""
    known = {field.name: told[field.name] for field in fields(Options) if field.name in told}
    cues = {field.name: told["cues"][field.name] for field in fields(CueLimits) if field.name in told["cues"]}
    formats = tuple(map(ExportFormat, told.get("formats", ())))
    return Options(**known | {"cues": CueLimits(**cues), "formats": formats})


def _segment_of(told: dict[str, Any]) -> Segment:
    return Segment(
        start_s=_moment(told["start"]),
        end_s=_moment(told["end"]),
        text=str(told["text"]),
        speaker=told["speaker"],
        language=told.get("language"),
        words=tuple(
            Word(
                start_s=_moment(one["start"]),
                end_s=_moment(one["end"]),
                text=str(one["word"]),
                probability=one["probability"],
            )
            for one in told.get("words", ())
        ),
        avg_logprob=told["avg_logprob"],
        compression_ratio=told["compression_ratio"],
        no_speech_prob=told["no_speech_prob"],
        temperature=told["temperature"],
    )
