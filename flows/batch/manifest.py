"""Read manifests of batches: CSV or JSONL with a row for each file."""

import csv
import json
import os
import posixpath
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import IO, Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from flows.batch.source_files import WEB, BatchFile, FileNotes, SourceReader, rejected
from storage.domain.errors import BadRequest, TranscriberError
from storage.domain.network.host_names import without_login
from storage.domain.records import Options
from storage.domain.result_template import META
from storage.domain.tags import split_tags
from storage.jobs.annotations.metadata import metadata_of

ENDINGS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
UTF_16 = ("\udcff\udcfe", "\udcfe\udcff")
OTHER_SEPARATORS = ";\t|"
MAX_ROW_CHARS = 1 << 20
LONG_CELL = f"it has {MAX_ROW_CHARS:,} bytes or more, or a value with more than {csv.field_size_limit():,} characters"
TOO_LONG = "x" * (csv.field_size_limit() + 1)
"""Stands for a line that is too long: it is no row of a CSV, either."""
NOT_BY_ROW = {"cues", "formats"}
OWN = ("source", "name", "tags")
OPTION_TYPES = {name: kind for name, kind in get_type_hints(Options).items() if name not in NOT_BY_ROW}
COLUMNS = (*OWN, *(each.name for each in fields(Options) if each.name not in NOT_BY_ROW))
_ADAPTERS: dict[str, TypeAdapter[Any]] = {name: TypeAdapter(kind) for name, kind in OPTION_TYPES.items()}


