"""Tags of recordings: how they are written, and how many a recording may have."""

import re
import unicodedata
from collections.abc import Iterable

from storage.domain.errors import BadRequest

MAX_TAGS = 20
MAX_TAG_CHARS = 40
SEPARATOR = ","
FOLDER = "/"
"""Between a folder and what is in it: a recording with the tag `board/2026` is in the folder `board`, too."""
JOINERS = "\u200c\u200d"
JOINERS_TO_DROP = re.compile(
    rf"(?<![\u0590-\U0001faff])[{JOINERS}]+|[{JOINERS}]+(?![\u0590-\U0001faff])|(?<=[{JOINERS}])[{JOINERS}]"
)
"""Beside letters of Western scripts and at the ends of words they do nothing but make look-alikes."""


def clean_tag(tag: str) -> str:
    """Return a tag as it is stored, or an empty text if nothing is left.

    It is in lower case, without a leading `#`, commas, needless spaces and needless slashes. Zero-width joiners stay
    where a script needs them, and are dropped elsewhere, so that two tags that look the same are the same.
    """
    joined = JOINERS_TO_DROP.sub("", unicodedata.normalize("NFC", tag))
    printable = (char if char.isprintable() or char in JOINERS else " " for char in joined)
    tag = " ".join("".join(printable).replace(SEPARATOR, " ").lower().split()).lstrip("# ")
    return FOLDER.join(part for one in tag.split(FOLDER) if (part := one.strip()))


def with_folders(tags: Iterable[str]) -> tuple[str, ...]:
    """Return tags and their folders, in order of the alphabet: `a/b` is in `a`."""
    paths = [tag.split(FOLDER) for tag in tags]
    return tuple(sorted({FOLDER.join(path[:depth]) for path in paths for depth in range(1, len(path) + 1)}))


def clean_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return tags as they are stored: each once, in order of the alphabet.

    Raises:
        BadRequest: there are too many, or one is empty or too long.
    """
    found = sorted({clean_tag(tag) for tag in tags})
    if len(found) > MAX_TAGS:
        raise BadRequest("tags", "a recording has at most {max_tags} tags; leave some out", {"max_tags": MAX_TAGS})
    if not all(1 <= len(tag) <= MAX_TAG_CHARS for tag in found):
        raise BadRequest("tags", "a tag has 1 to {max_tag_chars} characters", {"max_tag_chars": MAX_TAG_CHARS})
    return tuple(found)


def one_tag(text: str) -> str:
    """Return a tag to look for.

    Raises:
        BadRequest: nothing is left of it.
    """
    if not (tag := clean_tag(text)):
        raise BadRequest("tag", "a tag has 1 to {max_tag_chars} characters", {"max_tag_chars": MAX_TAG_CHARS})
    return tag


def split_tags(text: str | None) -> tuple[str, ...]:
    """Return the tags of a text with commas between them; raises as `clean_tags` does."""
    return clean_tags(tag for tag in (text or "").split(SEPARATOR) if clean_tag(tag))
