"""Stream a multipart form with one file to disk and hash it (RFC 7578).

Starlette's own parser spools to the system's temporary folder, which may be memory, and does not know our limits.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from storage.domain.errors import BadRequest, UploadTooLarge
from storage.files.upload_store import FORM, raise_if_no_room, write_all

FLUSH_BYTES = 1 << 20
MAX_FIELD_BYTES = 256 * 1024
MAX_FIELDS = 100

OnField = Callable[[str, str], None]


@dataclass(slots=True, kw_only=True)
class Form:
    """A received form: fields by name, and the file at `path` while the block runs.

    `content_type` is what the client says of the file.
    """

    fields: dict[str, list[str]] = field(default_factory=dict)
    path: Path
    name: str | None = None
    content_type: str = ""
    size_bytes: int = 0
    sha256: str = ""

    def first(self, name: str) -> str | None:
        """Return a field's first value, or None if it is missing or empty."""
        return next((value for value in self.fields.get(name, ()) if value), None)

    def file_name(self) -> str:
        """Return the file's name.

        Raises:
            BadRequest: there is no file.
        """
        if self.name is None:
            raise BadRequest("file", "no file came with the form; send it as the field `file`")
        return self.name


@asynccontextmanager
async def received(
    request: Request, folder: Path, *, limit_bytes: int, on_field: OnField | None = None
) -> AsyncIterator[Form]:
    """Read the request's form; the file exists until the block ends.

    `on_field` gets each field as it arrives and may refuse it by raising; what follows is not read.

    Raises:
        BadRequest: it is not a form, or malformed.
        UploadTooLarge: the file exceeds the limit; nothing is kept.
        StorageFull: the disk has no space for it; nothing is kept.
    """
    declared = int(request.headers.get("content-length") or 0)
    if declared > limit_bytes + MAX_FIELDS * MAX_FIELD_BYTES:
        raise UploadTooLarge(declared, limit_bytes)
    raise_if_no_room(folder, declared, "the upload")
    form = Form(path=folder / f"{uuid4().hex}{FORM}")
    try:
        with form.path.open("wb", buffering=0) as sink:
            await _read(request, _Reader(form, sink, limit_bytes, on_field))
        yield form
    finally:
        form.path.unlink(missing_ok=True)


async def _read(request: Request, reader: "_Reader") -> None:
    try:
        parser = reader.parser(request.headers.get("content-type", ""))
        async for chunk in request.stream():
            parser.write(chunk)
            if reader.pending_bytes >= FLUSH_BYTES:
                await asyncio.to_thread(reader.flush)
        parser.finalize()
        await asyncio.to_thread(reader.flush)
    except FormParserError as error:
        raise BadRequest("body", f"the form is broken ({error})") from error
    reader.finish()


class _Reader:
    """Parser callbacks that collect the fields and, a megabyte at a time, the file."""

    def __init__(self, form: Form, sink: BinaryIO, limit_bytes: int, on_field: OnField | None) -> None:
        self.form, self.sink, self.limit_bytes, self.on_field = form, sink, limit_bytes, on_field
        self.digest = hashlib.sha256()
        self.pending: list[bytes] = []
        self.pending_bytes = 0
        self.header_name, self.header_value, self.disposition, self.content_type = b"", b"", b"", b""
        self.field_name, self.in_file, self.parts = "", False, 0
        self.field_value = bytearray()

    def parser(self, content_type: str) -> MultipartParser:
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or b"boundary" not in options:
            raise BadRequest("body", "send a form as multipart/form-data with the recording as the field `file`")
        return MultipartParser(
            options[b"boundary"],
            {
                "on_part_begin": self._part_begins,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_ends,
                "on_headers_finished": self._headers_end,
                "on_part_data": self._data,
                "on_part_end": self._part_ends,
            },
        )

    def flush(self) -> None:
        """Write the collected bytes; in a thread."""
        raise_if_no_room(self.sink.fileno(), self.pending_bytes, self.form.name or "the upload")
        for block in self.pending:
            self.digest.update(block)
            write_all(self.sink, block, self.form.name or "the upload")
        self.pending, self.pending_bytes = [], 0

    def finish(self) -> None:
        self.form.sha256 = self.digest.hexdigest()

    def _part_begins(self) -> None:
        self.disposition, self.content_type, self.field_value, self.in_file = b"", b"", bytearray(), False
        self.parts += 1
        if self.parts > MAX_FIELDS:
            raise BadRequest("body", f"the form has more than {MAX_FIELDS} fields")

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self.header_name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self.header_value += data[start:end]

    def _header_ends(self) -> None:
        name = self.header_name.lower()
        if name == b"content-disposition":
            self.disposition = self.header_value
        elif name == b"content-type":
            self.content_type = self.header_value
        self.header_name, self.header_value = b"", b""

    def _headers_end(self) -> None:
        _, options = parse_options_header(self.disposition.decode("latin-1"))
        self.field_name = options.get(b"name", b"").decode("utf-8", "replace")
        self.in_file = b"filename" in options
        if self.in_file:
            if self.form.name is not None:
                raise BadRequest(self.field_name, "send one file a request")
            self.form.name = options[b"filename"].decode("utf-8", "replace")
            self.form.content_type = self.content_type.decode("latin-1")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if not self.in_file:
            self.field_value += data[start:end]
            if len(self.field_value) > MAX_FIELD_BYTES:
                raise BadRequest(self.field_name, "this field is too long")
            return
        self.form.size_bytes += end - start
        if self.form.size_bytes > self.limit_bytes:
            raise UploadTooLarge(self.form.size_bytes, self.limit_bytes)
        self.pending.append(data[start:end])
        self.pending_bytes += end - start

    def _part_ends(self) -> None:
        if self.in_file:
            return
        value = self.field_value.decode("utf-8", "replace")
        self.form.fields.setdefault(self.field_name, []).append(value)
        if self.on_field:
            self.on_field(self.field_name, value)
