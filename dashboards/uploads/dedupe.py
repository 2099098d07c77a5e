"""What an uploader asks before it sends a file: have I sent this before? And, if so: hear it again, without sending."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dashboards import context
from dashboards.callers import caller_of
from dashboards.forms import OptionsForm
from dashboards.landing import accept_stored
from storage import twins
from storage.errors import BadRequest, NotFound
from storage.records import Job, Lane

SHA256 = r"^[0-9a-f]{64}$"


class Again(BaseModel):
    """One more job of bytes that the caller has a job of already."""

    model_config = ConfigDict(extra="forbid")

    sha256: Annotated[str, StringConstraints(pattern=SHA256)]
    name: str
    options: OptionsForm = Field(default_factory=OptionsForm)
    lane: Lane = Lane.INTERACTIVE
    key: str = Field(min_length=8, max_length=100)


async def known(request: Request) -> Response:
    """GET ?size=: whether hashing is worth the while; ?sha256=: the caller's jobs of these bytes, newest first."""
    owner_id = caller_of(request).the_user().id
    if sha256 := request.query_params.get("sha256"):
        return JSONResponse({"jobs": [_told(job) for job in await context.read(twins.of, owner_id, sha256)]})
    size = request.query_params.get("size", "")
    if not size.isascii() or not size.isdigit() or len(size) > 18:
        raise BadRequest("size", "send it as a whole number of bytes, or send sha256")
    return JSONResponse({"known": await context.read(twins.may_exist, owner_id, int(size))})


async def again(request: Request) -> Response:
    """POST: make a job of bytes that lie on storage, for somebody who has a job of them; asked twice, it is one.

    Raises:
        NotFound: the caller has none; the file has to be sent.
    """
    user = caller_of(request).may_write("uploading")
    asked = Again.model_validate_json(await request.body())
    earlier = await context.read(twins.of, user.id, asked.sha256)
    if not earlier:
        raise NotFound("recording", asked.sha256)
    job = await accept_stored(
        sha256=asked.sha256,
        size_bytes=earlier[0].media_bytes,
        owner_id=user.id,
        name=asked.name,
        options=asked.options.options(),
        lane=asked.lane,
        actor=f"user:{user.id}",
        key=f"again:{asked.key}",
    )
    return JSONResponse(_told(job), status_code=201)


def _told(job: Job) -> dict[str, Any]:
    return {"id": job.id, "name": job.name, "state": job.state.value, "created_at": job.created_at.isoformat()}


ROUTES = [
    Route("/uploads/known", known, methods=["GET"]),
    Route("/uploads/again", again, methods=["POST"]),
]
