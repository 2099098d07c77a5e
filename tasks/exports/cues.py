"""Make subtitle cues from word times: their timing, length and lines.

The limits are those of common style guides (https://partnerhelp.netflixstudios.com, "Timed Text Style Guide"): 42
characters per line, two lines, 5/6 to 7 s, 20 characters per second. Every word is in exactly one cue. Where the limits
contradict each other, lines, longest duration and order hold and the rest gives way: fast speech is shown faster than
it can be read.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from storage.domain.records import CueLimits, PinnedCue, Segment, Word
from storage.transcripts.pinned_cues import Pins
from tasks.text.direction import right_to_left
from tasks.text.line_breaking import fitted, never_between, spread, width, without_spaces
from tasks.text.punctuation import CLAUSE_ENDS, ends_sentence
from tasks.text.word_borders import cut_at_borders

__all__ = ["Cue", "cues", "text_of", "width", "words_of"]

PAUSE_S = 1.0  # a cue never spans a longer one
SHORTEST_S = 0.001  # a WebVTT cue must end after it starts
CONJUNCTIONS = {
    *("and", "but", "or", "nor", "so", "yet", "because", "that", "which", "who", "when", "where", "while", "if", "as"),
    *("und", "aber", "oder", "dass", "weil", "wenn", "y", "o", "pero", "que", "porque", "et", "ou", "mais", "car"),
}
DIALOGUE_DASH = re.compile(r"[-–—](?!\d)")
NEVER = float("inf")
UNREADABLE = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
"""Characters that end a text, or a whole file, in readers written in C; none is white space.

Surrogates and what Unicode says is no character are not valid UTF-8 to FFmpeg.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """One subtitle; times are seconds on the recording's clock.

    `language` is set if the recording has several.
    """

    start_s: float
    end_s: float
    lines: tuple[tuple[Word, ...], ...]
    speaker: str | None = None
    language: str | None = None
    pinned: bool = False  # a person set its times

    @property
    def words(self) -> tuple[Word, ...]:
        return tuple(word for line in self.lines for word in line)

    @property
    def right_to_left(self) -> bool:
        return right_to_left(self.text)

    @property
    def text(self) -> str:
        """The lines as text, separated by line feeds."""
        return "\n".join(map(text_of, self.lines))


def cues(
    segments: Sequence[Segment], limits: CueLimits, *, named: bool = False, pinned: Sequence[PinnedCue] = ()
) -> list[Cue]:
    """Return the cues of a transcript, in order and without overlap.

    Those that a person pinned keep their words and times; lines are broken in all of them.

    With `named`, the text itself names the speaker as `Name: ` at every change: for formats without voices.
    """
    result: list[Cue] = []
    last_speaker: str | None = None
    for heard, speaker, language, pin in runs(segments, pinned):
        words = cut_at_borders(heard)
        name = speaker if limits.speakers else None
        if named and name and name != last_speaker:
            words[0] = replace(words[0], text=f" {prefix(name)}{words[0].text.lstrip()}")
        last_speaker = name
        fitting = fitted(words, limits.max_line_width)
        for group in [fitting] if pin else grouped(fitting, limits):
            shown: PinnedCue | Word = pin or group[0]
            times = {"start_s": shown.start_s, "end_s": pin.end_s if pin else group[-1].end_s}
            broken = lines(group, limits)
            result.append(Cue(**times, lines=broken, speaker=name, language=language, pinned=pin is not None))
    return timed(result, limits)


def prefix(speaker: str) -> str:
    """Return the speaker prefix for text formats without voices."""
    return f"{' '.join(speaker.split())}: "


def words_of(segment: Segment) -> tuple[Word, ...]:
    """Return the segment's words; without any, its text is spread evenly over its time."""
    spoken_words = tuple(word for word in segment.words if word.text.strip())
    return spoken_words or tuple(spread(segment))


def _readable(segment: Segment) -> Segment:
    """Return the segment without unreadable characters."""
    if not any(map(UNREADABLE.search, (segment.text, *(word.text for word in segment.words)))):
        return segment
    words = tuple(replace(word, text=UNREADABLE.sub("", word.text)) for word in segment.words)
    return replace(segment, text=UNREADABLE.sub("", segment.text), words=words)


Run = tuple[list[Word], str | None, str | None, PinnedCue | None]


