"""Align edited text with word times: unchanged words keep theirs, new ones share intervals."""

import re
from collections.abc import Sequence
from dataclasses import replace
from difflib import SequenceMatcher

from storage.domain.records import Word

UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff00-\uffef"
"""Scripts without spaces (Thai, Lao, Myanmar, Khmer, Han, Kana), tokenised by character."""
TOKEN = re.compile(rf"\s*(?:[{UNSPACED}]|[^\s{UNSPACED}]+)")
SURE = 1.0  # a person wrote it


def aligned(words: Sequence[Word], text: str, *, start_s: float, end_s: float) -> tuple[Word, ...]:
    """Return the words of `text` with times, as close to those of `words` as possible.

    All times are between `start_s` and `end_s`. Unchanged words keep time and probability; a new one has probability 1.
    Returns none if there were none.
    """
    if not words:
        return ()
    units, tokens = units_of(words), TOKEN.findall(f" {text.strip()}")
    found: list[Word] = []
    keys = [key_of(text_of_unit(unit)) for unit in units], [key_of(token) for token in tokens]
    matcher = SequenceMatcher(None, *keys, autojunk=False)
    for kind, old, old_end, new, new_end in matcher.get_opcodes():
        if kind == "equal":
            for unit, token in zip(units[old:old_end], tokens[new:new_end], strict=True):
                found += _kept(unit, token)
        elif old_end - old == new_end - new:
            for unit, token in zip(units[old:old_end], tokens[new:new_end], strict=True):
                found.append(Word(start_s=unit[0].start_s, end_s=unit[-1].end_s, text=token, probability=SURE))
        elif new < new_end:
            began_s = units[old][0].start_s if old < old_end else (units[old - 1][-1].end_s if old else start_s)
            ended_s = units[old_end - 1][-1].end_s if old < old_end else _next_start(units, old, end_s)
            found += shared_out(tokens[new:new_end], began_s, ended_s)
    return within(found, start_s, end_s)


def shared_out(tokens: Sequence[str], start_s: float, end_s: float) -> list[Word]:
    """Return words that fill the interval, with durations by number of characters."""
    total = sum(len(token.strip()) or 1 for token in tokens)
    length_s = max(0.0, end_s - start_s)
    found: list[Word] = []
    done = 0
    for token in tokens:
        began_s = start_s + length_s * done / total
        done += len(token.strip()) or 1
        ended_s = start_s + length_s * done / total
        found.append(Word(start_s=round(began_s, 3), end_s=round(ended_s, 3), text=token, probability=SURE))
    return found


def within(words: Sequence[Word], start_s: float, end_s: float) -> tuple[Word, ...]:
    """Return the words with times inside the interval, in order."""
    found: list[Word] = []
    earliest_s = start_s
    for word in words:
        began_s = min(max(word.start_s, earliest_s), end_s)
        ended_s = min(max(word.end_s, began_s), end_s)
        found.append(replace(word, start_s=began_s, end_s=ended_s))
        earliest_s = began_s
    return tuple(found)


def _kept(unit: Sequence[Word], token: str) -> list[Word]:
    """Return an unchanged unit, with the new spelling if case or punctuation changed."""
    if text_of_unit(unit).strip() == token.strip():
        return list(unit)
    return [Word(start_s=unit[0].start_s, end_s=unit[-1].end_s, text=token, probability=SURE)]


def units_of(words: Sequence[Word]) -> list[list[Word]]:
    """Group the engine's words as the text is split: at spaces and around single characters."""
    units: list[list[Word]] = []
    for word in words:
        parts = TOKEN.findall(word.text) or [word.text]
        pieces = [word] if len(parts) == 1 else [replace(word, text=w.text, start_s=w.start_s, end_s=w.end_s)
                                                 for w in shared_out(parts, word.start_s, word.end_s)]  # fmt: skip
        for piece in pieces:
            joined = units and TOKEN.fullmatch(text_of_unit(units[-1]) + piece.text)
            if joined:
                units[-1].append(piece)
            else:
                units.append([piece])
    return units


def _next_start(units: Sequence[Sequence[Word]], at: int, end_s: float) -> float:
    return units[at][0].start_s if at < len(units) else end_s


def text_of_unit(unit: Sequence[Word]) -> str:
    return "".join(word.text for word in unit)


def key_of(token: str) -> str:
    """Return the letters of a word, for comparison without case and punctuation."""
    bare = token.strip().casefold()
    return bare.strip("\"'“”‘’«».,;:!?…()[]-–—¿¡。、，！？؟،؛۔।॥։።፣။၊។") or bare
