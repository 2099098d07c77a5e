"""Find reasons to doubt a window's text, and choose the better of two. Pure.

The thresholds are Whisper's own where it has them. The rest covers what its users report: loops, invented text and
dropped sentences.
"""

import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from storage.domain.records import Stretch, Word
from tasks.audio.windows import Window

REPETITION = "repetition"
LOW_CONFIDENCE = "low confidence"
NO_SPEECH = "text with no speech"
NO_TEXT = "speech with no text"
TOO_FAST = "too fast"

COMPRESSION_LIMIT = 2.4
LOGPROB_LIMIT = -1.0
NO_SPEECH_LIMIT = 0.6
FASTEST_CHARS_PER_S = 35.0
UNTRANSCRIBED_S = 1.5  # speech without a word for longer than this was dropped
LONGEST_WORD_S = 1.2  # a longer word hides dropped speech
WORD_S, LETTER_S, DIGIT_S = 0.4, 0.06, 0.35  # the longest that a word can take: "1984" is four syllables or more
SQUEEZED_WORDS, SQUEEZED_S = 4, 0.15  # this many words in this little time were not spoken: a loop, timed afterwards
LOOP_TIMES = 4
LOOP_TIMES_ONE_WORD = 6  # "no, no, no" occurs in speech
LOOP_LONGEST = 8  # words
LOOP_IN_WORD = re.compile(r"(?=\S*[^\W\d_])(\S{1,12}?)\1{6,}")  # "t-t-t-t-t-t-t", but not 1000000000
WEIGHTS = {REPETITION: 4.0, NO_SPEECH: 3.0, NO_TEXT: 3.0, TOO_FAST: 2.0, LOW_CONFIDENCE: 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowText:
    """One decoding of one window; word times are seconds from the span's start.

    `ended` tells that the model ended the text, not the limit of tokens.
    """

    text: str
    words: tuple[Word, ...]
    tokens: int
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float
    temperature: float
    language: str = "en"
    ended: bool = True


def doubts(decoded: WindowText, window: Window, speech: Sequence[Stretch]) -> tuple[str, ...]:
    """Return the reasons to doubt a text, given the speech detected in its window."""
    speech_s = sum(stretch.end_s - stretch.start_s for stretch in speech)
    reasons = []
    if decoded.compression_ratio > COMPRESSION_LIMIT or loops([word.text for word in decoded.words]):
        reasons.append(REPETITION)
    if decoded.text and decoded.no_speech_prob > NO_SPEECH_LIMIT and decoded.avg_logprob < LOGPROB_LIMIT:
        reasons.append(NO_SPEECH)
    elif decoded.text and decoded.avg_logprob < LOGPROB_LIMIT:
        reasons.append(LOW_CONFIDENCE)
    if any(speech_without_words(decoded.words, window, speech)):
        reasons.append(NO_TEXT)
    if len(decoded.text) > FASTEST_CHARS_PER_S * max(speech_s, 0.5) or squeezed(decoded.words):
        reasons.append(TOO_FAST)
    return tuple(reasons)


Candidate = tuple[WindowText, tuple[str, ...]]
"""A decoded text of a window, with the reasons to doubt it."""


def weight(reasons: Sequence[str]) -> float:
    """Return the total weight of the doubts."""
    return sum(WEIGHTS[doubt] for doubt in reasons)


def better(first: Candidate, second: Candidate) -> Candidate:
    """Return the candidate with lighter doubts, then the more confident, then the first."""

    def badness(candidate: Candidate) -> tuple[float, float]:
        return weight(candidate[1]), -candidate[0].avg_logprob

    return second if badness(second) < badness(first) else first


def together(parts: Sequence[WindowText]) -> WindowText:
    """Return the parts of one window as one text."""
    text = " ".join(part.text for part in parts if part.text)
    tokens = sum(part.tokens for part in parts)
    return WindowText(
        text=text,
        words=tuple(word for part in parts for word in part.words),
        tokens=tokens,
        avg_logprob=sum(part.avg_logprob * part.tokens for part in parts) / max(1, tokens),
        no_speech_prob=max((part.no_speech_prob for part in parts), default=0.0),
        compression_ratio=compression_ratio(text),
        temperature=max((part.temperature for part in parts), default=0.0),
        ended=all(part.ended for part in parts),
    )


def compression_ratio(text: str) -> float:
    """Return the zlib compression ratio of a text, as Whisper measures loops."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0


def loops(words: Sequence[str]) -> bool:
    """Return whether up to eight words repeat four times in succession (one word: six)."""
    if any(LOOP_IN_WORD.search(word) for word in words):
        return True
    spoken = [re.sub(r"\W+", "", word.lower()) for word in words]
    for length in range(1, LOOP_LONGEST + 1):
        repeated = 0
        for index in range(length, len(spoken)):
            repeated = repeated + 1 if spoken[index] == spoken[index - length] else 0
            if repeated >= length * ((LOOP_TIMES if length > 1 else LOOP_TIMES_ONE_WORD) - 1):
                return True
    return False


def squeezed(words: Sequence[Word]) -> Stretch | None:
    """Return the first place where several words start at almost the same time."""
    for first, last in zip(words, words[SQUEEZED_WORDS - 1 :], strict=False):
        if last.start_s - first.start_s < SQUEEZED_S:
            return Stretch(start_s=first.start_s, end_s=last.end_s)
    return None


def longest_s_of(word: Word) -> float:
    """Return the longest time in which the word can be spoken."""
    text = word.text.strip()
    return min(LONGEST_WORD_S, WORD_S + LETTER_S * len(text)) + DIGIT_S * sum(map(str.isdigit, text))


def speech_without_words(
    words: Sequence[Word], within: Stretch | Window, speech: Sequence[Stretch]
) -> Iterator[Stretch]:
    """Yield long stretches of speech without a word."""
    spans = sorted((word.start_s, min(word.end_s, word.start_s + longest_s_of(word))) for word in words)
    edges = [(within.start_s, within.start_s), *spans, (within.end_s, within.end_s)]
    for (_, gap_start), (gap_end, _) in pairwise(edges):
        inside_s = (min(gap_end, stretch.end_s) - max(gap_start, stretch.start_s) for stretch in speech)
        if sum(part for part in inside_s if part > 0) > UNTRANSCRIBED_S:
            yield Stretch(start_s=gap_start, end_s=gap_end)
