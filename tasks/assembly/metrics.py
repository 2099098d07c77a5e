"""How far a transcript can be trusted, in a few numbers: from its words, and from what the quality gate found. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from storage.records import Finding, Transcript
from tasks.breaks import width
from tasks.doubt import NO_SPEECH, NO_TEXT
from tasks.gate import DAMAGED, NOTHING_SAID, UNSURE_WORD

OF_THE_WHOLE = {DAMAGED, NOTHING_SAID}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Shares are 0 to 1; None where there is nothing to take them of."""

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
    """Return the numbers of a transcript; `to_review_s` is how much of the recording its findings lie on."""
    sure = [word.probability for segment in transcript.segments for word in segment.words]
    unheard_s = _length_s(one for one in transcript.findings if one.kind == NO_TEXT)
    speech_s = transcript.speech_s
    return Quality(
        words=len(sure),
        word_probability=round(sum(sure) / len(sure), 4) if sure else None,
        unsure_words=round(sum(one < UNSURE_WORD for one in sure) / len(sure), 4) if sure else None,
        speech_with_text=round(max(0.0, 1 - unheard_s / speech_s), 4) if speech_s else None,
        speech_without_text_s=round(unheard_s, 3),
        text_without_speech_s=round(_length_s(one for one in transcript.findings if one.kind == NO_SPEECH), 3),
        highest_compression_ratio=max((one.compression_ratio for one in transcript.segments), default=0.0),
        chars_per_second=round(width(transcript.text) / speech_s, 2) if speech_s else None,
        to_review_s=round(_length_s(one for one in transcript.findings if one.kind not in OF_THE_WHOLE), 3),
    )


def _length_s(found: Iterable[Finding]) -> float:
    """Return how long findings are together, what several of them lie on counted once."""
    total_s = end_s = 0.0
    for one in sorted(found, key=lambda each: each.start_s):
        total_s += max(0.0, one.end_s - max(end_s, one.start_s))
        end_s = max(end_s, one.end_s)
    return total_s
