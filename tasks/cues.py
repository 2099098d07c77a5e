"""Subtitles from word times: what is shown when, how long, and on which lines.

The limits are those of the usual style guides (https://partnerhelp.netflixstudios.com, "Timed Text Style Guide"): 42
characters a line, two lines, 5/6 to 7 s, 20 characters a second. Every word is in exactly one cue. Where the limits
contradict one another, width and order hold, and time gives way: fast speech is shown faster than it can be read.
"""

import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from storage.records import CueLimits, Segment, Word

PAUSE_S = 1.0  # a cue never reaches over a longer one
SENTENCE_ENDS = (".", "?", "!", "…", "。", "？", "！", "؟", "।")
CLAUSE_ENDS = (",", ";", ":", "–", "—", "、", "，", "；", "：", "،", ")", "]")
CONJUNCTIONS = {
    *("and", "but", "or", "nor", "so", "yet", "because", "that", "which", "who", "when", "where", "while", "if", "as"),
    *("und", "aber", "oder", "dass", "weil", "wenn", "y", "o", "pero", "que", "porque", "et", "ou", "mais", "car"),
}
NEVER = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """One subtitle; times are seconds on the recording's clock, `text` has its line breaks."""

    start_s: float
    end_s: float
    text: str
    words: tuple[Word, ...]
    speaker: str | None = None


def cues(segments: Sequence[Segment], limits: CueLimits) -> list[Cue]:
    """Return the cues of a transcript, in order and without overlap."""
    found: list[Cue] = []
    for words, speaker in runs(segments):
        for group in grouped(words, limits):
            text = "\n".join(lines(group, limits))
            found.append(
                Cue(start_s=group[0].start_s, end_s=group[-1].end_s, text=text, words=tuple(group), speaker=speaker)
            )
    return timed(found, limits)


def words_of(segment: Segment) -> tuple[Word, ...]:
    """Return the segment's words; without any, its text is spread evenly over its time."""
    if segment.words or not segment.text.strip():
        return segment.words
    texts = [f" {part}" for part in segment.text.split()]
    share_s = (segment.end_s - segment.start_s) / sum(map(len, texts))
    found: list[Word] = []
    start_s = segment.start_s
    for text in texts:
        end_s = start_s + len(text) * share_s
        found.append(Word(start_s=start_s, end_s=end_s, text=text, probability=0.0))
        start_s = end_s
    return tuple(found)


def runs(segments: Sequence[Segment]) -> Iterator[tuple[list[Word], str | None]]:
    """Yield words that may share cues: one speaker, no long pause between them."""
    held: list[Word] = []
    speaker: str | None = None
    for segment in segments:
        for word in words_of(segment):
            if held and (segment.speaker != speaker or word.start_s - held[-1].end_s > PAUSE_S):
                yield held, speaker
                held = []
            speaker = segment.speaker
            held.append(word)
    if held:
        yield held, speaker


class Measured:
    """Words with their widths summed up, so that the width of any run of them is one subtraction."""

    def __init__(self, words: Sequence[Word]) -> None:
        self.words = words
        self._before = [0]
        self._lead = [bool(word.text[:1].isspace()) for word in words]
        for word in words:
            self._before.append(self._before[-1] + width(word.text))
        self.ends_sentence = [word.text.rstrip().endswith(SENTENCE_ENDS) for word in words]
        self.ends_clause = [word.text.rstrip().endswith(CLAUSE_ENDS) for word in words]
        self.conjunction = [bare(word) in CONJUNCTIONS for word in words]

    def width(self, start: int, end: int) -> int:
        """Return the columns of words `start` up to `end` on one line."""
        return self._before[end] - self._before[start] - self._lead[start]

    def line_end(self, start: int, end: int, max_width: int) -> int:
        """Return where a line that begins with word `start` is full; it takes one word at least."""
        room = self._before[start] + self._lead[start] + max_width
        return max(start + 1, min(end, bisect_right(self._before, room, start, end + 1) - 1))

    def lines_needed(self, start: int, end: int, max_width: int) -> int:
        count = 0
        while start < end:
            start = self.line_end(start, end, max_width)
            count += 1
        return count


def grouped(words: Sequence[Word], limits: CueLimits) -> list[Sequence[Word]]:
    """Return the words in cues, broken where it hurts least; the best over all breaks, by dynamic programming."""
    measured = Measured(words)
    best: list[tuple[float, int]] = [(0.0, 0)]  # cost of the first n words, and where their last cue begins
    for end in range(1, len(words) + 1):
        choice = (NEVER, end - 1)
        for start in range(end - 1, -1, -1):
            if end - start > 1 and not fits(measured, start, end, limits):
                break
            choice = min(choice, (best[start][0] + cost_of(measured, start, end, limits), start))
        best.append(choice)
    found: list[Sequence[Word]] = []
    end = len(words)
    while end:
        start = best[end][1]
        found.append(words[start:end])
        end = start
    return found[::-1]


