"""A multipart form with one file in it, streamed to disk in bounded memory and hashed on the way (RFC 7578).

Starlette's own parser spools to the system's temporary folder, which may be memory, and knows no limit of ours.
"""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from dashboards.shelf import raise_if_full, raise_if_no_room
from storage.errors import BadRequest, UploadTooLarge

FLUSH_BYTES = 1 << 20
MAX_FIELD_BYTES = 256 * 1024
MAX_FIELDS = 100


@dataclass(slots=True, kw_only=True)
class Form:
    """What came: fields by name, and the file at `path` until the block that received it ends."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    path: Path
    name: str | None = None
    size_bytes: int = 0
    sha256: str = ""

    def first(self, name: str) -> str | None:
        """Return a field's first value, or None where it is missing or empty."""
        return next((value for value in self.fields.get(name, ()) if value), None)

    def file_name(self) -> str:
        """Return the name that came with the file.

        Raises:
            BadRequest: no file came.
        """
        if self.name is None:
            raise BadRequest("file", "no file came with the form; send it as the field `file`")
        return self.name


@asynccontextmanager
async def received(request: Request, folder: Path, *, limit_bytes: int) -> AsyncIterator[Form]:
    """Read the request's form; the file lies in `folder` until the block ends, unless it was moved away.

    Raises:
        BadRequest: it is no form, or is broken.
        UploadTooLarge: the file is over the limit; nothing stays.
        StorageFull: the disk has no room for it; nothing stays.
    """
    declared = int(request.headers.get("content-length") or 0)
    if declared > limit_bytes + MAX_FIELDS * MAX_FIELD_BYTES:
        raise UploadTooLarge(declared, limit_bytes)
    raise_if_no_room(folder, declared, "the upload")
    form = Form(path=folder / f"{uuid4().hex}.form")
    try:
        with form.path.open("wb", buffering=0) as sink:
            await _read(request, _Reader(form, sink, limit_bytes))
        yield form
    finally:
        form.path.unlink(missing_ok=True)


async def _read(request: Request, reader: "_Reader") -> None:
    parser = reader.parser(request.headers.get("content-type", ""))
    try:
        async for chunk in request.stream():
            parser.write(chunk)
            if reader.pending_bytes >= FLUSH_BYTES:
                await asyncio.to_thread(reader.flush)
        parser.finalize()
        await asyncio.to_thread(reader.flush)
    except MultipartParseError as error:
        raise BadRequest("body", f"the form is broken ({error})") from error
    reader.finish()


class _Reader:
    """Callbacks of the parser: they gather fields and, a megabyte at a time, the file."""

    def __init__(self, form: Form, sink: BinaryIO, limit_bytes: int) -> None:
        self.form, self.sink, self.limit_bytes = form, sink, limit_bytes
        self.digest = hashlib.sha256()
        self.pending: list[bytes] = []
        self.pending_bytes = 0
        self.header_name, self.header_value, self.disposition = b"", b"", b""
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
        """Write what has gathered; in a thread."""
        raise_if_no_room(self.sink.fileno(), self.pending_bytes, self.form.name or "the upload")
        for block in self.pending:
            self.digest.update(block)
            _write_all(self.sink, block, self.form.name or "the upload")
        self.pending, self.pending_bytes = [], 0

    def finish(self) -> None:
        self.form.sha256 = self.digest.hexdigest()

    def _part_begins(self) -> None:
        self.disposition, self.field_value, self.in_file = b"", bytearray(), False
        self.parts += 1
        if self.parts > MAX_FIELDS:
            raise BadRequest("body", f"the form has more than {MAX_FIELDS} fields")

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self.header_name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self.header_value += data[start:end]

    def _header_ends(self) -> None:
        if self.header_name.lower() == b"content-disposition":
            self.disposition = self.header_value
        self.header_name, self.header_value = b"", b""

    def _headers_end(self) -> None:
        _, options = parse_options_header(self.disposition.decode("latin-1"))
        self.field_name = options.get(b"name", b"").decode("utf-8", "replace")
        self.in_file = b"filename" in options
        if self.in_file:
            if self.form.name is not None:
                raise BadRequest(self.field_name, "send one file a request")
            self.form.name = options[b"filename"].decode("utf-8", "replace")

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
        if not self.in_file:
            self.form.fields.setdefault(self.field_name, []).append(self.field_value.decode("utf-8", "replace"))


def _write_all(sink: BinaryIO, block: bytes, name: str) -> None:
    view = memoryview(block)
    try:
        while view:
            view = view[os.write(sink.fileno(), view) :]
    except OSError as error:
        raise_if_full(error, name)
        raise
