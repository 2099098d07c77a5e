"""`/api/v1/jobs/{id}/alignment`: a corrected text gets times from the sound."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dashboards.http.identity import caller_of, language_of
from dashboards.services import text_alignments
from storage.domain import translation
from storage.domain.job_messages import text_of
from storage.domain.records import AlignmentState, TextAlignment, to_json
from storage.remote import alignment_reports

router = APIRouter(tags=["results"])


class CorrectedText(BaseModel):
    """The right text of a recording."""

    model_config = ConfigDict(extra="forbid")

    version: int = Field(ge=1, description="The current version of the transcript, which the text replaces.")
    text: str = Field(
        min_length=1,
        max_length=text_alignments.MAX_TEXT_CHARS,
        description="Plain text. A line becomes a segment; `Name: ` at the start of a line names its speaker.",
        examples=["Anna: Good morning.\nBert: Good morning, everybody."],
    )


class AlignmentBody(BaseModel):
    """How far a corrected text is."""

    id: str
    state: AlignmentState
    progress: float = Field(description="From 0 to 1.")
    detail: str = Field(description="Why it was refused or failed, or what was saved.")
    base: int = Field(description="The version that it replaces.")
    version: int | None = Field(description="The version that it became.")
    made_at: datetime


@router.post("/v1/jobs/{job_id}/alignment", status_code=202)
async def start(request: Request, job_id: str, body: CorrectedText) -> AlignmentBody:
    """Give a corrected text its times, and save it as the next version.

    Words that the transcript has keep their times; the others are aligned with the sound between them. This takes a run
    on the gpu workers: ask again until `state` is final. A text that is not what is said is `refused`, and nothing is
    changed; passages that it leaves out, and those without sound, are findings of the new version. Every version
    before can be restored.
    """
    user = caller_of(request).the_user()
    return await _body(request, await text_alignments.ask(user, job_id, body.text, base=body.version))


@router.get("/v1/jobs/{job_id}/alignment")
async def look(request: Request, job_id: str) -> AlignmentBody | None:
    """Return how far the last corrected text is; null if none was sent."""
    found = await text_alignments.latest(caller_of(request).the_user(), job_id)
    return await _body(request, found) if found else None


@router.delete("/v1/jobs/{job_id}/alignment")
async def cancel(request: Request, job_id: str) -> AlignmentBody:
    """Cancel the corrected text in progress; one that ended stays as it is."""
    return await _body(request, await text_alignments.cancel(caller_of(request).the_user(), job_id))


async def _body(request: Request, found: TextAlignment) -> AlignmentBody:
    with translation.speaking(await language_of(request)):
        said = {"detail": text_of(found.detail)}
    return AlignmentBody(**{name: getattr(found, name) for name in AlignmentBody.model_fields} | said)


async def report(request: Request) -> Response:
    """Apply a worker's report on a text, and respond with how the text stands."""
    told = alignment_reports.read(await request.body())
    actor = f"worker:{caller_of(request).worker_named(told.worker)}"
    found = await text_alignments.report(request.path_params["alignment_id"], told, actor=actor)
    return Response(to_json(found), media_type="application/json")


ROUTES = [Route("/internal/v1/alignments/{alignment_id}", report, methods=["POST"])]
