"""Recordings in a form that have no header to say what they are.

Only what the client says counts, never the bytes or the name: form fields, or the content type of the file, `audio/pcm`
(little-endian) or `audio/L16` (big-endian, RFC 2586) with `rate` and `channels`.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from python_multipart.multipart import parse_options_header

from dashboards.http.error_responses import bad_request
from dashboards.http.multipart import Form
from dashboards.runtime import db
from dashboards.services import added_headers
from storage.media import headerless
from storage.media.added_header import ByteRange
from storage.media.headerless import HIGHEST_HZ, LOWEST_HZ, MAX_CHANNELS, Headerless, InputFormat

TYPES = {b"audio/pcm": InputFormat.S16LE, b"audio/l16": InputFormat.S16BE}
PROPERTIES: dict[str, Any] = {
    "input_format": {
        "type": "string",
        "enum": list(InputFormat),
        "description": "For recordings without a header: their format.",
    },
    "sample_rate": {
        "type": "integer",
        "minimum": LOWEST_HZ,
        "maximum": HIGHEST_HZ,
        "description": "With `input_format`: samples a second; g722 and gsm have one rate.",
    },
    "input_channels": {
        "type": "integer",
        "minimum": 1,
        "maximum": MAX_CHANNELS,
        "default": 1,
        "description": "With `input_format`: the number of interleaved channels.",
    },
}
"""The form's fields, as OpenAPI has them."""
FIELDS = tuple(PROPERTIES)


class _Told(BaseModel):
    """What the fields say, by their names."""

    model_config = ConfigDict(extra="forbid")

    input_format: str | None = None
    sample_rate: int | None = None
    input_channels: int | None = None


def told(form: Form) -> Headerless | None:
    """Return what the client says of its recording; None if it has a header.

    Fields count before the content type.

    Raises:
        BadRequest: the rate is missing, or a value is not valid; the message names the field.
    """
    given = {name: value for name in FIELDS if (value := form.first(name))}
    kind, of_type = parse_options_header(form.content_type)
    if kind in TYPES:
        names = {"sample_rate": b"rate", "input_channels": b"channels"}
        by_type = {name: of_type[other].decode("latin-1") for name, other in names.items() if other in of_type}
        given = {"input_format": TYPES[kind], **by_type, **given}
    try:
        found = _Told.model_validate(given)
    except ValidationError as error:
        raise bad_request(error) from error
    return headerless.described(**found.model_dump())


async def give_header(form: Form, said: Headerless, parts: tuple[ByteRange, ...] | None = None) -> None:
    """Put its header before the form's recording, or before parts of it.

    Raises:
        StorageFull: the disk has no space for both.
    """
    if form.size_bytes >= said.block_bytes:  # else the file is refused as empty
        await db.in_thread(_give_header, form, said, parts)


def _give_header(form: Form, said: Headerless, parts: tuple[ByteRange, ...] | None) -> None:
    name = form.file_name()
    form.sha256, form.size_bytes = added_headers.give_header(form.path, said, name, parts)
    form.name = said.name_with_header(name)
