"""Which hearings of a window are doubtful, and which of two is the better one. Pure; the thresholds are Whisper's own
where it has them, and the rest is what its users complain of: loops, invented text, dropped sentences.
"""

import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from storage.records import Stretch, Word
from tasks.windows import Window

REPETITION = "repetition"
LOW_CONFIDENCE = "low confidence"
NO_SPEECH = "text with no speech"
NO_TEXT = "speech with no text"
TOO_FAST = "too fast"

COMPRESSION_LIMIT = 2.4
LOGPROB_LIMIT = -1.0
NO_SPEECH_LIMIT = 0.6
FASTEST_CHARS_PER_S = 35.0
UNHEARD_S = 1.5  # speech without a word for longer than this was dropped
LONGEST_WORD_S = 1.2  # one that seems to last longer hides what was dropped
WORD_S, LETTER_S, DIGIT_S = 0.4, 0.06, 0.35  # what a word takes at most: "1984" is four syllables and more
SQUEEZED_WORDS, SQUEEZED_S = 4, 0.15  # so many words in so little time were said by nobody: a loop, timed afterwards
LOOP_TIMES = 4
LOOP_TIMES_ONE_WORD = 6  # "no, no, no" is said
LOOP_LONGEST = 8  # words
LOOP_IN_WORD = re.compile(r"(?=\S*[^\W\d_])(\S{1,12}?)\1{6,}")  # "t-t-t-t-t-t-t", but not 1000000000
WEIGHTS = {REPETITION: 4.0, NO_SPEECH: 3.0, NO_TEXT: 3.0, TOO_FAST: 2.0, LOW_CONFIDENCE: 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowText:
    """What one decoding of one window gave; word times are seconds from the span's start."""

    text: str
    words: tuple[Word, ...]
    tokens: int
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float
    temperature: float
    language: str = "en"


def doubts(heard: WindowText, window: Window, speech: Sequence[Stretch]) -> tuple[str, ...]:
    """Return why this hearing is doubtful, or nothing; `speech` is what was detected inside the window."""
    speech_s = sum(stretch.end_s - stretch.start_s for stretch in speech)
    found = []
    if heard.compression_ratio > COMPRESSION_LIMIT or loops([word.text for word in heard.words]):
        found.append(REPETITION)
    if heard.text and heard.no_speech_prob > NO_SPEECH_LIMIT and heard.avg_logprob < LOGPROB_LIMIT:
        found.append(NO_SPEECH)
    elif heard.text and heard.avg_logprob < LOGPROB_LIMIT:
        found.append(LOW_CONFIDENCE)
    if any(unheard(heard.words, window, speech)):
        found.append(NO_TEXT)
    if len(heard.text) > FASTEST_CHARS_PER_S * max(speech_s, 0.5) or squeezed(heard.words):
        found.append(TOO_FAST)
    return tuple(found)


Hearing = tuple[WindowText, tuple[str, ...]]
"""A hearing of a window, and what is doubtful about it."""


def weight(why: Sequence[str]) -> float:
    """Return how heavy the doubts are."""
    return sum(WEIGHTS[doubt] for doubt in why)


def better(first: Hearing, second: Hearing) -> Hearing:
    """Return the hearing with the lighter doubts; with equal ones, the more confident, and the first if alike."""

    def badness(hearing: Hearing) -> tuple[float, float]:
        return weight(hearing[1]), -hearing[0].avg_logprob

    return second if badness(second) < badness(first) else first


def together(parts: Sequence[WindowText]) -> WindowText:
    """Return the parts of one window as one hearing."""
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
    )


def compression_ratio(text: str) -> float:
    """Return how far zlib shrinks the text, as Whisper measures loops."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0


def loops(words: Sequence[str]) -> bool:
    """Return whether a run of up to eight words comes four times and more (one word: six) in direct succession."""
    if any(LOOP_IN_WORD.search(word) for word in words):
        return True
    spoken = [re.sub(r"\W+", "", word.lower()) for word in words]
    for length in range(1, LOOP_LONGEST + 1):
        same = 0
        for index in range(length, len(spoken)):
            same = same + 1 if spoken[index] == spoken[index - length] else 0
            if same >= length * ((LOOP_TIMES if length > 1 else LOOP_TIMES_ONE_WORD) - 1):
                return True
    return False


def squeezed(words: Sequence[Word]) -> Stretch | None:
    """Return where several words begin at almost the same time, the first such place."""
    for first, last in zip(words, words[SQUEEZED_WORDS - 1 :], strict=False):
        if last.start_s - first.start_s < SQUEEZED_S:
            return Stretch(start_s=first.start_s, end_s=last.end_s)
    return None


def longest_s_of(word: Word) -> float:
    """Return for how long the word can have been said."""
    text = word.text.strip()
    return min(LONGEST_WORD_S, WORD_S + LETTER_S * len(text)) + DIGIT_S * sum(map(str.isdigit, text))


def unheard(words: Sequence[Word], within: Stretch | Window, speech: Sequence[Stretch]) -> Iterator[Stretch]:
    """Yield where somebody speaks for long and no word is."""
    spans = sorted((word.start_s, min(word.end_s, word.start_s + longest_s_of(word))) for word in words)
    edges = [(within.start_s, within.start_s), *spans, (within.end_s, within.end_s)]
    for (_, gap_start), (gap_end, _) in pairwise(edges):
        inside_s = (min(gap_end, stretch.end_s) - max(gap_start, stretch.start_s) for stretch in speech)
        if sum(part for part in inside_s if part > 0) > UNHEARD_S:
            yield Stretch(start_s=gap_start, end_s=gap_end)
