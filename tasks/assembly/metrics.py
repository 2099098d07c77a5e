"""Measure how reliable a transcript is, from its words and findings. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from storage.domain.records import NOT_TIMED, Finding, Transcript
from tasks.asr.confidence import NO_SPEECH, NO_TEXT
from tasks.assembly.review_findings import DAMAGED, DOUBTED, MAYBE_SPEECH, NOTHING_SAID, UNSURE_WORD
from tasks.text.line_breaking import width

OF_THE_WHOLE = {DAMAGED, NOTHING_SAID, DOUBTED, NOT_TIMED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Quality figures of a transcript; shares are 0 to 1, or None without a basis."""

    words: int
    word_probability: float | None
    unsure_words: float | None
    speech_with_text: float | None
    speech_without_text_s: float
    text_without_speech_s: float
    highest_compression_ratio: float
    chars_per_second: float | None
    to_review_s: float


def quality(transcript: Transcript) -> Quality:
    """Return the quality figures; `to_review_s` is how much audio the findings cover."""
    probabilities = [word.probability for segment in transcript.segments for word in segment.words]
    untranscribed_s = _length_s(one for one in transcript.findings if one.kind in {NO_TEXT, MAYBE_SPEECH})
    speech_s = transcript.speech_s
    return Quality(
        words=len(probabilities),
        word_probability=round(sum(probabilities) / len(probabilities), 4) if probabilities else None,
        unsure_words=round(sum(one < UNSURE_WORD for one in probabilities) / len(probabilities), 4)
        if probabilities
        else None,
        speech_with_text=round(max(0.0, 1 - untranscribed_s / speech_s), 4) if speech_s else None,
        speech_without_text_s=round(untranscribed_s, 3),
        text_without_speech_s=round(_length_s(one for one in transcript.findings if one.kind == NO_SPEECH), 3),
        highest_compression_ratio=max((one.compression_ratio for one in transcript.segments), default=0.0),
        chars_per_second=round(width(transcript.text) / speech_s, 2) if speech_s else None,
        to_review_s=round(_length_s(one for one in transcript.findings if one.kind not in OF_THE_WHOLE), 3),
    )


def _length_s(findings: Iterable[Finding]) -> float:
    """Return the combined length of findings; overlaps count once."""
    total_s = end_s = 0.0
    for finding in sorted(findings, key=lambda each: each.start_s):
        total_s += max(0.0, finding.end_s - max(end_s, finding.start_s))
        end_s = max(end_s, finding.end_s)
    return total_s
