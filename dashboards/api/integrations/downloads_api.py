"""`POST /api/v1/jobs` with an address, and `/api/v1/downloads`: recordings that this server gets itself."""

from enum import StrEnum
from http import HTTPStatus
from typing import Any, Self

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dashboards.http.error_responses import bad_request
from dashboards.http.identity import caller_of
from dashboards.http.request_options import OptionsForm, idempotency_key
from dashboards.runtime import context, db
from dashboards.services import url_download
from storage.domain.errors import BadRequest
from storage.domain.job_messages import text_of
from storage.domain.network.outgoing_targets import MAX_URL_CHARS
from storage.domain.recording_names import MAX_NAME_CHARS
from storage.domain.records import Lane
from storage.domain.tags import split_tags
from storage.files.upload_store import Upload
from storage.jobs.annotations.metadata import clean_metadata

router = APIRouter(tags=["jobs"])
MAX_BODY_BYTES = 64 * 1024


class DownloadState(StrEnum):
    """Where a download is."""

    DOWNLOADING = "downloading"
    CHECKING = "checking"
    COMPLETED = "completed"
    FAILED = "failed"


class DownloadOrder(BaseModel):
    """A recording to get from an address, or from a path that an administrator listed."""

    model_config = ConfigDict(extra="forbid")

    url: str | None = Field(None, max_length=MAX_URL_CHARS)
    path: str | None = Field(None, max_length=MAX_URL_CHARS)
    name: str | None = Field(None, min_length=1, max_length=MAX_NAME_CHARS)
    options: OptionsForm = Field(default_factory=OptionsForm)
    lane: Lane = Lane.INTERACTIVE
    tags: str = ""
    metadata: dict[str, str] = Field(default_factory=dict)


PATH = "Instead of `url`: a file or `s3://bucket/key` within `TRANSCRIBER_BATCH_SOURCES`, listed for the caller."
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "url": {"type": "string", "maxLength": MAX_URL_CHARS, "example": "https://media.example.org/talk.mp3"},
        "path": {"type": "string", "maxLength": MAX_URL_CHARS, "description": PATH},
        "name": {"type": "string", "maxLength": MAX_NAME_CHARS, "description": "Default: the address's end."},
        "options": {"type": "object", "description": "As in the form.", "example": {"language": "en"}},
        "lane": {"type": "string", "enum": [lane.value for lane in Lane], "default": "interactive"},
        "tags": {"type": "string", "description": "As in the form."},
        "metadata": {"type": "object", "additionalProperties": {"type": "string"}, "example": {"case": "2026-117"}},
    },
}
"""`DownloadOrder` as OpenAPI has it."""


class DownloadError(BaseModel):
    """Why a download became no job."""

    code: str
    message: str


class DownloadBody(BaseModel):
    """A recording that this server gets from an address, and the job that it became."""

    id: str
    url: str = Field(description="The address or the path.")
    name: str
    state: DownloadState
    received_bytes: int
    length_bytes: int | None = Field(description="Null while it is not known.")
    tries: int = Field(description="Failed attempts since the last bytes came.")
    job_id: str | None
    error: DownloadError | None

    @classmethod
    def of(cls, upload: Upload) -> Self:
        """Describe a download."""
        shelf, source, refusal = context.current().shelf, upload.source, upload.refusal
        state = DownloadState.CHECKING if upload.sha256 or shelf.whole(upload) else DownloadState.DOWNLOADING
        if upload.settled:
            state = DownloadState.COMPLETED if upload.job_id else DownloadState.FAILED
        return cls(
            id=upload.id,
            url=source.url if source else "",
            name=upload.name,
            state=state,
            received_bytes=0 if refusal else shelf.offset(upload),
            length_bytes=None if upload.deferred else upload.length_bytes,
            tries=source.tries if source else 0,
            job_id=upload.job_id,
            error=DownloadError(code=refusal.code, message=text_of(refusal.message)) if refusal else None,
        )


class DownloadList(BaseModel):
    """The caller's downloads of the last day."""

    downloads: list[DownloadBody]


def asks_for_a_download(request: Request) -> bool:
    """Return whether a request for a job has a JSON body."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"


def source_of(url: str | None, path: str | None) -> str:
    """Return the one source that was given.

    Raises:
        BadRequest: there is none or there are two, or the path is not absolute.
    """
    if (url is None) == (path is None):
        raise BadRequest("url", "give either the url or the path of a recording")
    if path is not None and not url_download.is_path(path):
        raise BadRequest("path", "write it from the root, as /folder/file or s3://bucket/key")
    if url is not None and url_download.is_path(url):
        raise BadRequest("url", "it is no address; a file of the server's is a path")
    return str(url if path is None else path)


async def order_download(request: Request) -> Response:
    """Begin the download that a request for a job names."""
    body = bytearray()
    async for block in request.stream():
        body += block
        if len(body) > MAX_BODY_BYTES:
            raise BadRequest("body", "this JSON is too long")
    try:
        asked = DownloadOrder.model_validate_json(bytes(body))
    except ValidationError as error:
        raise bad_request(error) from error
    caller = caller_of(request)
    caller.require_lane(asked.lane)
    made = await url_download.order(
        caller.the_user(),
        source_of(asked.url, asked.path),
        name=asked.name,
        options=asked.options.options(),
        lane=asked.lane,
        tags=split_tags(asked.tags),
        job_metadata=clean_metadata(asked.metadata),
        key=idempotency_key(request),
        api_key_id=caller.key_id,
    )
    headers = {"Location": f"/api/v1/downloads/{made.id}"}
    told = DownloadBody.of(made).model_dump_json()
    return Response(told, HTTPStatus.ACCEPTED, media_type="application/json", headers=headers)


@router.get("/v1/downloads")
async def list_downloads(request: Request) -> DownloadList:
    """List the caller's downloads of the last day, whether or not they became jobs."""
    user, shelf = caller_of(request).the_user(), context.current().shelf
    found = await db.in_thread(lambda: [DownloadBody.of(one) for one in url_download.of_user(shelf, user.id)])
    return DownloadList(downloads=found)


@router.get("/v1/downloads/{download_id}")
async def get_download(request: Request, download_id: str) -> DownloadBody:
    """Return a download that `POST /api/v1/jobs` began with an address."""
    user, shelf = caller_of(request).the_user(), context.current().shelf
    return DownloadBody.of(await db.in_thread(url_download.find, shelf, download_id, user.id))


@router.delete("/v1/downloads/{download_id}", status_code=HTTPStatus.NO_CONTENT)
async def cancel_download(request: Request, download_id: str) -> None:
    """Stop a download and delete what came. A job that it became is kept."""
    user, shelf = caller_of(request).the_user(), context.current().shelf
    await url_download.cancel(await db.in_thread(url_download.find, shelf, download_id, user.id))
