"""Text width and line breaks by Unicode: https://www.unicode.org/reports/tr11 and /tr14.

Scripts with spaces between words break there. Chinese, Japanese and Korean text breaks between any two characters,
except around punctuation that belongs to its neighbour; Thai, Lao, Burmese and Khmer at the borders of words. Any other
word is broken only if no line is wide enough.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import chain

from storage.domain.records import Segment, Word
from tasks.text.word_borders import BY_DICTIONARY, characters, line_parts

NOT_FIRST = frozenset(
    "、。，．,.・：；:;！？!?…‥ー〜～％%”’»)]}）］｝〕〉》」』】ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ々"
)
NOT_LAST = frozenset("“‘«([{（［｛〔〈《「『【＄$￥£€")
WITHOUT_COLUMNS = {"Mn", "Me", "Cf"}
CHUNK = re.compile(r"\s*\S+")


def width(text: str) -> int:
    """Return the columns of a text: East Asian wide characters two, combining marks none."""
    if text.isascii():
        return len(text) - text.count("\n")
    return sum(map(_columns, text))


@lru_cache(maxsize=8192)
def _columns(character: str) -> int:
    if character == "\n" or unicodedata.category(character) in WITHOUT_COLUMNS:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def never_between(one: str, other: str) -> bool:
    """Return whether a line must not break between two neighbouring words.

    The break would be inside a word, or separate it from its punctuation.
    """
    if other[:1].isspace() or one[-1:].isspace():
        return False
    if one[-1:] in NOT_LAST or other[:1] in NOT_FIRST:
        return True
    if BY_DICTIONARY.match(one[-1:]) and BY_DICTIONARY.match(other[:1]):  # cut at the borders of words before
        return unicodedata.category(other[0]).startswith("M")
    after_hyphen = one[-1:] == "-" and one[-2:-1].isalnum()
    return not (after_hyphen or _breaks_anywhere(one[-1:]) or _breaks_anywhere(other[:1]))


def without_spaces(one: str, other: str) -> bool:
    """Return whether neighbouring words are written without a space between them."""
    return _breaks_anywhere(one[-1:]) and _breaks_anywhere(other[:1])


def spread(segment: Segment) -> Iterator[Word]:
    """Yield a segment's text as words of even speed, for segments without word times."""
    texts = [
        f" {unit}" if not place else unit for part in segment.text.split() for place, unit in enumerate(units(part))
    ]
    whole = Word(start_s=segment.start_s, end_s=segment.end_s, text="", probability=0.0)
    return shared_out(whole, texts)


def fitted(words: Iterable[Word], max_width: int) -> list[Word]:
    """Return the words, with those wider than a line split; the parts share their time."""
    result: list[Word] = []
    for word in words:
        if width(word.text.lstrip()) <= max_width:
            result.append(word)
            continue
        parts = [unit for chunk in CHUNK.findall(word.text) for unit in units(chunk)]
        result.extend(shared_out(word, [piece for part in parts for piece in chopped(part, max_width)]))
    return result


def shared_out(word: Word, texts: list[str]) -> Iterator[Word]:
    """Yield a word as these parts, each with its share of the time."""
    share_s = (word.end_s - word.start_s) / max(1, sum(map(len, texts)))
    start_s = word.start_s
    for text in texts:
        end_s = start_s + len(text) * share_s
        yield replace(word, start_s=start_s, end_s=end_s, text=text)
        start_s = end_s


def units(text: str) -> list[str]:
    """Return a text without spaces as the smallest parts that may start a line."""
    if BY_DICTIONARY.search(text):
        first, *others = line_parts(text.lstrip())
        return [text[: len(text) - len(text.lstrip())] + first, *others]
    parts = [""]
    for character in text:
        last = parts[-1]
        if last.strip() and _columns(character) and not never_between(last, character):
            parts.append(character)
        else:
            parts[-1] += character
    return parts


def chopped(text: str, max_width: int) -> Iterator[str]:
    """Yield a text in parts as wide as a line, never separating combining marks."""
    whole = characters(text) if BY_DICTIONARY.search(text) else [text]
    part = ""
    for character in chain.from_iterable([one] if width(one) <= max_width else one for one in whole):
        if part.strip() and width(part.lstrip()) + width(character) > max_width:
            yield part
            part = ""
        part += character
    yield part


def _breaks_anywhere(character: str) -> bool:
    """Return whether the character's script is written without spaces; Korean has them."""
    return bool(character) and _columns(character) == 2 and not "가" <= character <= "힣"
