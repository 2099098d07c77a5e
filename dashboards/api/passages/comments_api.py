"""`/api/v1/jobs/{id}/comments` and `…/highlights`: what people say and mark about passages."""

from datetime import datetime
from typing import Literal

from duckdb import DuckDBPyConnection
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from dashboards.api.media import visible
from dashboards.api.passages.passage_files import answer
from dashboards.api.transcript_api import actor_names
from dashboards.http.identity import caller_of
from dashboards.presenters import passage_text
from dashboards.runtime import db
from dashboards.services import job_access, passages
from storage.domain.records import HighlightColour, Job, Note, User
from storage.jobs.annotations import comments, notes
from storage.jobs.annotations.comments import MAX_QUOTE_CHARS, Passage, Unseen

router = APIRouter(tags=["comments"])


class PassageBody(BaseModel):
    """A part of the recording, and the words of the transcript there."""

    model_config = ConfigDict(extra="forbid")

    start_s: float = Field(ge=0, allow_inf_nan=False, examples=[4.2])
    end_s: float = Field(ge=0, allow_inf_nan=False, examples=[7.6])
    quote: str = Field(min_length=1, max_length=MAX_QUOTE_CHARS, examples=["The ferry leaves at nine"])

    def passage(self) -> Passage:
        return Passage(start_s=self.start_s, end_s=self.end_s, quote=self.quote)


class CommentText(BaseModel):
    """The text of a comment or reply."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, max_length=notes.MAX_CHARS, examples=["Is it nine or ten?"])


class NewComment(PassageBody, CommentText):
    """A comment on a passage."""


class ResolvedBody(BaseModel):
    """Whether a comment is resolved."""

    model_config = ConfigDict(extra="forbid")

    resolved: bool = Field(examples=[True])


class ReplyBody(BaseModel):
    """An answer to a comment; without text it was deleted."""

    id: str
    text: str
    made_by: str = Field(description="A user's name.")
    made_at: datetime
    changed_at: datetime | None
    mine: bool = Field(description="Whether the caller wrote it.")
    may_remove: bool


class CommentBody(ReplyBody):
    """A comment on a passage with its replies."""

    start_s: float
    end_s: float
    quote: str = Field(description="The words that were commented on, as they were then.")
    resolved_at: datetime | None
    resolved_by: str | None
    replies: list[ReplyBody]


class ColourBody(BaseModel):
    """The colour of a highlight."""

    model_config = ConfigDict(extra="forbid")

    colour: HighlightColour = Field(examples=["yellow"])


class NewHighlight(PassageBody, ColourBody):
    """A passage to highlight."""


class HighlightBody(NewHighlight):
    """A highlighted passage; `quote` has its words as they were then."""

    id: str
    made_by: str
    made_at: datetime
    may_change: bool


class UnseenBody(BaseModel):
    """A comment of somebody else that the recording's owner, the caller, has not seen."""

    id: str
    job_id: str
    name: str = Field(description="The recording's name.")
    start_s: float
    text: str
    made_by: str
    made_at: datetime


@router.get("/v1/jobs/{job_id}/comments")
async def list_comments(request: Request, job_id: str) -> list[CommentBody]:
    """List the comments on passages of a recording by their start, each with its replies."""
    user = caller_of(request).the_user()
    job = await visible(request, job_id)
    return await db.read(_threads, job, user)


@router.post("/v1/jobs/{job_id}/comments", status_code=201)
async def add_comment(request: Request, job_id: str, body: NewComment) -> CommentBody:
    """Comment on a passage. Whoever may read the recording may do so."""
    user = caller_of(request).the_user()
    made = await db.in_ledger(passages.comment, user, job_id, body.passage(), body.text)
    return await _thread(user, job_id, made.id)


@router.post("/v1/jobs/{job_id}/comments/seen", status_code=204)
async def see_comments(request: Request, job_id: str) -> None:
    """Note that the owner of a recording has seen its comments.

    They are announced no more."""
    await db.in_ledger(passages.seen, caller_of(request).the_user(), job_id)


@router.post("/v1/jobs/{job_id}/comments/{comment_id}/replies", status_code=201)
async def add_reply(request: Request, job_id: str, comment_id: str, body: CommentText) -> CommentBody:
    """Answer a comment; a resolved one is open again then."""
    user = caller_of(request).the_user()
    await db.in_ledger(passages.reply, user, job_id, comment_id, body.text)
    return await _thread(user, job_id, comment_id)


@router.put("/v1/jobs/{job_id}/comments/{comment_id}/resolved")
async def resolve_comment(request: Request, job_id: str, comment_id: str, body: ResolvedBody) -> CommentBody:
    """Resolve a comment with its replies, or open it again."""
    user = caller_of(request).the_user()
    await db.in_ledger(passages.resolve, user, job_id, comment_id, resolved=body.resolved)
    return await _thread(user, job_id, comment_id)


@router.put("/v1/jobs/{job_id}/comments/{comment_id}")
async def change_comment(request: Request, job_id: str, comment_id: str, body: CommentText) -> CommentBody:
    """Change the text of one's own comment or reply; the answer is the whole thread."""
    user = caller_of(request).the_user()
    changed = await db.in_ledger(passages.change, user, job_id, comment_id, body.text)
    return await _thread(user, job_id, changed.parent or changed.id)