def runs(segments: Sequence[Segment], pinned: Sequence[PinnedCue] = ()) -> Iterator[Run]:
    """Yield words that may share cues, with speaker, language and pinned cue.

    A run has one speaker, also by the marks of its text, one language and no long pause, unless a person pinned it.
    White space is at the start of a word or nowhere.
    """
    run: list[Word] = []
    attributes: tuple[str | None, str | None, PinnedCue | None] = (None, None, None)
    pins = Pins(pinned)
    spaced = True
    for segment in segments:
        for place, word in enumerate(words_of(_readable(segment))):
            pin = pins.of(word.start_s, segment.speaker)
            changed = (segment.speaker, segment.language, pin) != attributes
            if run and (changed or (pin is None and _parted(run[-1], word))):
                yield run, *attributes
                run = []
            attributes = segment.speaker, segment.language, pin
            spaced = spaced or (place == 0 and not (run and without_spaces(run[-1].text, word.text)))
            text = (" " if spaced or word.text[0].isspace() else "") + " ".join(word.text.split())
            spaced = word.text[-1].isspace()
            run.append(word if word.text == text else replace(word, text=text))
    if run:
        yield run, *attributes


class Measured:
    """Words with cumulative widths, so that the width of any run is one subtraction."""

    def __init__(self, words: Sequence[Word]) -> None:
        self.words = words
        self.starts_s, self.ends_s = [word.start_s for word in words], [word.end_s for word in words]
        widths = [width(word.text) for word in words]
        self.widest = max(widths)
        self._lead = [word.text[:1] == " " for word in words]
        self._before = [0, *accumulate(widths)]
        texts = [word.text.strip() for word in words]
        self.ends_sentence = list(map(ends_sentence, texts))
        self.sentences = [0, *accumulate(self.ends_sentence)]
        self.ends_clause = [text.endswith(CLAUSE_ENDS) for text in texts]
        self.conjunction = [text.lower().strip("\"'“”‘’.,;:!?…") in CONJUNCTIONS for text in texts]
        self.glued = [False, *(never_between(one.text, other.text) for one, other in pairwise(words))]

    def width(self, start: int, end: int) -> int:
        """Return the columns of words `start` up to `end` on one line."""
        return self._before[end] - self._before[start] - self._lead[start]

    def line_end(self, start: int, end: int, max_width: int) -> int:
        """Return where a line from word `start` is full; it takes at least one word."""
        room = self._before[start] + self._lead[start] + max_width
        return max(start + 1, min(end, bisect_right(self._before, room, start, end + 1) - 1))

    def lines_needed(self, start: int, end: int, max_width: int) -> int:
        count = 0
        while start < end:
            start = self.line_end(start, end, max_width)
            count += 1
        return count


def grouped(words: Sequence[Word], limits: CueLimits) -> list[Sequence[Word]]:
    """Return the words grouped into cues at the cheapest breaks, by dynamic programming."""
    measured = Measured(words)
    best: list[tuple[float, int]] = [(0.0, 0)]  # cost of the first n words, and where their last cue starts
    for end in range(1, len(words) + 1):
        cheapest, begin = NEVER, end - 1
        breaking = cost_of_break(measured, end) if end < len(words) else 0.0
        for start in range(end - 1, -1, -1):
            if end - start > 1 and not fits(measured, start, end, limits):
                break
            cost = best[start][0] + breaking + cost_of(measured, start, end, limits)
            if cost < cheapest:
                cheapest, begin = cost, start
        best.append((cheapest, begin))
    groups: list[Sequence[Word]] = []
    end = len(words)
    while end:
        start = best[end][1]
        groups.append(words[start:end])
        end = start
    return groups[::-1]


def fits(measured: Measured, start: int, end: int, limits: CueLimits) -> bool:
    """Return whether the words fit the lines and the longest duration of one cue."""
    if measured.ends_s[end - 1] - measured.starts_s[start] > limits.max_duration_s:
        return False
    wide, room, count = measured.width(start, end), limits.max_line_width, limits.max_line_count
    if wide <= room or wide <= count * (room - measured.widest):  # what a line has left over is less than a word
        return True
    return wide < count * (room + 1) and measured.lines_needed(start, end, room) <= count


def cost_of(measured: Measured, start: int, end: int, limits: CueLimits) -> float:
    """Return the cost of a cue: sentences joined, too short, too fast to read."""
    starts_s = measured.starts_s
    next_s = starts_s[end] if end < len(starts_s) else measured.ends_s[-1] + limits.min_duration_s
    shown_s = max(0.0, next_s - starts_s[start])
    shortest_s = limits.min_duration_s + limits.min_gap_s
    cost = 1.0 + 1.05 * (measured.sentences[end - 1] - measured.sentences[start])
    if shown_s < shortest_s:
        cost += 2.0 * (1 - shown_s / shortest_s)
    unread = measured.width(start, end) - limits.max_chars_per_s * (shown_s if shown_s > 0.1 else 0.1)
    return cost + 0.02 * unread if unread > 0 else cost


