"""The `Upload-Metadata` of a tus request: pairs of a key and a base64 value."""

import base64
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request

from dashboards.http.error_responses import bad_request
from dashboards.http.identity import caller_of
from dashboards.http.request_options import lane_from, options_from_json
from storage.domain.errors import BadRequest
from storage.domain.records import Lane, Options
from storage.domain.tags import split_tags
from storage.files.upload_store import InputDescription
from storage.jobs.annotations.metadata import metadata_from_json
from storage.media import headerless


class _InputFields(BaseModel):
    """What the keys say of a recording without a header."""

    model_config = ConfigDict(extra="ignore")

    input_format: str | None = None
    sample_rate: int | None = None
    input_channels: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadMetadata:
    """A recording's name and options; `raw` is what the client sent."""

    name: str
    options: Options
    lane: Lane
    tags: tuple[str, ...]
    job_metadata: dict[str, str]
    input: InputDescription | None
    raw: str

    @classmethod
    def of(cls, request: Request) -> "UploadMetadata":
        """Parse a request's header.

        Raises:
            BadRequest: it is malformed, or requests something unknown.
            ScopeMissing: the key may not use this lane.
        """
        raw = request.headers.get("upload-metadata", "")
        values = _decoded(raw)
        lane = lane_from(values.get("lane"))
        caller_of(request).require_lane(lane)
        return cls(
            name=values.get("filename", ""),
            options=options_from_json(values.get("options")),
            lane=lane,
            tags=split_tags(values.get("tags")),
            job_metadata=metadata_from_json(values.get("metadata")),
            input=_described_input(values),
            raw=raw,
        )

    def fields(self) -> dict[str, Any]:
        """Return the fields of an upload that are known from the metadata."""
        return {
            "name": self.name,
            "options": self.options,
            "lane": self.lane,
            "tags": self.tags,
            "job_metadata": self.job_metadata,
            "input": self.input,
            "metadata": self.raw,
        }


def _decoded(raw: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for pair in filter(None, raw.split(",")):
        key, _, value = pair.strip().partition(" ")
        try:
            values[key] = base64.b64decode(value, validate=True).decode("utf-8")
        except ValueError as error:  # also of a character that is none of ASCII
            raise BadRequest("Upload-Metadata", f"{key} is not UTF-8 in base64") from error
    return values


def _described_input(values: dict[str, str]) -> InputDescription | None:
    try:
        found = _InputFields.model_validate({key: value for key, value in values.items() if value})
    except ValidationError as error:
        raise bad_request(error) from error
    described = headerless.described(**found.model_dump())
    if described is None:
        return None
    return InputDescription(format=described.format, rate_hz=described.rate_hz, channels=described.channels)
