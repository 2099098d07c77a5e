"""Names of a batch's results, by a template with `{fields}`."""

import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Self

from storage.domain.errors import BadRequest

USUAL_TEMPLATE = "{path}.{format}"
FIELDS = {
    "path": "the file's path below the source, without its ending",
    "dir": "the folder of that path",
    "stem": "the file's name without its ending",
    "name": "the file's name",
    "ext": "its ending, without the dot",
    "format": "the ending of the result, such as srt",
    "language": "the language of the transcript",
    "model": "the model that transcribed it",
    "job": "the id of its job",
}
META = "meta_"
"""Other fields begin so: `{meta_speaker}` is what a manifest says in its column `meta_speaker`."""
MAX_PART_BYTES, MAX_TARGET_BYTES = 255, 900
TEMPLATE = "template"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultTemplate:
    """A template that was checked."""

    text: str

    @classmethod
    def of(cls, text: str, *, formats: int = 1) -> Self:
        """Return the template.

        Raises:
            BadRequest: it has other fields, or leads out of the target, or gives several formats one name.
        """
        named = _fields(text)
        if wrong := [name for name in named if name not in FIELDS and not _is_meta(name)]:
            problem = f"there is no field {{{wrong[0][:40]}}}; there are {', '.join(FIELDS)} and {META}…"
            raise BadRequest(TEMPLATE, problem)
        if formats > 1 and "format" not in named:
            raise BadRequest(TEMPLATE, "with several formats, it needs {format}, or one would replace the other")
        if not {"path", "stem", "name", "job"} & set(named) and not any(map(_is_meta, named)):
            raise BadRequest(TEMPLATE, "it needs a field that tells files apart, such as {path}, {stem} or {job}")
        try:
            checked_target(text)
        except BadRequest as error:
            raise BadRequest(TEMPLATE, error.problem) from error
        return cls(text=text)

    def name_for(self, relative: str, values: Mapping[str, str], metadata: Mapping[str, str]) -> str:
        """Return the name of a file's result, relative to the target.

        Raises:
            BadRequest: it would lead out of the target, or a value is missing or too long.
        """
        path = PurePosixPath(relative.lstrip("/"))  # of a bucket's key `prefix//name` this begins with slashes
        folder = str(path.parent) if str(path.parent) != "." else ""
        of_file = {
            "path": str(path.with_suffix("")),
            "dir": folder,
            "stem": path.stem,
            "name": path.name,
            "ext": path.suffix.removeprefix("."),
        }
        known = of_file | dict(values) | {f"{META}{name}": one_part(value) for name, value in metadata.items()}
        missing = [name for name in _fields(self.text) if name not in known]
        if missing:
            raise BadRequest(TEMPLATE, f"the manifest has no {missing[0]} for this file; add it, or another template")
        filled = "".join(
            literal + (known[name] if name is not None else "")
            for literal, name, _, _ in string.Formatter().parse(self.text)
        )
        return checked_target(filled.removeprefix("/"))  # of a folder that is empty


def _fields(text: str) -> list[str]:
    try:
        parsed = list(string.Formatter().parse(text))
    except ValueError as error:
        raise BadRequest(TEMPLATE, f"{error}; write fields as {{stem}}") from error
    if any(spec or conversion for _, _, spec, conversion in parsed):
        raise BadRequest(TEMPLATE, "fields have neither a format nor a conversion; write {stem} alone")
    return [name for _, name, _, _ in parsed if name is not None]


def _is_meta(name: str) -> bool:
    return name.startswith(META) and name.isidentifier()


def one_part(text: str) -> str:
    """Return a value as a part of a path, whatever is in it."""
    return "".join("_" if char in "/\\" or not char.isprintable() else char for char in text)


def checked_target(name: str) -> str:
    """Return a relative path that stays below its target.

    Raises:
        BadRequest: it does not, or no file could be named so.
    """
    parts = name.split("/")
    shown = ascii(name[:80])
    if any(part in {"", ".", ".."} for part in parts):
        raise BadRequest("target", f"{shown} is no path below the target: no part may be empty, '.' or '..'")
    if "\\" in name or not name.isprintable():
        raise BadRequest("target", f"{shown} has characters that no file should have in its name")
    encoded = [len(part.encode(errors="surrogatepass")) for part in parts]
    if max(encoded) > MAX_PART_BYTES or sum(encoded) + len(parts) > MAX_TARGET_BYTES:
        raise BadRequest("target", f"{shown} is too long for the name of a file")
    return name
