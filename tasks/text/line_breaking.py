"""How wide a text is shown, and where it may be broken, by Unicode: https://www.unicode.org/reports/tr11 and /tr14.

Scripts that put spaces between words break there. Chinese, Japanese and Korean text breaks between any two characters
but for punctuation that belongs to its neighbour. Of anything else a word is broken only if no line is wide enough.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache

from storage.records import Segment, Word

NOT_FIRST = frozenset(
    "、。，．,.・：；:;！？!?…‥ー〜～％%”’»)]}）］｝〕〉》」』】ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ々"
)
NOT_LAST = frozenset("“‘«([{（［｛〔〈《「『【＄$￥£€")
WITHOUT_COLUMNS = {"Mn", "Me", "Cf"}
CHUNK = re.compile(r"\s*\S+")


def width(text: str) -> int:
    """Return how many columns a text takes; East Asian wide characters take two, combining marks none."""
    if text.isascii():
        return len(text) - text.count("\n")
    return sum(map(_columns, text))


@lru_cache(maxsize=8192)
def _columns(character: str) -> int:
    if character == "\n" or unicodedata.category(character) in WITHOUT_COLUMNS:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def never_between(one: str, other: str) -> bool:
    """Return whether a break between two neighbouring words would be inside of one, or part it from its punctuation."""
    if other[:1].isspace() or one[-1:].isspace():
        return False
    if one[-1:] in NOT_LAST or other[:1] in NOT_FIRST:
        return True
    after_hyphen = one[-1:] == "-" and one[-2:-1].isalnum()
    return not (after_hyphen or _breaks_anywhere(one[-1:]) or _breaks_anywhere(other[:1]))


def without_spaces(one: str, other: str) -> bool:
    """Return whether neighbouring words are written without a space between them."""
    return _breaks_anywhere(one[-1:]) and _breaks_anywhere(other[:1])


def spread(segment: Segment) -> Iterator[Word]:
    """Yield the segment's text as words of even speed, for want of word times."""
    texts = [
        f" {unit}" if not place else unit for part in segment.text.split() for place, unit in enumerate(units(part))
    ]
    whole = Word(start_s=segment.start_s, end_s=segment.end_s, text="", probability=0.0)
    return shared_out(whole, texts)


def fitted(words: Iterable[Word], max_width: int) -> list[Word]:
    """Return the words; those that are wider than a line in parts that are not, which share their time."""
    found: list[Word] = []
    for word in words:
        if width(word.text.lstrip()) <= max_width:
            found.append(word)
            continue
        parts = [unit for chunk in CHUNK.findall(word.text) for unit in units(chunk)]
        found.extend(shared_out(word, [piece for part in parts for piece in chopped(part, max_width)]))
    return found


def shared_out(word: Word, texts: list[str]) -> Iterator[Word]:
    """Yield a word in these parts, each with its share of the time."""
    share_s = (word.end_s - word.start_s) / max(1, sum(map(len, texts)))
    start_s = word.start_s
    for text in texts:
        end_s = start_s + len(text) * share_s
        yield replace(word, start_s=start_s, end_s=end_s, text=text)
        start_s = end_s


def units(text: str) -> list[str]:
    """Return a text without inner spaces in the smallest parts that a line may begin with."""
    found = [""]
    for character in text:
        before = found[-1]
        if before.strip() and _columns(character) and not never_between(before, character):
            found.append(character)
        else:
            found[-1] += character
    return found


def chopped(text: str, max_width: int) -> Iterator[str]:
    """Yield a text in parts as wide as a line, wherever that is; marks stay with their letter."""
    part = ""
    for character in text:
        if part.strip() and width(part.lstrip()) + _columns(character) > max_width:
            yield part
            part = ""
        part += character
    yield part


def _breaks_anywhere(character: str) -> bool:
    """Return whether it is of a script without spaces; Korean has them."""
    return bool(character) and _columns(character) == 2 and not "가" <= character <= "힣"
