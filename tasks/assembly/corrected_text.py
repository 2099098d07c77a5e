"""Read a text that a person has corrected: its lines, their speakers, their words."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from storage.transcripts.word_alignment import TOKEN, key_of
from tasks.text.punctuation import CLAUSE_ENDS, SENTENCE_ENDS, ends_sentence

STOPS = "".join(mark for mark in (*SENTENCE_ENDS, *CLAUSE_ENDS) if mark > "\u0300")
NAME = rf"(?![{STOPS}])[\w\u0300-\u1fff.'’-]"
"""A character of a name; the range has the marks of all scripts, which are no word characters to `re`."""
LABEL = re.compile(rf"([^\W\d_](?:{NAME})*(?: (?:{NAME})+){{0,3}}) ?[:\uff1a][ \t]+(?=\S)")
MOST_LABEL_CHARS = 40
MOST_LINE_CHARS, LONG_LINE_CHARS = 1500, 400
"""A longer line than the first is parted at ends of sentences, into parts longer than the second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLine:
    """A line with words; each keeps the space before it. `speaker` is who its label names."""

    speaker: str | None
    tokens: tuple[str, ...]

    @property
    def text(self) -> str:
        return "".join(self.tokens)


def lines_of(text: str, *, speakers: Collection[str] = (), said: Collection[str] = ()) -> list[TextLine]:
    """Return the lines of the text that have words.

    `Name: ` at the start of a line names its speaker, if the name is one of `speakers`, stands before several lines,
    or is no word of `said`. A line without a label goes on with the speaker before.
    """
    lines = [" ".join(line.split()) for line in text.replace("\ufeff", "").splitlines()]
    labels = _labels([line for line in lines if line], speakers, said)
    return list(_read(lines, labels))


def _read(lines: Sequence[str], labels: Collection[str]) -> Iterator[TextLine]:
    speaker: str | None = None
    for line in lines:
        words = line
        if (match := _label(line)) and match[1] in labels:
            speaker, words = match[1], line[match.end() :]
        for tokens in _parts(TOKEN.findall(f" {words.strip()}")):
            yield TextLine(speaker=speaker, tokens=tokens)


def _parts(tokens: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield a line's words; a very long line in parts that end with sentences."""
    is_long = sum(map(len, tokens)) > MOST_LINE_CHARS
    part: list[str] = []
    for token in tokens:
        part.append(token)
        length = sum(map(len, part)) if is_long else 0
        if length > MOST_LINE_CHARS or (length > LONG_LINE_CHARS and ends_sentence(token)):
            yield tuple(part)
            part = []
    if part:
        yield tuple(part)


def _labels(lines: Sequence[str], speakers: Collection[str], said: Collection[str]) -> set[str]:
    """Return the names that label lines."""
    counted = Counter(match[1] for line in lines if (match := _label(line)))
    return {
        name
        for name, times in counted.items()
        if name in speakers or times > 1 or not {key_of(word) for word in name.split()} & set(said)
    }


def _label(line: str) -> re.Match[str] | None:
    match = LABEL.match(line)
    if match is None or len(match[1]) > MOST_LABEL_CHARS or match[1][0].islower():
        return None
    return match
