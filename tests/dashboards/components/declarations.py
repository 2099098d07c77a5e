"""Makes `contracts.d.ts`, the TypeScript side of what Python hands to the components and answers to them.

Run `python -m tests.dashboards.components.declarations` after a change of `contracts.py`, of a component's words, or of
what the API answers to the player.
"""

import types
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints, is_typeddict

from pydantic import BaseModel

from dashboards.api import transcript_api
from dashboards.api.corrections import alignment_api
from dashboards.api.passages import comments_api, summary_api
from dashboards.components import contracts
from storage.domain import records

FILE = Path(contracts.__file__).with_suffix(".d.ts")
HEAD = "// Made by `python -m tests.dashboards.components.declarations`; a test compares. Do not edit.\n"
ANSWERS: dict[str, type] = {
    "StoredWord": records.Word,
    "StoredSegment": records.Segment,
    "StoredRedecoding": records.Redecoding,
    "StoredSeam": records.Seam,
    "PinnedCue": records.PinnedCue,
    "Alignment": alignment_api.AlignmentBody,
    "Edit": transcript_api.PieceBody,
    "EditedWord": transcript_api.WordBody,
    "Note": transcript_api.NoteBody,
    "Version": transcript_api.VersionBody,
    "VersionChange": transcript_api.ChangeBody,
    "Reply": comments_api.ReplyBody,
    "Comment": comments_api.CommentBody,
    "HighlightedPassage": comments_api.HighlightBody,
    "UnseenComment": comments_api.UnseenBody,
    "SummaryOffer": summary_api.OfferBody,
    "SummaryRun": summary_api.RunBody,
    "Chapter": summary_api.ChapterBody,
    "StoredSummary": summary_api.SummaryBody,
    "SummaryState": summary_api.SummaryState,
}
"""What the API answers and takes, by the names that the components have for it."""
PLAIN: dict[Any, str] = {str: "string", bool: "boolean", int: "number", float: "number", type(None): "null"}
PLAIN |= {datetime: "string", Any: "unknown", records.AlignmentState: "string"}


def declarations() -> str:
    """Return the whole file."""
    kinds = [kind for kind in vars(contracts).values() if is_typeddict(kind)]
    names = {kind: kind.__name__ for kind in kinds} | {kind: name for name, kind in ANSWERS.items()}
    parts = [_interface(name, kind, names) for kind, name in names.items()]
    texts = [f"export type {_text_name(kind)} = {_words(text)};\n" for kind, text in contracts.TEXTS.items()]
    return "\n".join([HEAD, *parts, *texts])


def _interface(name: str, kind: type, names: Mapping[type, str]) -> str:
    lines = [f"  {field}: {_type(hint, names)};" for field, hint in _fields(kind)]
    if kind in contracts.TEXTS:
        lines.append(f"  text: {_text_name(kind)};")
    body = "\n".join(lines)
    return f"export interface {name} {{\n{body}\n}}\n"


def _fields(kind: type) -> list[tuple[str, Any]]:
    """Return names and types; a name that may be left out ends in a question mark."""
    hints = get_type_hints(kind)
    if issubclass(kind, BaseModel):
        fields = kind.model_fields
        found = [(name, field.alias or name, field.is_required()) for name, field in fields.items()]
    else:
        optional: frozenset[str] = getattr(kind, "__optional_keys__", frozenset())
        found = [(name, name, name not in optional) for name in hints]
    return [(shown if required else f"{shown}?", hints[name]) for name, shown, required in found]


def _text_name(kind: type) -> str:
    return f"{kind.__name__.removesuffix('Data')}Text"


def _type(hint: Any, names: Mapping[type, str]) -> str:
    if known := PLAIN.get(hint) or names.get(hint):
        return known
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return " | ".join(f'"{member}"' for member in hint)
    origin, inside = get_origin(hint), [_type(one, names) for one in get_args(hint) if one is not Ellipsis]
    if origin in {Union, types.UnionType}:
        return " | ".join(dict.fromkeys(inside))
    if origin is tuple and Ellipsis not in get_args(hint):
        return f"[{', '.join(inside)}]"
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return f"{inside[0]}[]"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"Record<{', '.join(inside)}>"
    raise TypeError(f"nothing is said here of how {hint} looks in TypeScript; add it to this module")


def _words(words: Any, indent: str = "") -> str:
    """Return the type of a component's words: the keys as they are, each a string, or more words."""
    if isinstance(words, Mapping):
        lines = [f"{indent}  {key}: {_words(inner, indent + '  ')};" for key, inner in words.items()]
        return "\n".join(["{", *lines, indent + "}"])
    if isinstance(words, Sequence) and not isinstance(words, str):
        kinds = list(dict.fromkeys(_words(one, indent) for one in words))
        return f"{kinds[0]}[]" if len(kinds) == 1 else f"[{', '.join(_words(one, indent) for one in words)}]"
    return "string"


if __name__ == "__main__":
    FILE.write_text(declarations(), encoding="utf-8")
