"""Rules for names and passwords: no common passwords, no names that look like others.

The passwords are those of zxcvbn (https://github.com/dropbox/zxcvbn), the look-alikes those of Unicode's TR 39
(https://www.unicode.org/reports/tr39/), as confusable-homoglyphs has them.
"""

import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache

from storage.domain.errors import BadRequest

MIN_PASSWORD_CHARS, MAX_PASSWORD_CHARS = 10, 1024
FEWEST_DIFFERENT = 4
DECORATION = "0123456789!?.,;:*#$%&@+-_ "
EAST_ASIAN = {"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO"}
"""Scripts that one name may mix, with Latin, too."""


def checked_password(password: str, *, name: str = "") -> str:
    """Return the password, if it is neither too short nor easily guessed.

    Raises:
        BadRequest: it is; says why.
    """
    if not MIN_PASSWORD_CHARS <= len(password) <= MAX_PASSWORD_CHARS:
        raise BadRequest(
            "password",
            "use {min_password_chars} to {max_password_chars} characters",
            {"min_password_chars": MIN_PASSWORD_CHARS, "max_password_chars": MAX_PASSWORD_CHARS},
        )
    plain = unicodedata.normalize("NFKC", password).casefold()
    if len(set(plain)) < FEWEST_DIFFERENT:
        raise BadRequest("password", "it repeats a few characters; use several words, or a password manager")
    core = plain.strip(DECORATION)
    if plain in _common() or core in _common() or _repeats(core):
        raise BadRequest("password", "many people use it, so it is tried first; use several words, or another one")
    if name and name.strip().casefold() in {plain, core}:
        raise BadRequest("password", "it is the name; choose another")
    return password


def _repeats(core: str) -> bool:
    """Return whether it is a common password written several times."""
    place = f"{core}{core}".find(core, 1)
    return 0 < place < len(core) and core[:place] in _common()


@cache
def _common() -> frozenset[str]:
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(FREQUENCY_LISTS["passwords"])


def checked_name(name: str) -> str:
    """Return the name in its normal form, if it is printable and in one script.

    Raises:
        BadRequest: it is not.
    """
    name = unicodedata.normalize("NFC", name).strip()
    if not 1 <= len(name) <= 64 or not name.isprintable():
        raise BadRequest("name", "use 1 to 64 printable characters")
    scripts = _scripts(name)
    if len(scripts - EAST_ASIAN) > 1 or (scripts & EAST_ASIAN and scripts - EAST_ASIAN - {"LATIN"}):
        mixed = " and ".join(sorted(script.title() for script in scripts))
        raise BadRequest("name", "it mixes {mixed} letters, which look alike; use one script", {"mixed": mixed})
    return name


def _scripts(name: str) -> set[str]:
    """Return the scripts of the letters, by the first word of their Unicode names."""
    plain = unicodedata.normalize("NFKC", name)
    return {unicodedata.name(char, "?").split(" ")[0].split("-")[0] for char in plain if char.isalpha()}


def look_alike(name: str, others: Iterable[str]) -> str | None:
    """Return the first of the other names that readers take for this one, or None."""
    looks = _looks(name)
    return next((other for other in others if looks & _looks(other)), None)


@lru_cache(maxsize=20_000)
def _looks(name: str) -> frozenset[str]:
    """Return what a name looks like as it is written, and in lower case."""
    plain = unicodedata.normalize("NFKC", name).strip()
    return frozenset(_skeleton(form) for form in (plain, plain.casefold()))


def _skeleton(name: str) -> str:
    return "".join(map(_prototype, unicodedata.normalize("NFD", name))).casefold()


@cache
def _prototype(char: str) -> str:
    """Return the character that stands for all of its look-alikes."""
    from confusable_homoglyphs import confusables

    data = confusables.confusables_data
    alike = [each["c"] for each in data.get(char, ())]
    if len(alike) != 1:
        return char  # the prototype of several, or of none
    (other,) = alike
    return str(other if len(data.get(other, ())) > 1 else min(char, other))
