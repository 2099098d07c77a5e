"""Uploads whose bytes go from the client straight to the bucket, part by part.

Rights, quotas, the room they reserve and what a recording must be are those of all uploads (`tus.py`). The server signs
an address for each part, completes the upload, and then reads the recording once, to check it and hash it.
"""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dashboards.http.error_responses import error_answer
from dashboards.http.identity import caller_of, language_of
from dashboards.http.request_options import OptionsForm, idempotency_key
from dashboards.runtime import context, db
from dashboards.services import accept_recording, job_access
from dashboards.uploads.dedupe import SHA256
from dashboards.uploads.finish_upload import land, the_direct_parts
from dashboards.uploads.upload_limits import check_length, make_room
from storage.domain import translation
from storage.domain.errors import BadRequest, DirectUploadsOff, KeyReused, NotFound, NotStored, StorageUnreachable
from storage.domain.job_messages import text_of
from storage.domain.records import Lane
from storage.domain.tags import split_tags
from storage.files import direct_parts
from storage.files.direct_parts import VALID_S, DirectParts, part_sizes
from storage.files.keyed_locks import KeyedLocks
from storage.files.upload_room import reserved
from storage.files.upload_store import ABANDONED_AFTER_S, Upload, ident_of, new_ident
from storage.jobs.annotations.metadata import clean_metadata

MOST_ADDRESSES = 100
_completion_locks = KeyedLocks()


class NewDirectUpload(BaseModel):
    """A recording that will come in parts."""

    model_config = ConfigDict(extra="forbid")

    name: str = ""
    size_bytes: int = Field(ge=0, lt=10**18)
    sha256: Annotated[str | None, StringConstraints(pattern=SHA256)] = None
    options: OptionsForm = Field(default_factory=OptionsForm)
    lane: Lane = Lane.INTERACTIVE
    tags: str = ""
    metadata: dict[str, str] = Field(default_factory=dict)


class WantedParts(BaseModel):
    """The numbers of the parts that a client is about to send."""

    model_config = ConfigDict(extra="forbid")

    numbers: list[int] = Field(min_length=1, max_length=MOST_ADDRESSES)


async def create(request: Request) -> Response:
    """POST: begin an upload; with an idempotency key the same request finds it again.

    Raises:
        DirectUploadsOff: they are off, or storage is no bucket.
    """
    direct, caller = _offered(), caller_of(request)
    user = caller.the_user()
    job_access.require_writer(user, "uploading")
    asked = NewDirectUpload.model_validate_json(await request.body())
    caller.require_lane(asked.lane)
    check_length(asked.size_bytes)
    shelf, key = context.current().shelf, idempotency_key(request)
    upload = Upload(
        id=ident_of(user.id, key) if key else new_ident(),
        owner_id=user.id,
        length_bytes=asked.size_bytes,
        name=asked.name,
        options=asked.options.options(),
        lane=asked.lane,
        tags=split_tags(asked.tags),
        job_metadata=clean_metadata(asked.metadata),
        api_key_id=caller.key_id,
        key=key,
    )
    if key and shelf.exists(upload.id) and not shelf.load(upload.id).refusal:
        return await _state_of(request, _same(shelf.load(upload.id), upload), HTTPStatus.OK)
    coming = await db.in_thread(reserved, shelf, by=user.id)
    more_bytes = upload.length_bytes + coming.to_come_bytes
    await accept_recording.admit(user, more_bytes=more_bytes, key=key, api_key_id=upload.api_key_id)
    await db.in_thread(_begin, direct, upload, asked.sha256)
    begun = _same(shelf.load(upload.id), upload)  # another creation may have been first
    return await _state_of(request, begun, HTTPStatus.CREATED)


def _begin(direct: DirectParts, upload: Upload, sha256: str | None) -> None:
    """Begin an upload in the bucket, and store it.

    The bucket is asked first: a slow one must not hold up others who wait for room. An upload without room, or one that
    was begun already, is ended there again.
    """
    begun = replace(upload, direct=direct.begin(upload.id, upload.length_bytes, sha256))
    stored = False
    try:
        stored = make_room(begun)
    finally:
        if not stored:
            with suppress(StorageUnreachable):  # the sweep ends it there
                direct.abort(begun)


def _same(begun: Upload, asked: Upload) -> Upload:
    """Return the upload that a key began.

    Raises:
        KeyReused: it was another recording, with other options, or not sent to the bucket.
    """
    same = ("length_bytes", "name", "options", "lane", "tags", "job_metadata")
    if begun.direct is None or any(getattr(begun, field) != getattr(asked, field) for field in same):
        raise KeyReused("Idempotency-Key", "it began another upload; use a new one")
    return begun


