"""Translates texts into the reader's language, with gettext catalogues.

English is the language of the source: a text is its own id, and what a catalogue lacks stays English. Nothing that is
stored, logged or said to programs is translated: the language is English unless pages or mails ask for another one.
"""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from functools import cache
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path
from string import Formatter
from typing import Any

logger = logging.getLogger(__name__)

LOCALES = Path(__file__).parents[1] / "locales"
ENGLISH = "en"
LANGUAGES = {ENGLISH: "English", "de": "Deutsch", "es": "Español"}
"""The languages of pages and mails, by their own names."""
WANTED = re.compile(r"\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9-]+)?\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*)?", re.ASCII)

_spoken: ContextVar[str | None] = ContextVar("language", default=None)
_otherwise: list[Callable[[], str | None]] = []


def language() -> str:
    """Return the language in use here, or the one of the page's session."""
    spoken = _spoken.get()
    if spoken is None and _otherwise and (spoken := _otherwise[0]()):
        _spoken.set(spoken)
    return spoken or ENGLISH


def use(code: str) -> None:
    """Speak this language in the rest of this thread or task."""
    _spoken.set(code if code in LANGUAGES else ENGLISH)


def otherwise(ask: Callable[[], str | None]) -> None:
    """Set who is asked where no language is in use."""
    _otherwise[:] = [ask]


@contextmanager
def speaking(code: str) -> Iterator[None]:
    """Speak a language inside the block; English if it is none of ours."""
    token = _spoken.set(code if code in LANGUAGES else ENGLISH)
    try:
        yield
    finally:
        _spoken.reset(token)


def wanted(accept_language: str | None) -> str:
    """Return the language that a browser asks for; English if it is none of ours.

    https://www.rfc-editor.org/rfc/rfc9110#field.accept-language
    """
    found = [match for part in (accept_language or "")[:500].split(",") if (match := WANTED.fullmatch(part))]
    ours = [
        (float(one[2] or 1), -place, one[1].lower()) for place, one in enumerate(found) if one[1].lower() in LANGUAGES
    ]
    weight, _, code = max(ours, default=(0.0, 0, ENGLISH))
    return code if weight else ENGLISH


def gettext(text: str, /, **values: object) -> str:
    """Return a text in the reader's language, with values in its `{places}`."""
    code = language()
    return filled(text if code == ENGLISH or not text else _catalogue(code).gettext(text), text, code, values)


def ngettext(one: str, many: str, n: int, /, **values: object) -> str:
    """Return the form of a text for a number, which is the value of `{n}`."""
    code, values = language(), {"n": n} | values
    english = one if n == 1 else many
    return filled(english if code == ENGLISH else _catalogue(code).ngettext(one, many, n), english, code, values)


def marked(text: str) -> str:
    """Mark a text that is translated where it is shown."""
    return text


def number(value: float, spec: str = ",") -> str:
    """Return a number with the reader's decimal and thousands separators."""
    return _localised(value, spec, language())


def date(there: datetime, skeleton: str = "yMMMd") -> str:
    """Return a date in the reader's language; a skeleton of CLDR names its parts."""
    if (code := language()) == ENGLISH:
        return f"{there.day} {there:%b}" + (f" {there.year}" if "y" in skeleton else "")
    from babel.dates import format_skeleton

    return format_skeleton(skeleton, there, locale=code).replace(". ", ".\u00a0")  # "5. März" would begin a list


def filled(text: str, english: str, code: str, values: dict[str, Any]) -> str:
    """Return a translation with values in its places; the English text where they are wrong."""
    if not values:
        return text
    if code != ENGLISH:
        try:
            return _Places(code).vformat(text, (), values)
        except (LookupError, ValueError, TypeError, AttributeError):
            logger.warning("the translation of %r to %s has a wrong place", english, code)
    return english.format(**values)


class _Places(Formatter):
    """Fills places, with the numbers of a language."""

    def __init__(self, code: str) -> None:
        self.code = code

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec and isinstance(value, int | float):
            return _localised(value, format_spec, self.code)
        return str(format(value, format_spec))


def _localised(value: float, spec: str, code: str) -> str:
    written = format(value, spec)
    return written if code == ENGLISH else written.translate(_separators(code))


@cache
def _separators(code: str) -> dict[int, str]:
    from babel.numbers import get_decimal_symbol, get_group_symbol

    return {ord("."): get_decimal_symbol(code), ord(","): get_group_symbol(code)}


@cache
def _catalogue(code: str) -> GNUTranslations:
    """Read the catalogue of a language, compiled in memory."""
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    compiled = BytesIO()
    with (LOCALES / code / "LC_MESSAGES" / "messages.po").open("rb") as file:
        write_mo(compiled, read_po(file, locale=code))
    compiled.seek(0)
    return GNUTranslations(compiled)
