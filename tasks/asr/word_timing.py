"""Word times: placed on the span's clock, bounded by speech, ordered, in sentences. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from storage.domain.records import Segment, Stretch, Word
from tasks.asr.confidence import (
    LONGEST_WORD_S,
    SQUEEZED_S,
    SQUEEZED_WORDS,
    UNTRANSCRIBED_S,
    WindowText,
    compression_ratio,
    longest_s_of,
)
from tasks.audio.windows import Window
from tasks.text.punctuation import ends_sentence

SEGMENT_GAP_S = 0.8
ECHO_SHARE = 0.6  # this fraction of an echo's words repeats the ones before it
EARLY_S, LATE_S = 0.1, 0.2  # how far a word may extend outside the detected speech
SAME_WORD_S = 0.5  # two results time the same word no further apart than this


def segments_of(decoded: WindowText) -> Iterator[Segment]:
    """Yield a window's text as sentences."""
    for sentence in sentences(without_echoes(decoded).words, decoded.language):
        yield Segment(
            start_s=sentence[0].start_s,
            end_s=sentence[-1].end_s,
            text="".join(word.text for word in sentence).strip(),
            words=tuple(sentence),
            avg_logprob=round(decoded.avg_logprob, 4),
            compression_ratio=round(decoded.compression_ratio, 3),
            no_speech_prob=round(decoded.no_speech_prob, 4),
            temperature=decoded.temperature,
            language=decoded.language,
        )


def without_echoes(decoded: WindowText) -> WindowText:
    """Return the text without echoes; the same object if it has none.

    An echo repeats the preceding words within a moment. A decoder that meets a phrase for the second time may continue
    from the first; when the words are timed, no audio is left for the repetition.
    """
    remaining, first = _parted(decoded.words)
    if first is None:
        return decoded
    shorter = with_words(decoded, remaining)
    return replace(shorter, compression_ratio=compression_ratio(shorter.text))


def with_words(decoded: WindowText, words: Sequence[Word]) -> WindowText:
    """Return the decoded window with other words and their text."""
    return replace(decoded, text="".join(word.text for word in words).strip(), words=tuple(words))


def loop_from(decoded: WindowText, speech: Sequence[Stretch]) -> float | None:
    """Return when a loop begins, or None without echoes.

    That is the start of the first echo, or of what it repeats if no speech is left after it.
    """
    _, first = _parted(decoded.words)
    if first is None:
        return None
    remaining_s = sum(max(0.0, stretch.end_s - max(stretch.start_s, first.echo.start_s)) for stretch in speech)
    return first.echo.start_s if remaining_s > UNTRANSCRIBED_S else first.echoed.start_s


@dataclass(frozen=True, slots=True, kw_only=True)
class _Echo:
    """The first word of an echo and the first word that it repeats."""

    echo: Word
    echoed: Word


def _parted(words: Sequence[Word]) -> tuple[list[Word], _Echo | None]:
    """Return the words without echoes, and the first echo."""
    remaining: list[Word] = []
    at, first = 0, None
    while at < len(words):
        length = _echo_at(remaining, words[at:])
        if length:
            first = first or _Echo(echo=words[at], echoed=remaining[-length])
        else:
            remaining.append(words[at])
        at += length or 1
    return remaining, first


def _echo_at(before: Sequence[Word], words: Sequence[Word]) -> int:
    """Return how many words, from the first, echo the ones before them."""
    simultaneous = sum(1 for word in takewhile(lambda word: word.start_s - words[0].start_s < SQUEEZED_S, words))
    for length in range(min(simultaneous, len(before)), SQUEEZED_WORDS - 1, -1):
        pairs = zip(before[-length:], words[:length], strict=True)
        if sum(bare(one) == bare(other) for one, other in pairs) >= ECHO_SHARE * length:
            return length
    return 0


def bare(word: Word) -> str:
    """Return the word for comparison: lower case, without punctuation."""
    return re.sub(r"\W+", "", word.text.lower())


def place(word: Word, window: Window) -> Word:
    """Return the word on the span's clock, inside the piece that holds its middle."""
    piece = window.piece_at((word.start_s + word.end_s) / 2)
    start_s, end_s = window.to_span_s(word.start_s, piece), window.to_span_s(word.end_s, piece)
    return replace(word, start_s=round(start_s, 3), end_s=round(max(start_s, end_s), 3))


def held_to(word: Word, speech: Sequence[Stretch]) -> Word:
    """Return the word without the silence at its ends."""
    overlapping = [stretch for stretch in speech if stretch.start_s < word.end_s and stretch.end_s > word.start_s]
    if not overlapping:
        return word
    start_s = max(word.start_s, overlapping[0].start_s - EARLY_S)
    return replace(word, start_s=round(start_s, 3), end_s=round(min(word.end_s, overlapping[-1].end_s + LATE_S), 3))


def no_longer_than_said(words: Sequence[Word]) -> Iterator[Word]:
    """Yield a window's words, shortened to the time that they can be spoken in.

    A word that lasts too long covers speech without text before it, or, for the last word, after it.
    """
    for index, word in enumerate(words):
        longest_s = longest_s_of(word)
        if word.end_s - word.start_s <= max(longest_s, LONGEST_WORD_S):
            yield word
        elif index < len(words) - 1:
            yield replace(word, start_s=round(word.end_s - longest_s, 3))
        else:
            yield replace(word, end_s=round(word.start_s + longest_s, 3))


def sentences(words: Sequence[Word], language: str | None = None) -> Iterator[list[Word]]:
    """Yield runs of words that end at a full stop or a pause."""
    sentence: list[Word] = []
    for word in words:
        if sentence and (
            ends_sentence(sentence[-1].text, language) or word.start_s - sentence[-1].end_s > SEGMENT_GAP_S
        ):
            yield sentence
            sentence = []
        sentence.append(word)
    if sentence:
        yield sentence


def in_order(segments: Sequence[Segment]) -> Iterator[Segment]:
    """Yield the segments with word times that never go backwards."""
    latest_s = 0.0
    for segment in segments:
        words: list[Word] = []
        for word in segment.words:
            start_s = max(word.start_s, latest_s)
            words.append(replace(word, start_s=start_s, end_s=max(word.end_s, start_s)))
            latest_s = words[-1].end_s
        yield replace(segment, start_s=words[0].start_s, end_s=words[-1].end_s, words=tuple(words))
