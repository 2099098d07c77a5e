"""Words on their clock: from a window's to the span's, held to the detected speech, in order, as sentences. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from storage.records import Segment, Stretch, Word
from tasks.doubt import (
    LONGEST_WORD_S,
    SQUEEZED_S,
    SQUEEZED_WORDS,
    UNHEARD_S,
    WindowText,
    compression_ratio,
    longest_s_of,
)
from tasks.windows import Window

SENTENCE_ENDS = (".", "?", "!", "…", "。", "？", "！", "؟", "।")
SEGMENT_GAP_S = 0.8
ECHO_SHARE = 0.6  # so many words of an echo are those before it
EARLY_S, LATE_S = 0.1, 0.2  # how far a word may reach out of the detected speech


def segments_of(heard: WindowText) -> Iterator[Segment]:
    """Yield what was heard in a window as sentences."""
    for sentence in sentences(without_echoes(heard).words):
        yield Segment(
            start_s=sentence[0].start_s,
            end_s=sentence[-1].end_s,
            text="".join(word.text for word in sentence).strip(),
            words=tuple(sentence),
            avg_logprob=round(heard.avg_logprob, 4),
            compression_ratio=round(heard.compression_ratio, 3),
            no_speech_prob=round(heard.no_speech_prob, 4),
            temperature=heard.temperature,
            language=heard.language,
        )


def without_echoes(heard: WindowText) -> WindowText:
    """Return the hearing without words that say again what was just said, all in one moment; itself if there are none.

    A decoder that meets a phrase for the second time may go on from the first; timed afterwards, what it says again has
    no sound left.
    """
    kept, first = _parted(heard.words)
    if first is None:
        return heard
    without = with_words(heard, kept)
    return replace(without, compression_ratio=compression_ratio(without.text))


def with_words(heard: WindowText, words: Sequence[Word]) -> WindowText:
    """Return the hearing with other words, and their text."""
    return replace(heard, text="".join(word.text for word in words).strip(), words=tuple(words))


def loop_from(heard: WindowText, speech: Sequence[Stretch]) -> float | None:
    """Return when the first echo begins, or what it echoes where no speech is left behind that; None without echoes."""
    _, first = _parted(heard.words)
    if first is None:
        return None
    left_s = sum(max(0.0, stretch.end_s - max(stretch.start_s, first.echo.start_s)) for stretch in speech)
    return first.echo.start_s if left_s > UNHEARD_S else first.echoed.start_s


@dataclass(frozen=True, slots=True, kw_only=True)
class _Echo:
    """The first words of an echo and of what it echoes."""

    echo: Word
    echoed: Word


def _parted(words: Sequence[Word]) -> tuple[list[Word], _Echo | None]:
    """Return the words without echoes, and the first of these."""
    kept: list[Word] = []
    at, first = 0, None
    while at < len(words):
        length = _echo_at(kept, words[at:])
        if length:
            first = first or _Echo(echo=words[at], echoed=kept[-length])
        else:
            kept.append(words[at])
        at += length or 1
    return kept, first


def _echo_at(before: Sequence[Word], words: Sequence[Word]) -> int:
    """Return how many words from the first on are an echo of what is before them."""
    at_once = sum(1 for word in takewhile(lambda word: word.start_s - words[0].start_s < SQUEEZED_S, words))
    for length in range(min(at_once, len(before)), SQUEEZED_WORDS - 1, -1):
        pairs = zip(before[-length:], words[:length], strict=True)
        if sum(bare(one) == bare(other) for one, other in pairs) >= ECHO_SHARE * length:
            return length
    return 0


def bare(word: Word) -> str:
    """Return the word as it is compared: lower case, without punctuation."""
    return re.sub(r"\W+", "", word.text.lower())


def place(word: Word, window: Window) -> Word:
    """Return the word on the span's clock; both its ends lie in the piece that holds its middle."""
    piece = window.piece_at((word.start_s + word.end_s) / 2)
    start_s, end_s = window.to_span_s(word.start_s, piece), window.to_span_s(word.end_s, piece)
    return replace(word, start_s=round(start_s, 3), end_s=round(max(start_s, end_s), 3))


def held_to(word: Word, speech: Sequence[Stretch]) -> Word:
    """Return the word without the silence that its time reaches into."""
    touched = [stretch for stretch in speech if stretch.start_s < word.end_s and stretch.end_s > word.start_s]
    if not touched:
        return word
    start_s = max(word.start_s, touched[0].start_s - EARLY_S)
    return replace(word, start_s=round(start_s, 3), end_s=round(min(word.end_s, touched[-1].end_s + LATE_S), 3))


def no_longer_than_said(words: Sequence[Word]) -> Iterator[Word]:
    """Yield a window's words without the sound before them that has no text, which they seem to last for.

    The last one may have it behind itself.
    """
    for index, word in enumerate(words):
        longest_s = longest_s_of(word)
        if word.end_s - word.start_s <= max(longest_s, LONGEST_WORD_S):
            yield word
        elif index < len(words) - 1:
            yield replace(word, start_s=round(word.end_s - longest_s, 3))
        else:
            yield replace(word, end_s=round(word.start_s + longest_s, 3))


def sentences(words: Sequence[Word]) -> Iterator[list[Word]]:
    """Yield runs of words that end at a full stop or at a pause."""
    held: list[Word] = []
    for word in words:
        if held and (held[-1].text.rstrip().endswith(SENTENCE_ENDS) or word.start_s - held[-1].end_s > SEGMENT_GAP_S):
            yield held
            held = []
        held.append(word)
    if held:
        yield held


def in_order(segments: Sequence[Segment]) -> Iterator[Segment]:
    """Yield the segments with words that start no earlier than the one before, and end no earlier than they start."""
    latest_s = 0.0
    for segment in segments:
        words: list[Word] = []
        for word in segment.words:
            start_s = max(word.start_s, latest_s)
            words.append(replace(word, start_s=start_s, end_s=max(word.end_s, start_s)))
            latest_s = words[-1].end_s
        yield replace(segment, start_s=words[0].start_s, end_s=words[-1].end_s, words=tuple(words))
