"""Find files that the user has uploaded before, and transcribe them without an upload."""

import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dashboards.http.identity import caller_of
from dashboards.http.request_options import OptionsForm
from dashboards.runtime import db
from dashboards.services import accept_recording, job_access
from dashboards.services.accept_recording import NewRecording
from storage.domain.errors import BadRequest, NotFound
from storage.domain.records import Job, Lane
from storage.domain.tags import split_tags
from storage.jobs import duplicates

SHA256 = r"^[0-9a-f]{64}$"
SIZE = re.compile(r"[0-9]{1,18}")
MOST_SIZES = 100


class Again(BaseModel):
    """A new job for bytes that the caller already has a job of."""

    model_config = ConfigDict(extra="forbid")

    sha256: Annotated[str, StringConstraints(pattern=SHA256)]
    name: str
    options: OptionsForm = Field(default_factory=OptionsForm)
    lane: Lane = Lane.INTERACTIVE
    tags: str = ""
    key: str = Field(min_length=8, max_length=100)


async def known(request: Request) -> Response:
    """Return which sizes the caller has recordings of, or the jobs of one checksum.

    GET ?size=&size=…: the sizes in bytes whose files are worth hashing; ?sha256=: the jobs, newest first.
    """
    owner_id = caller_of(request).the_user().id
    if sha256 := request.query_params.get("sha256"):
        return JSONResponse({"jobs": [_told(job) for job in await db.read(duplicates.of, owner_id, sha256)]})
    sizes = request.query_params.getlist("size")
    if not 0 < len(sizes) <= MOST_SIZES or not all(SIZE.fullmatch(size) for size in sizes):
        raise BadRequest("size", "send up to {most} whole numbers of bytes, or send sha256", {"most": MOST_SIZES})
    return JSONResponse({"known": sorted(await db.read(duplicates.sizes_of, owner_id, [int(size) for size in sizes]))})


async def again(request: Request) -> Response:
    """POST: create a job from stored bytes that the caller has a job of; idempotent.

    Raises:
        NotFound: the caller has none; the file has to be uploaded.
    """
    caller = caller_of(request)
    user = caller.the_user()
    job_access.require_writer(user, "uploading")
    asked = Again.model_validate_json(await request.body())
    caller.require_lane(asked.lane)
    earlier = await db.read(duplicates.of, user.id, asked.sha256)
    if not earlier:
        raise NotFound("recording", asked.sha256)
    new = NewRecording(
        owner_id=user.id,
        name=asked.name,
        options=asked.options.options(),
        lane=asked.lane,
        tags=split_tags(asked.tags),
        actor=user.actor,
        key=f"again:{asked.key}",
        api_key_id=caller.key_id,
    )
    job = await accept_recording.accept_stored(new, sha256=asked.sha256, size_bytes=earlier[0].media_bytes)
    return JSONResponse(_told(job), status_code=201)


def _told(job: Job) -> dict[str, Any]:
    return {"id": job.id, "name": job.name, "state": job.state.value, "created_at": job.created_at.isoformat()}


ROUTES = [
    Route("/uploads/known", known, methods=["GET"]),
    Route("/uploads/again", again, methods=["POST"]),
]
