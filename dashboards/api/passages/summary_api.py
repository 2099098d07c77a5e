"""`/api/v1/jobs/{id}/summary`: a summary with chapters, by the server that an administrator named."""

import asyncio
from dataclasses import asdict
from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from dashboards.api.media import visible
from dashboards.api.passages.passage_files import answer
from dashboards.api.transcript_api import actor_names
from dashboards.http.identity import caller_of, language_of
from dashboards.presenters import passage_text
from dashboards.runtime import context, db
from dashboards.services import job_access, summarizing
from storage.domain import translation
from storage.domain.errors import NotFound
from storage.domain.job_actions import JobAction
from storage.domain.records import Job, Summary, User, to_json
from storage.jobs.annotations import summaries
from storage.transcripts import versions

router = APIRouter(tags=["summaries"])


class SummaryOrder(BaseModel):
    """The version that is to be sent, as in `offer`."""

    model_config = ConfigDict(extra="forbid")

    version: int = Field(ge=1, examples=[1])


class OfferBody(BaseModel):
    """What a summary would send where.

    It is the lines of the transcript with their times and speakers, nothing else."""

    url: str
    host: str
    model: str
    version: int
    chars: int
    parts: int = Field(description="Number of requests for the text; several need some more to join their summaries.")


class RunBody(BaseModel):
    """A summary that is being made."""

    part: int = Field(description="Parts that are done.")
    parts: int


class ChapterBody(BaseModel):
    """A part of the recording with its title."""

    start_s: float
    end_s: float
    title: str


class SummaryBody(BaseModel):
    """A summary of one version of the transcript."""

    version: int
    text: str
    chapters: list[ChapterBody]
    model: str
    host: str
    made_by: str
    made_at: datetime


class SummaryState(BaseModel):
    """The newest summary, and what making another one would mean."""

    summary: SummaryBody | None
    running: RunBody | None
    problem: str | None = Field(description="Why the last one failed; for those who may send it.")
    offer: OfferBody | None = Field(description="Null where summaries are off, or the caller may not edit.")


@router.get("/v1/jobs/{job_id}/summary")
async def get_summary(request: Request, job_id: str) -> SummaryState:
    """Return the newest summary, and what would be sent where for another one."""
    user = caller_of(request).the_user()
    return await _state(request, user, await visible(request, job_id))


@router.post("/v1/jobs/{job_id}/summary", status_code=202)
async def order_summary(request: Request, job_id: str, body: SummaryOrder) -> SummaryState:
    """Have the server in `offer` make a summary of this version of the transcript.

    It takes the right to edit. Each sending is in the audit log. The answer comes at once: `running` says how far it
    is, and `/events` announces the end.
    """
    user = caller_of(request).the_user()
    await summarizing.order(user, job_id, body.version)
    return await _state(request, user, await db.read(job_access.visible, user, job_id))


@router.get("/v1/jobs/{job_id}/summary/export", response_class=Response)
async def export_summary(request: Request, job_id: str, format: Literal["md", "vtt", "json"] = "md") -> Response:  # noqa: A002 - the parameter's name
    """Return the newest summary as a file.

    Markdown and JSON have its chapters; WebVTT is the chapters alone."""
    job = await visible(request, job_id)
    made = await db.in_thread(_newest, job)
    if made is None:
        raise NotFound("summary of job", job.id)
    if format == "json":
        return answer(to_json(made), f"{job.name}.summary", format)
    if format == "vtt":
        return answer(passage_text.chapters(made.chapters), f"{job.name}.chapters", format)
    return answer(passage_text.summary(job.name, made), f"{job.name}.summary", format)


async def _state(request: Request, user: User, job: Job) -> SummaryState:
    runs = context.current().summary_runs  # looked at first: what has ended by now can be read below
    running, problem = runs.running.get(job.id), runs.problems.get(job.id)
    made, offered = await asyncio.gather(db.in_thread(_newest, job), db.in_thread(_offer, user, job))
    names = await db.read(actor_names, [made.made_by]) if made else {}
    with translation.speaking(await language_of(request)):
        why = str(problem) if problem and offered else None
    return SummaryState(
        summary=_shown(made, names) if made else None,
        running=RunBody(part=running.part, parts=running.parts) if running else None,
        problem=why,
        offer=offered,
    )


def _newest(job: Job) -> Summary | None:
    found = db.look(summaries.list_of, job.id)
    return summaries.read(context.files(), found[0]) if found else None


def _offer(user: User, job: Job) -> OfferBody | None:
    if not context.settings().summary.is_on or not job_access.may(user, JobAction.EDIT, job):
        return None
    version = db.look(versions.current, job.id)
    return OfferBody(**asdict(summarizing.offer(version, versions.read(context.files(), version))))


def _shown(made: Summary, names: dict[str, str]) -> SummaryBody:
    told = {name: value for name, value in asdict(made).items() if name in SummaryBody.model_fields}
    return SummaryBody(**(told | {"made_by": names.get(made.made_by, made.made_by)}))