def fits(measured: Measured, start: int, end: int, limits: CueLimits) -> bool:
    """Return whether the words fit the lines and the longest time of one cue."""
    words = measured.words
    if words[end - 1].end_s - words[start].start_s > limits.max_duration_s:
        return False
    return measured.lines_needed(start, end, limits.max_line_width) <= limits.max_line_count


def cost_of(measured: Measured, start: int, end: int, limits: CueLimits) -> float:
    """Return how bad a cue of these words is: where it breaks off, how short it is, how fast it must be read."""
    words = measured.words
    last = end == len(words)
    next_s = words[end - 1].end_s + limits.min_duration_s if last else words[end].start_s
    shown_s = next_s - words[start].start_s
    shortest_s = limits.min_duration_s + limits.min_gap_s
    cost = 1.0 if last else 1.0 + cost_of_break(measured, end)
    cost += 1.05 * sum(measured.ends_sentence[start : end - 1])
    cost += 2.0 * max(0.0, 1 - shown_s / shortest_s) if shortest_s else 0.0
    return cost + 0.02 * max(0.0, measured.width(start, end) - limits.max_chars_per_s * max(shown_s, 0.1))


def cost_of_break(measured: Measured, at: int) -> float:
    """Return how bad it is to break before word `at`: little after a full stop or in a pause."""
    words = measured.words
    pause = min(max(0.0, words[at].start_s - words[at - 1].end_s), 0.5)
    if measured.ends_sentence[at - 1]:
        return -pause
    if measured.ends_clause[at - 1]:
        return 0.6 - pause
    return (1.2 if measured.conjunction[at] else 2.0) - pause


def lines(words: Sequence[Word], limits: CueLimits) -> list[str]:
    """Return a cue's lines: as few as hold it, evenly filled, broken after punctuation or before a conjunction."""
    measured = Measured(words)
    count = measured.lines_needed(0, len(words), limits.max_line_width)
    breaks = _line_breaks(measured, 0, count, limits.max_line_width)[1]
    return [text_of(words[start:end]) for start, end in pairwise((0, *breaks, len(words)))]


def _line_breaks(measured: Measured, start: int, count: int, max_width: int) -> tuple[float, tuple[int, ...]]:
    """Return the cheapest places to break words from `start` on into `count` lines, with their cost."""
    end = len(measured.words)
    if count == 1:
        wide = measured.width(start, end)
        return (NEVER if wide > max_width and end - start > 1 else wide**2 / max_width), ()
    full = measured.line_end(start, end, max_width)
    best: tuple[float, tuple[int, ...]] = (NEVER, (full,))
    for at in range(start + 1, min(full, end - count + 1) + 1):
        rest_cost, rest = _line_breaks(measured, at, count - 1, max_width)
        cost = rest_cost + measured.width(start, at) ** 2 / max_width
        if measured.ends_sentence[at - 1] or measured.ends_clause[at - 1]:
            cost -= max_width / 8
        elif measured.conjunction[at]:
            cost -= max_width / 12
        best = min(best, (cost, (at, *rest)))
    return best


def timed(found: Sequence[Cue], limits: CueLimits) -> list[Cue]:
    """Return the cues with ends that give time to read, before the next one begins."""
    result: list[Cue] = []
    for index, cue in enumerate(found):
        following_s = found[index + 1].start_s if index + 1 < len(found) else NEVER
        wished_s = max(limits.min_duration_s, width(cue.text) / limits.max_chars_per_s)
        end_s = max(cue.end_s, cue.start_s + wished_s)
        end_s = min(end_s, cue.start_s + limits.max_duration_s, following_s - limits.min_gap_s)
        if end_s < cue.end_s:  # no room for the gap: at least no overlap
            end_s = min(cue.end_s, following_s, cue.start_s + limits.max_duration_s)
        result.append(replace(cue, end_s=round(max(end_s, cue.start_s), 3)))
    return result


def text_of(words: Sequence[Word]) -> str:
    """Return the words as they are read, on one line."""
    return " ".join("".join(word.text for word in words).split())


def width(text: str) -> int:
    """Return how many columns a text takes; East Asian wide characters take two, combining marks none."""
    return sum(_columns(character) for character in text if character != "\n")


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def bare(word: Word) -> str:
    return word.text.strip().lower().strip("\"'“”‘’.,;:!?…")
