"""Names of files in a ZIP that Windows, macOS and Linux can unpack."""

import re
import unicodedata
from pathlib import PurePath

MAX_NAME_BYTES = 200
MAX_STEM_BYTES = 180
"""Leaves room for a number, such as ` (200)`, and an ending."""
NOT_IN_NAMES = '<>:"/\\|?*'
DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\.|$)", re.IGNORECASE)
"""Names of devices on Windows, with any ending.

https://learn.microsoft.com/windows/win32/fileio/naming-a-file
"""


def stem_of(name: str) -> str:
    """Return a recording's name without its ending, as every file system takes it."""
    plain = unicodedata.normalize("NFC", PurePath(name).stem)
    legal = "".join(char if char.isprintable() and char not in NOT_IN_NAMES else "_" for char in plain)
    short = legal.strip(". ").encode()[:MAX_STEM_BYTES].decode(errors="ignore")
    stem = short.rstrip(". ") or "recording"
    return f"_{stem}" if DEVICES.match(stem) else stem


class DistinctStems:
    """The stems of the recordings in one ZIP, distinct also where case is ignored."""

    def __init__(self, *taken: str) -> None:
        self._taken = {stem.casefold() for stem in taken}

    def add(self, name: str) -> str:
        """Return a recording's stem, numbered if it is taken."""
        plain = stem_of(name)
        stem, number = plain, 2
        while stem.casefold() in self._taken:
            stem, number = f"{plain} ({number})", number + 1
        self._taken.add(stem.casefold())
        return stem