async def look(request: Request) -> Response:
    """GET: which parts have arrived, and what became of the upload."""
    return await _state_of(request, _asked_for(request), HTTPStatus.OK)


async def sign(request: Request) -> Response:
    """POST: the addresses to which some parts are sent, by PUT, within an hour.

    Raises:
        BadRequest: there is no such part.
        DirectUploadsOff: they are off by now.
    """
    upload, direct = _asked_for(request), _offered()
    job_access.require_writer(caller_of(request).the_user(), "uploading")
    wanted = WantedParts.model_validate_json(await request.body()).numbers
    last = len(part_sizes(upload))
    for number in wanted:
        if not 1 <= number <= last:
            values: dict[str, object] = {"number": number, "last": last}
            raise BadRequest("numbers", "there is no part {number}; they are 1 to {last}", values)
    if upload.settled or (upload.direct and upload.direct.complete):
        return await _state_of(request, upload, HTTPStatus.CONFLICT)
    urls = await db.in_thread(direct.signed, upload, wanted)
    await db.in_thread(context.current().shelf.touch, upload.id)
    return JSONResponse({"urls": {str(number): url for number, url in urls.items()}, "valid_s": VALID_S})


async def complete(request: Request) -> Response:
    """POST: make the job of an upload whose parts have arrived; it can be repeated.

    Raises:
        PartsMissing: some have not; those that have stay.
    """
    upload, direct = _asked_for(request), the_direct_parts()
    job_access.require_writer(caller_of(request).the_user(), "uploading")
    if not upload.settled:
        upload = await land(await db.in_thread(_completed, direct, upload.id))
    if refusal := upload.refusal:
        with translation.speaking(await language_of(request)):
            return error_answer(refusal.status, code=refusal.code, message=text_of(refusal.message))
    return await _state_of(request, upload, HTTPStatus.CREATED)


def _completed(direct: DirectParts, ident: str) -> Upload:
    """Make one object of an upload's parts, unless another request did, and return it."""
    shelf = context.current().shelf
    with _completion_locks.of(ident):
        upload = shelf.load(ident)
        if upload.settled or (upload.direct and upload.direct.complete):
            return upload
        direct.complete(upload)
        return shelf.note_complete(ident)


async def forget(request: Request) -> Response:
    """DELETE: abandon the upload and what has arrived of it. A job that it became is kept."""
    upload, direct = _asked_for(request), the_direct_parts()
    if not upload.settled:
        await db.in_thread(direct_parts.remove, context.current().shelf, upload, direct)
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _offered() -> DirectParts:
    """Return the uploads in the bucket, if clients may send more there.

    Raises:
        DirectUploadsOff: they are off, or storage is no bucket.
    """
    direct = the_direct_parts()
    if not direct.offered:
        raise DirectUploadsOff
    return direct


def _asked_for(request: Request) -> Upload:
    upload = context.current().shelf.load(request.path_params["ident"], caller_of(request).the_user().id)
    if upload.direct is None:
        raise NotFound("upload", upload.id)
    return upload


async def _state_of(request: Request, upload: Upload, status: int) -> Response:
    assert upload.direct is not None  # noqa: S101 - `_asked_for` and `_same` say so
    sizes = part_sizes(upload)
    told: dict[str, Any] = {"id": upload.id, "size_bytes": upload.length_bytes, "part_bytes": upload.direct.part_bytes}
    told |= {"parts": len(sizes), "arrived": await _arrived(upload), "job_id": upload.job_id, "error": None}
    if refusal := upload.refusal:
        with translation.speaking(await language_of(request)):
            told["error"] = {"code": refusal.code, "message": text_of(refusal.message)}
    if not upload.settled:
        expires_s = context.current().shelf.touched_s(upload) + ABANDONED_AFTER_S
        told["expires_at"] = datetime.fromtimestamp(expires_s, UTC).isoformat()
    return JSONResponse(told, status_code=status, headers={"Cache-Control": "no-store"})


async def _arrived(upload: Upload) -> list[int]:
    if upload.settled or (upload.direct and upload.direct.complete):
        return sorted(part_sizes(upload))
    try:
        return sorted(await db.in_thread(the_direct_parts().arrived, upload))
    except NotStored:  # the bucket completed it, and the note of that was lost; or it was aborted there
        return []


ROUTES = [
    Route("/uploads/direct", create, methods=["POST"]),
    Route("/uploads/direct/{ident}", look, methods=["GET"]),
    Route("/uploads/direct/{ident}", forget, methods=["DELETE"]),
    Route("/uploads/direct/{ident}/parts", sign, methods=["POST"]),
    Route("/uploads/direct/{ident}/complete", complete, methods=["POST"]),
]
