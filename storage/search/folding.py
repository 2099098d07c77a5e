"""Normalise text for the search index: lower-case words without accents.

Only marks that a language can do without are left out: accents, vowel points of Hebrew and Arabic, nukta. Vowel signs
of Indian scripts, of Thai and its neighbours, and the voicing of kana tell words apart: दिन is a day, दान a gift.

Scripts without spaces are indexed by pairs of characters. A run of them ends with a token of its last character alone,
so that a phrase that continues after it matches only where the run ends.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005\u3007\u3021-\u3029\u3041-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0002fa1f"
)
WORD = re.compile(rf"[{UNSPACED}]+|[^\s{UNSPACED}]+")
"""Of text that was folded already."""
UNSPACED_RUN = re.compile(rf"[{UNSPACED}]+")
LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ı": "i", "ς": "σ", "ß": "ss", "æ": "ae", "œ": "oe"})


ZERO_WIDTH_JOINER = "\u200d"
POINTS = range(10, 37)
"""Combining classes of the vowel points of Hebrew, Arabic and Syriac."""
FIRST_ACCENT = 200
"""The first of the combining classes that tell where beside a letter a mark stands."""


class _Folding(dict[int, str]):
    """Maps characters: accents to nothing, punctuation to a space, letters to their plain lower case."""

    def __missing__(self, code: int) -> str:
        apart = unicodedata.normalize("NFD", chr(code).lower())
        bare = "".join(char for char in apart if not _is_left_out(char))
        plain = unicodedata.normalize("NFC", bare.translate(LETTERS))
        self[code] = folded = plain if all(char.isalnum() or _is_mark(char) for char in plain) else " "
        return folded


def _is_mark(char: str) -> bool:
    return unicodedata.category(char).startswith("M")


def _is_left_out(char: str) -> bool:
    if not _is_mark(char):
        return char == ZERO_WIDTH_JOINER
    place = unicodedata.combining(char)
    name = unicodedata.name(char, "")
    is_style = place <= 1 and name.startswith(("VARIATION", "COMBINING", "MONGOLIAN FREE"))
    return is_style or name.endswith("SIGN NUKTA") or place in POINTS or place >= FIRST_ACCENT


FOLDING = _Folding()


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """Consecutive tokens of the index; the last one is a prefix if `prefix`."""

    tokens: tuple[str, ...]
    prefix: bool = False

    @property
    def match(self) -> str:
        """The phrase in the query language of FTS5; tokens hold no quotation marks."""
        return f'"{" ".join(self.tokens)}"{" *" if self.prefix else ""}'

    @property
    def pattern(self) -> str:
        """The phrase as it occurs in `indexed` text with spaces around it."""
        return f" {' '.join(self.tokens)}{'' if self.prefix else ' '}"


def words(text: str) -> list[str]:
    """Return the normalised words of a text; a run without spaces is one word."""
    plain = unicodedata.normalize("NFC", text).translate(FOLDING)
    return plain.split() if plain.isascii() else WORD.findall(plain)


def tokens(folded: Iterable[str]) -> list[str]:
    """Return the tokens of normalised words."""
    return [token for word in folded for token in (pairs(word) if unspaced(word) else (word,))]


def indexed(text: str) -> str:
    """Return the tokens of a text, separated by spaces."""
    return " ".join(tokens(words(text)))


def phrase(text: str, *, prefix: bool = False) -> Phrase | None:
    """Return the phrase that finds this text; None if it contains no word."""
    *before, last = words(text) or [""]
    if not last:
        return None
    if not unspaced(last):
        return Phrase(tokens=(*tokens(before), last), prefix=prefix)
    if len(last) == 1:
        return Phrase(tokens=(*tokens(before), last), prefix=True)
    return Phrase(tokens=(*tokens(before), *pairs(last)[:-1]))


def unspaced(word: str) -> bool:
    """Return whether a normalised word is a run of a script without spaces."""
    return not word.isascii() and UNSPACED_RUN.match(word) is not None


def pairs(run: str) -> list[str]:
    """Return each character of a run with the next one, and the last alone."""
    return [run[place : place + 2] for place in range(len(run))]