def cost_of_break(measured: Measured, at: int) -> float:
    """Return the cost of a break before word `at`.

    It is low after a full stop or a pause, and high inside a word.
    """
    words = measured.words
    pause = min(max(0.0, words[at].start_s - words[at - 1].end_s), 0.5)
    if measured.glued[at]:
        return 10.0 - pause
    if measured.ends_sentence[at - 1]:
        return -pause
    if measured.ends_clause[at - 1]:
        return 0.6 - pause
    return (1.2 if measured.conjunction[at] else 2.0) - pause


def lines(words: Sequence[Word], limits: CueLimits) -> tuple[tuple[Word, ...], ...]:
    """Return a cue's lines: as few as possible, balanced, broken at punctuation or conjunctions."""
    measured, end, room = Measured(words), len(words), limits.max_line_width
    cheapest: dict[int, tuple[float, tuple[int, ...]]] = {  # cost and breaks of the words from here on, by lines left
        at: (measured.width(at, end) ** 2 / room, ()) for at in range(end) if measured.width(at, end) <= room
    }
    for _ in range(measured.lines_needed(0, end, room) - 1):
        below, cheapest = cheapest, {}
        for start in range(end):
            choices = [
                (below[at][0] + measured.width(start, at) ** 2 / room + _line_cost(measured, at, room), at)
                for at in range(start + 1, measured.line_end(start, end, room) + 1)
                if at in below
            ]
            if choices:
                cost, at = min(choices)
                cheapest[start] = cost, (at, *below[at][1])
    return tuple(tuple(words[start:stop]) for start, stop in pairwise((0, *cheapest[0][1], end)))


def _line_cost(measured: Measured, at: int, room: int) -> float:
    """Return the cost of starting a line with word `at`; negative is good."""
    if measured.glued[at]:
        return room / 2
    if measured.ends_sentence[at - 1] or measured.ends_clause[at - 1]:
        return -room / 8
    return -room / 12 if measured.conjunction[at] else 0.0


def timed(untimed: Sequence[Cue], limits: CueLimits) -> list[Cue]:
    """Return the cues with time to read each, ending before the next; whole milliseconds."""
    result: list[Cue] = []
    last_end_s = 0.0
    for index, cue in enumerate(untimed):
        start_s = round(max(cue.start_s, last_end_s), 3)
        if cue.pinned:
            last_end_s = round(max(cue.end_s, start_s + SHORTEST_S), 3)
            result.append(replace(cue, start_s=start_s, end_s=last_end_s))
            continue
        following = untimed[index + 1] if index + 1 < len(untimed) else None
        following_s = following.start_s if following else NEVER
        wished_s = max(limits.min_duration_s, width(cue.text) / limits.max_chars_per_s)
        latest_s = start_s + limits.max_duration_s
        end_s = min(max(cue.end_s, start_s + wished_s), latest_s, following_s - limits.min_gap_s)
        if end_s < cue.end_s:  # no room for the gap: at least no overlap
            end_s = min(cue.end_s, latest_s, following_s)
        shortest_s = SHORTEST_S
        if following and following.speaker != cue.speaker:  # both speak at once: one after the other, each readable
            shortest_s = max(SHORTEST_S, min(limits.min_duration_s, limits.max_duration_s, cue.end_s - cue.start_s))
        last_end_s = round(max(end_s, start_s + shortest_s), 3)
        result.append(replace(cue, start_s=start_s, end_s=last_end_s))
    return result


def text_of(words: Sequence[Word]) -> str:
    """Return the words as one line of text."""
    return " ".join("".join(word.text for word in words).split())


def _parted(before: Word, word: Word) -> bool:
    """Return whether a pause or another speaker is between two words."""
    return word.start_s - before.end_s > PAUSE_S or _new_speaker(before.text, word.text)


def _new_speaker(before: str, text: str) -> bool:
    """Return whether the text marks another speaker: `>>`, or a dash after a sentence."""
    start = text.lstrip()
    return start.startswith(">>") or bool(DIALOGUE_DASH.match(start) and ends_sentence(before))