@router.delete("/v1/jobs/{job_id}/comments/{comment_id}", status_code=204)
async def remove_comment(request: Request, job_id: str, comment_id: str) -> None:
    """Delete a comment or reply of one's own.

    The owner of the recording may delete all. A comment with replies loses its text, and goes with the last reply.
    """
    await db.in_ledger(passages.remove, caller_of(request).the_user(), job_id, comment_id)


@router.get("/v1/comments/unseen")
async def unseen_comments(request: Request) -> list[UnseenBody]:
    """List comments of others on the caller's recordings that the caller has not seen."""
    found = await db.in_ledger(passages.unseen, caller_of(request).the_user())
    names = await db.read(actor_names, [one.made_by for one in found]) if found else {}
    return [_unseen(one, names) for one in found]


@router.get("/v1/jobs/{job_id}/highlights")
async def list_highlights(request: Request, job_id: str) -> list[HighlightBody]:
    """List the highlights of a recording by their start."""
    user = caller_of(request).the_user()
    job = await visible(request, job_id)
    return await db.read(_highlights, job, user)


@router.get("/v1/jobs/{job_id}/highlights/export", response_class=Response)
async def export_highlights(request: Request, job_id: str, format: Literal["md", "txt"] = "md") -> Response:  # noqa: A002 - the parameter's name
    """Return the highlights with times as Markdown or plain text."""
    job = await visible(request, job_id)
    found = await db.read(comments.highlights_of, job.id)
    return answer(passage_text.highlights(job.name, found, fmt=format), f"{job.name}.highlights", format)


@router.post("/v1/jobs/{job_id}/highlights", status_code=201)
async def add_highlight(request: Request, job_id: str, body: NewHighlight) -> HighlightBody:
    """Highlight a passage. Whoever may read the recording may do so, and all its readers see it."""
    user = caller_of(request).the_user()
    made = await db.in_ledger(passages.highlight, user, job_id, body.passage(), body.colour)
    return await _one_highlight(user, job_id, made.id)


@router.put("/v1/jobs/{job_id}/highlights/{highlight_id}")
async def change_highlight(request: Request, job_id: str, highlight_id: str, body: ColourBody) -> HighlightBody:
    """Give a highlight another colour."""
    user = caller_of(request).the_user()
    await db.in_ledger(passages.recolour, user, job_id, highlight_id, body.colour)
    return await _one_highlight(user, job_id, highlight_id)


@router.delete("/v1/jobs/{job_id}/highlights/{highlight_id}", status_code=204)
async def remove_highlight(request: Request, job_id: str, highlight_id: str) -> None:
    """Remove a highlight of one's own; the owner of the recording may remove all."""
    await db.in_ledger(passages.unhighlight, caller_of(request).the_user(), job_id, highlight_id)


async def _thread(user: User, job_id: str, comment_id: str) -> CommentBody:
    job = await db.read(job_access.visible, user, job_id)
    return next(one for one in await db.read(_threads, job, user) if one.id == comment_id)


async def _one_highlight(user: User, job_id: str, highlight_id: str) -> HighlightBody:
    job = await db.read(job_access.visible, user, job_id)
    return next(one for one in await db.read(_highlights, job, user) if one.id == highlight_id)


def _threads(con: DuckDBPyConnection, job: Job, user: User) -> list[CommentBody]:
    found = comments.list_of(con, job.id)
    names = actor_names(con, [by for one in found for by in (one.made_by, one.resolved_by) if by])
    author = _author(con, user, job)
    replies: dict[str | None, list[ReplyBody]] = {}
    for one in sorted(found, key=lambda note: note.made_at):
        replies.setdefault(one.parent, []).append(ReplyBody(**_said(one, names, user, author)))
    return [
        CommentBody(
            **_said(one, names, user, author),
            start_s=one.at_s,
            end_s=one.end_s,
            quote=one.quote,
            resolved_at=one.resolved_at,
            resolved_by=names.get(one.resolved_by or ""),
            replies=replies.get(one.id, []),
        )
        for one in found
        if one.parent is None
    ]


def _said(note: Note, names: dict[str, str], user: User, author: str | None) -> dict[str, object]:
    return {
        "id": note.id,
        "text": note.text,
        "made_by": names.get(note.made_by, note.made_by),
        "made_at": note.made_at,
        "changed_at": note.changed_at,
        "mine": bool(note.text) and note.made_by == user.actor,
        "may_remove": bool(note.text) and _is_by(author, note),
    }


def _highlights(con: DuckDBPyConnection, job: Job, user: User) -> list[HighlightBody]:
    found, author = comments.highlights_of(con, job.id), _author(con, user, job)
    names = actor_names(con, [one.made_by for one in found])
    return [
        HighlightBody(
            id=one.id,
            start_s=one.at_s,
            end_s=one.end_s,
            quote=one.quote,
            colour=one.colour,
            made_by=names.get(one.made_by, one.made_by),
            made_at=one.made_at,
            may_change=_is_by(author, one),
        )
        for one in found
    ]


NOBODY = ""


def _author(con: DuckDBPyConnection, user: User, job: Job) -> str | None:
    """Return whose comments the user may delete; None for everybody's."""
    return job_access.author_of_changes(con, user, job) if user.role.may_write else NOBODY


def _is_by(author: str | None, note: Note) -> bool:
    return author in {None, note.made_by}


def _unseen(one: Unseen, names: dict[str, str]) -> UnseenBody:
    return UnseenBody(
        id=one.id,
        job_id=one.job_id,
        name=one.name,
        start_s=one.start_s,
        text=one.text,
        made_by=names.get(one.made_by, one.made_by),
        made_at=one.made_at,
    )
