"""Metadata of recordings: names and values that come with a file."""

import json
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType

from storage.domain.errors import BadRequest

MAX_FIELDS, MAX_CHARS = 100, 16_000
MAX_NAME_CHARS, MAX_VALUE_CHARS = 64, 1000
NO_METADATA: Mapping[str, str] = MappingProxyType({})


def clean_metadata(values: Mapping[str, str]) -> dict[str, str]:
    """Return metadata as it is stored, in order of the names.

    Raises:
        BadRequest: there are too many fields, or a name or value is not acceptable.
    """
    if len(values) > MAX_FIELDS:
        raise BadRequest("metadata", "a recording has at most {max_fields} fields", {"max_fields": MAX_FIELDS})
    if sum(len(name) + len(text) for name, text in values.items()) > MAX_CHARS:
        raise BadRequest("metadata", "it is longer than {max_chars} characters in all", {"max_chars": MAX_CHARS})
    cleaned = {_name(name): _value(name, text) for name, text in values.items()}
    if len(cleaned) < len(values):
        raise BadRequest("metadata", "two of its names are the same to readers; rename one")
    return dict(sorted(cleaned.items()))


def metadata_from_json(text: str | None) -> dict[str, str]:
    """Return the metadata of a form's field; raises as `clean_metadata` does."""
    if not text:
        return {}
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
    return metadata_of(values)


def metadata_of(values: object) -> dict[str, str]:
    """Return the metadata that a JSON value holds.

    Numbers, true and false become texts as JSON writes them.

    Raises:
        BadRequest: it is something else, or not acceptable; see `clean_metadata`.
    """
    if not isinstance(values, dict) or not all(_is_plain(value) for value in values.values()):
        raise BadRequest("metadata", "it is no JSON object of texts, numbers, true and false")
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
    return clean_metadata(texts)


def to_column(metadata: Mapping[str, str]) -> str:
    """Return metadata as the ledger holds it."""
    return json.dumps(dict(metadata), ensure_ascii=False) if metadata else ""


def from_column(text: str | None) -> dict[str, str]:
    """Return metadata that the ledger holds."""
    return dict(json.loads(text)) if text else {}


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float)


def _name(name: str) -> str:
    if not 1 <= len(name) <= MAX_NAME_CHARS or not name.isprintable() or name != name.strip():
        raise BadRequest(
            "metadata",
            "a name has 1 to {max_name_chars} printable characters and no space at its ends",
            {"max_name_chars": MAX_NAME_CHARS},
        )
    return unicodedata.normalize("NFC", name)


def _value(name: str, text: str) -> str:
    if len(text) > MAX_VALUE_CHARS or not _is_text(text):
        raise BadRequest(
            "metadata",
            "“{name}” is longer than {max_value_chars} characters, or no text",
            {"name": name, "max_value_chars": MAX_VALUE_CHARS},
        )
    return text


def _is_text(text: str) -> bool:
    """Return whether it has no lone surrogates, and no controls but tabs and line breaks."""
    return all(char in "\t\n\r" or unicodedata.category(char) not in {"Cc", "Cs"} for char in text)
