"""Words on their clock: from a window's to the span's, held to the detected speech, in order, as sentences. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from storage.records import Segment, Stretch, Word
from tasks.doubt import WindowText
from tasks.windows import Window

SENTENCE_ENDS = (".", "?", "!", "…", "。", "？", "！", "؟", "।")
SEGMENT_GAP_S = 0.8
EARLY_S, LATE_S = 0.1, 0.2  # how far a word may reach out of the detected speech


def segments_of(heard: WindowText) -> Iterator[Segment]:
    """Yield what was heard in a window as sentences."""
    for sentence in sentences(heard.words):
        yield Segment(
            start_s=sentence[0].start_s,
            end_s=sentence[-1].end_s,
            text="".join(word.text for word in sentence).strip(),
            words=tuple(sentence),
            avg_logprob=round(heard.avg_logprob, 4),
            compression_ratio=round(heard.compression_ratio, 3),
            no_speech_prob=round(heard.no_speech_prob, 4),
            temperature=heard.temperature,
        )


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
