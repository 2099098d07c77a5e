"""Names of recordings as people see them."""

import unicodedata
from pathlib import PurePath

MAX_NAME_CHARS = 200


def clean_name(name: str) -> str:
    """Return the display name of a recording, without paths and control characters."""
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    return _printable(last)[:MAX_NAME_CHARS] or "recording"


def other_name(before: str, wanted: str) -> str:
    """Return the name of a renamed recording; empty if nothing is left of it.

    The ending of the file stays, since it says how the file is played and read. Slashes are no paths here.
    """
    ending = PurePath(before).suffix
    stem = _printable(unicodedata.normalize("NFC", wanted).replace("/", "-").replace("\\", "-"))
    if stem.lower().endswith(ending.lower()):
        stem = stem[: len(stem) - len(ending)].rstrip(" .")
    return stem[: MAX_NAME_CHARS - len(ending)] + ending if stem else ""


def _printable(name: str) -> str:
    return "".join(char for char in name if char.isprintable()).strip(" .")