def format_of(source: str) -> str | None:
    """Return the format of a manifest by its ending, or None for what is none."""
    return ENDINGS.get(posixpath.splitext(source.lower())[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestRow:
    """A row: its number in the file, and what it says of a source."""

    number: int
    source: str
    notes: FileNotes


class BatchManifest:
    """A manifest at a path or address; its relative sources count from its own folder."""

    def __init__(self, place: str, opened: Callable[[], Any]) -> None:
        self._place, self._opened = place, opened
        self._base = place.rpartition("/")[0]
        self._is_local = "://" not in place
        self.share = 0.0
        """How much of it was read: 0 to 1."""

    def files(self, reader: SourceReader) -> Iterator[BatchFile]:
        """Yield the file of each row.

        A wrong row is a rejected file that names row and column.

        Raises:
            BadRequest: the columns of a CSV are wrong; nothing was read.
        """
        with self._opened() as file:
            size_bytes = file.seek(0, os.SEEK_END)
            file.seek(0)
            for row in (_csv_rows if format_of(self._place) == "csv" else _json_rows)(_lines(file)):
                self.share = file.tell() / size_bytes
                if isinstance(row, ManifestRow):
                    yield self._file(reader, row)
                else:
                    yield rejected(f"{self._place}:{row.row}", str(row))

    def _file(self, reader: SourceReader, row: ManifestRow) -> BatchFile:
        try:
            url, relative = self._resolved(row.source)
            file = reader.one(url, relative=relative, notes=row.notes)
        except TranscriberError as error:
            file = rejected(without_login(row.source), f"row {row.number}: {error}")
        return replace(file, row=row.number)

    def _resolved(self, source: str) -> tuple[str, str]:
        """Return a row's source, and the path that its results are named after."""
        if "\0" in source:
            raise BadRequest("source", "it has a character that no name has")
        if "://" in source:
            if source.startswith("file://") and not self._is_local:
                raise BadRequest("source", "a manifest at an address names no files of this machine")
            return source, source.partition("://")[2].partition("/")[2].split("?")[0] or source
        if source.startswith("/"):
            if not self._is_local:
                raise BadRequest("source", "a manifest at an address names no files of this machine; write an address")
            return source, posixpath.basename(source)
        if not self._is_local and ".." in source.split("/"):
            raise BadRequest("source", "a relative source stays below the manifest's folder; leave out ..")
        base = self._base if self._base or not self._place.startswith("/") else "/"
        return (f"{base}/{source}" if base else source), source


class WrongRow(Exception):
    """A wrong row; the message names it and the column."""

    def __init__(self, row: int, column: str, problem: str) -> None:
        super().__init__(row, column, problem)
        self.row, self.column, self.problem = row, column, problem

    def __str__(self) -> str:
        where = f"row {self.row}, column {self.column!r}" if self.column else f"row {self.row}"
        return f"{where}: {self.problem}"


def _lines(file: IO[bytes]) -> Iterator[str]:
    """Yield lines, with lone surrogates for bytes that are no UTF-8.

    A line that is too long becomes `TOO_LONG`.
    """
    first = True
    while line := file.readline(MAX_ROW_CHARS):
        if len(line) < MAX_ROW_CHARS:
            text = line.decode("utf-8", errors="surrogateescape")
            yield text.removeprefix("\ufeff") if first else text
        elif first:
            raise BadRequest("manifest", f"its first line has {MAX_ROW_CHARS:,} bytes or more; is this a manifest?")
        else:
            _pass_over(file, line)
            yield TOO_LONG
        first = False


def _pass_over(file: IO[bytes], piece: bytes) -> None:
    """Read the rest of a line, and forget it."""
    while piece and not piece.endswith(b"\n"):
        piece = file.readline(MAX_ROW_CHARS)


def _csv_rows(lines: Iterator[str]) -> Iterator[ManifestRow | WrongRow]:
    read = csv.reader(lines, strict=True)
    try:
        header = [name.strip() for name in next(read, [])]
    except csv.Error as error:
        raise BadRequest("manifest", f"row 1 is no CSV ({error})") from error
    _check_header(header)
    while True:
        number = read.line_num + 1
        try:
            cells = next(read, None)
        except csv.Error as error:
            yield WrongRow(number, "", LONG_CELL if "field limit" in str(error) else f"it is no CSV ({error})")
            continue
        if cells is None:
            return
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            yield WrongRow(number, "", f"it has {len(cells)} columns, and the first row has {len(header)}")
            continue
        filled = {name: cell.strip() for name, cell in zip(header, cells, strict=True) if cell.strip()}
        yield _row(number, filled)


def _check_header(header: list[str]) -> None:
    if "source" not in header:
        shown = ", ".join(map(repr, header[:10])) or "nothing"
        raise BadRequest("manifest", f"row 1 has no column 'source', but {shown}; {_hint(header)}")
    for number, name in enumerate(header, 1):
        if problem := _problem_of(name):
            raise BadRequest("manifest", f"row 1, column {number}: {problem}")
        if header.count(name) > 1:
            raise BadRequest("manifest", f"row 1: the column {name!r} is there twice")


def _hint(header: list[str]) -> str:
    """Return what to do about a first row, such as a spreadsheet's."""
    first = header[0] if header else ""
    if "\0" in first or first.startswith(UTF_16):
        return "save the manifest as UTF-8"
    if len(header) == 1 and any(mark in first for mark in OTHER_SEPARATORS):
        return "save the manifest with commas between the columns"
    return "it names the columns"


def _problem_of(name: str) -> str:
    if name in COLUMNS or (name.startswith(META) and name != META):
        return ""
    near = get_close_matches(name, COLUMNS, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(COLUMNS)} and {META}…"
    return f"there is no column {name[:60]!r}; {hint}"


def _json_rows(lines: Iterator[str]) -> Iterator[ManifestRow | WrongRow]:
    for number, line in enumerate(lines, 1):
        if number == 1:
            _check_first_line(line)
        if not line.strip():
            continue
        if line is TOO_LONG:
            yield WrongRow(number, "", f"it has {MAX_ROW_CHARS:,} bytes or more")
            continue
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield WrongRow(number, "", f"it is no JSON ({error})")
            continue
        if not isinstance(values, dict):
            yield WrongRow(number, "", "it is no JSON object")
            continue
        yield _flat_row(number, values)


def _check_first_line(line: str) -> None:
    """Refuse what is no JSONL at all, before each of its lines is rejected.

    Raises:
        BadRequest: it is an array, or no UTF-8.
    """
    if "\0" in line or line.startswith(UTF_16):
        raise BadRequest("manifest", "save the manifest as UTF-8")
    if line.lstrip().startswith("["):
        raise BadRequest("manifest", "it is a JSON array; write an object on each line, as `jq -c '.[]'` does")


def _flat_row(number: int, values: dict[str, Any]) -> ManifestRow | WrongRow:
    """Return a row whose options and metadata may stand in objects of their own."""
    flat = {name: value for name, value in values.items() if name not in {"options", "metadata"}}
    for name, prefix in (("options", ""), ("metadata", META)):
        inner = values.get(name, {})
        if not isinstance(inner, dict):
            return WrongRow(number, name, "it is no JSON object")
        flat |= {f"{prefix}{key}": value for key, value in inner.items()}
    return _row(number, {name: value for name, value in flat.items() if value is not None})


def _row(number: int, values: dict[str, Any]) -> ManifestRow | WrongRow:
    for name, value in values.items():
        if not (_is_text(name) and _is_text(value)):
            return WrongRow(number, _shown(name), "it is no UTF-8; save the manifest as UTF-8")
        if problem := _problem_of(name):
            return WrongRow(number, name, problem)
    source = values.get("source")
    if not isinstance(source, str) or not source.strip():
        return WrongRow(number, "source", "it is no text that names a file")
    options = {}
    for name in OPTION_TYPES:
        if name in values:
            try:
                options[name] = _ADAPTERS[name].validate_python(values[name])
            except ValidationError as error:
                return WrongRow(number, name, error.errors()[0]["msg"])
    try:
        notes = _notes(values, options)
    except BadRequest as error:
        return WrongRow(number, error.field, error.problem)
    return ManifestRow(number=number, source=source.strip(), notes=notes)


def _is_text(value: Any) -> bool:
    """Return whether texts, or those of a list, can be stored.

    What is not UTF-8, or half of a pair in JSON, is a lone surrogate, which cannot.
    """
    texts = [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]
    return all(one.isascii() or not any("\ud800" <= char <= "\udfff" for char in one) for one in texts)


def _shown(name: str) -> str:
    return name.encode(errors="replace").decode()


def _notes(values: dict[str, Any], options: dict[str, Any]) -> FileNotes:
    """Return what a row says of its file.

    Raises:
        BadRequest: its tags or metadata are not acceptable.
    """
    title = values.get("name")
    if title is not None and not _is_plain(title):
        raise BadRequest("name", "it is no text")
    metadata = {name.removeprefix(META): value for name, value in values.items() if name.startswith(META)}
    return FileNotes(
        options=options,
        title=str(title) if title is not None else None,
        tags=_tags(values.get("tags")),
        metadata=metadata_of(metadata),
    )


def _tags(value: Any) -> tuple[str, ...]:
    given = value if isinstance(value, list) else [] if value is None else [value]
    if not all(map(_is_plain, given)):
        raise BadRequest("tags", "they are no texts with commas between them, and no list of texts")
    return split_tags(",".join(map(str, given)))


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


@contextmanager
def opened_file(reader: SourceReader, place: str) -> Iterator[IO[bytes]]:
    """Open a manifest as a stream of bytes.

    Raises:
        BadRequest: there is none.
    """
    found = reader.one(place, relative=posixpath.basename(place))
    if not place.startswith(WEB) and "://" not in place and not Path(place).is_file():
        raise BadRequest("SOURCE", f"there is no manifest {place}")
    with found.local() as path, path.open("rb") as file:
        yield file
