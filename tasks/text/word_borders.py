"""Words of Thai, Lao, Burmese and Khmer, which are written without spaces between them.

A speech engine cuts such text anywhere, even before a combining mark. Its words are found by the dictionaries of ICU
(https://unicode-org.github.io/icu/userguide/boundaryanalysis/), as UAX 14 asks for these scripts.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from storage.domain.records import Word

BY_DICTIONARY = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\ua9e0-\ua9ff\uaa60-\uaa7f]")

SURROGATE = re.compile("[\ud800-\udfff]")  # of broken text, which ICU refuses


def line_parts(text: str) -> list[str]:
    """Return a text in parts between which a line may break."""
    from icu4py.breakers import LineBreaker

    return [text[start:end] for start, end in LineBreaker(SURROGATE.sub("?", text), "und").segments()]


def characters(text: str) -> list[str]:
    """Return what readers see as single characters: letters with all their marks."""
    from icu4py.breakers import CharacterBreaker

    return [text[start:end] for start, end in CharacterBreaker(SURROGATE.sub("?", text), "und").segments()]


def cut_at_borders(words: Sequence[Word]) -> list[Word]:
    """Return the words, in these scripts cut at their borders; times follow the letters.

    White space is at the start of a word or nowhere, before and after.
    """
    result: list[Word] = []
    for stretch in _stretches(words):
        needed = any(BY_DICTIONARY.search(word.text) for word in stretch)
        result.extend(_cut(stretch) if needed else stretch)
    return result


def _stretches(words: Sequence[Word]) -> Iterator[list[Word]]:
    """Yield words that have no space between them."""
    stretch: list[Word] = []
    for word in words:
        if stretch and word.text.startswith(" "):
            yield stretch
            stretch = []
        stretch.append(word)
    if stretch:
        yield stretch


def _cut(stretch: Sequence[Word]) -> Iterator[Word]:
    letters = [letter for word in stretch for letter in _letters(word)]
    spaces = (at for at, letter in enumerate(letters) if letter.text == " ")
    for begin, end in pairwise(sorted({0, *spaces, len(letters)})):
        place = begin
        for part in line_parts(_text(letters[begin:end]).lstrip()):
            space = place == begin and letters[begin].text == " "
            heard = letters[place : place + space + len(part)]
            place += len(heard)
            probability = min(letter.probability for letter in heard)
            yield Word(start_s=heard[0].start_s, end_s=heard[-1].end_s, text=_text(heard), probability=probability)


def _text(letters: Sequence[Word]) -> str:
    return "".join(letter.text for letter in letters)


def _letters(word: Word) -> Iterator[Word]:
    """Yield a word's characters, each with its share of the time."""
    share_s = (word.end_s - word.start_s) / len(word.text)
    for number, letter in enumerate(word.text):
        start_s = word.start_s + number * share_s
        end_s = word.end_s if number == len(word.text) - 1 else start_s + share_s
        yield Word(start_s=start_s, end_s=end_s, text=letter, probability=word.probability)
