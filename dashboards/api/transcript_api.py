"""`/api/v1/jobs/{id}/…`: a job's transcript to read and to edit, its versions, and notes; for programs and our page."""

import gzip
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from duckdb import DuckDBPyConnection
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from dashboards import context, media, text_so_far
from dashboards.callers import caller_of
from storage import editing, notes, revision, transcripts, users, versions
from storage.editing import Draft, Piece
from storage.errors import NotFound, NotStored
from storage.records import Job, Note, Transcript, Version, Word, to_json

GZIP_FROM_BYTES = 10_000

router = APIRouter()


class WordBody(BaseModel):
    """One word; its text keeps the space in front of it."""

    model_config = ConfigDict(extra="forbid")

    start_s: float
    end_s: float
    text: str
    probability: float = Field(1.0, ge=0, le=1)


class PieceBody(BaseModel):
    """A segment that is edited, new, split off or merged. Without text it is deleted."""

    model_config = ConfigDict(extra="forbid")

    start_s: float
    end_s: float
    text: str
    speaker: str | None = None
    origin: list[int] | None = Field(
        None,
        alias="from",
        description="Indexes of the segments that it comes from, whose words' times it keeps where the words stayed. "
        "Left out: those that it overlaps in time.",
    )
    words: list[WordBody] | None = Field(
        None, description="Words with times set by hand; they must spell the text. Left out: times are worked out."
    )

    def piece(self) -> Piece:
        words = None if self.words is None else tuple(Word(**one.model_dump()) for one in self.words)
        origin = None if self.origin is None else tuple(self.origin)
        told = {"start_s": self.start_s, "end_s": self.end_s, "text": self.text, "speaker": self.speaker}
        return Piece(**told, origin=origin, words=words)  # type: ignore[arg-type]


class EditBody(BaseModel):
    """An edit of the version that was read before: all segments in order of time."""

    model_config = ConfigDict(extra="forbid")

    version: int = Field(ge=1, description="The version that was edited, as the transcript says it.")
    segments: list[int | PieceBody] = Field(
        max_length=editing.MAX_SEGMENTS, description="A segment that stays as it is by its index, or what it becomes."
    )
    note: str = Field("", max_length=200, description="What was changed, for the list of versions.")


class RestoreBody(BaseModel):
    """Which version is current now, so that nobody's edit is passed over."""

    version: int = Field(ge=1)


class VersionBody(BaseModel):
    """One state of a transcript."""

    version: int
    made_by: str = Field(description="A user's name, or `engine` for what was heard.")
    made_at: datetime
    note: str
    changed: int = Field(description="How many segments are new in it.")


class ChangeBody(BaseModel):
    """A stretch that two versions have differently."""

    start_s: float
    end_s: float
    before: list[str]
    after: list[str]


class NoteText(BaseModel):
    """A note, about the whole recording or about one moment."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, max_length=notes.MAX_CHARS)
    at_s: float | None = Field(None, ge=0, description="The moment it is about, in seconds; null for all of it.")


class NoteBody(NoteText):
    """A note as it is kept."""

    id: str
    made_by: str
    made_at: datetime
    changed_at: datetime | None


@router.get("/v1/jobs/{job_id}/transcript", tags=["results"], response_class=Response)
async def transcript(
    request: Request,
    job_id: str,
    partial: Annotated[
        bool, Query(description="Of a job under way, what has been heard and is settled so far.")
    ] = False,
    after: Annotated[int, Query(ge=0, description="Leave out so many `parts`, which were fetched before.")] = 0,
) -> Response:
    """The whole current transcript as JSON: segments, words with times and probabilities, findings, provenance.

    With `partial=true` it can be read along while it is being heard. As long as the answer says `"partial": true`, it
    is not final: it holds `segments` up to `until_s`, and words, languages and speakers may still change. To follow
    without fetching anything twice, send `after` with the `parts` of the answer before whenever `/events` tells of
    more; where `attempt` is another, or `after` comes back as another, begin anew. Before anything is settled the
    answer is 404; once the job has failed or was cancelled, 409 `job_moved`; once it has completed, the transcript.
    """
    job = await _own(request, job_id)
    if partial and (so_far := await text_so_far.of(job, after)):
        return await packed(request, so_far, {"Cache-Control": "no-store"})
    return await current_transcript(request, job)


async def current_transcript(request: Request, job: Job) -> Response:
    """Serve the file that the current version is, packed for whoever takes it so."""
    version = await context.read(versions.current, job.id)
    try:
        body = await context.in_thread(context.files().read, version.stored_as)
    except NotStored:
        found = await context.read(transcripts.get, job.id)
        if found is None:
            raise NotFound("transcript of job", job.id) from None
        body = to_json(found)
    return await packed(request, body, {"ETag": f'"{version.number}"'})


async def packed(request: Request, body: bytes, headers: dict[str, str]) -> Response:
    """Answer with JSON, with gzip where it pays and is understood."""
    headers |= {"Vary": "Accept-Encoding"}
    if len(body) > GZIP_FROM_BYTES and "gzip" in request.headers.get("accept-encoding", ""):
        body = await context.in_thread(gzip.compress, body, 4)
        headers["Content-Encoding"] = "gzip"
    return Response(body, media_type="application/json", headers=headers)


@router.put("/v1/jobs/{job_id}/transcript", tags=["results"])
async def edit(request: Request, job_id: str, body: EditBody) -> VersionBody:
    """Save an edit as a new version. Words that stay keep their times, new ones share those of what they replace.

    409 `transcript_moved` says that somebody has saved another version meanwhile: fetch it, put the changes on top,
    send again. The files to download follow the new version.
    """
    job = await _own(request, job_id, changing="editing")
    segments = tuple(one if isinstance(one, int) else one.piece() for one in body.segments)
    draft = Draft(base=body.version, segments=segments, note=body.note)
    held, actor = context.current(), caller_of(request).actor
    version = await context.in_thread(revision.edit, held.ledger, held.files, job.id, draft, actor=actor)
    return await _saved(job, version)


@router.get("/v1/jobs/{job_id}/versions", tags=["results"])
async def list_versions(request: Request, job_id: str) -> list[VersionBody]:
    """All versions of the transcript, the current one first; version 1 is the engine's."""
    job = await _own(request, job_id)
    found = await context.read(versions.list_of, job.id)
    names = await context.read(_names, [one.made_by for one in found])
    return [_version(one, names) for one in found]


@router.get("/v1/jobs/{job_id}/versions/{number}", tags=["results"], response_class=Response)
async def one_version(request: Request, job_id: str, number: int) -> Response:
    """One version of the transcript, whole."""
    job = await _own(request, job_id)
    version = await context.read(versions.one_of, job.id, number)
    return await packed(request, await context.in_thread(context.files().read, version.stored_as), {})


@router.get("/v1/jobs/{job_id}/versions/{number}/changes", tags=["results"])
async def changes(
    request: Request,
    job_id: str,
    number: int,
    since: Annotated[int | None, Query(ge=1, description="The version to compare with; the one before.")] = None,
) -> list[ChangeBody]:
    """What a version has differently from the one before it, or from any other."""
    job = await _own(request, job_id)
    pair = [await context.read(versions.one_of, job.id, n) for n in (since or max(1, number - 1), number)]
    found = await context.in_thread(_compared, *pair)
    return [ChangeBody(**asdict(one)) for one in found]


@router.post("/v1/jobs/{job_id}/versions/{number}/restore", tags=["results"])
async def restore_version(request: Request, job_id: str, number: int, body: RestoreBody) -> VersionBody:
    """Make a version current again, as a new one; those in between stay."""
    job = await _own(request, job_id, changing="editing")
    held, actor = context.current(), caller_of(request).actor
    version = await context.in_thread(
        revision.restore, held.ledger, held.files, job.id, number, base=body.version, actor=actor
    )
    return await _saved(job, version)


@router.get("/v1/jobs/{job_id}/notes", tags=["notes"])
async def list_notes(request: Request, job_id: str) -> list[NoteBody]:
    """The notes on a recording: those on all of it, then by moment."""
    job = await _own(request, job_id)
    found = await context.read(notes.list_of, job.id)
    names = await context.read(_names, [one.made_by for one in found])
    return [_note(one, names) for one in found]


@router.post("/v1/jobs/{job_id}/notes", tags=["notes"], status_code=201)
async def add_note(request: Request, job_id: str, body: NoteText) -> NoteBody:
    """Write a note down."""
    job, actor = await _own(request, job_id, changing="writing notes"), caller_of(request).actor
    note = await context.write(notes.add, job.id, text=body.text, at_s=body.at_s, actor=actor)
    return await _noted(job, note)


@router.put("/v1/jobs/{job_id}/notes/{note_id}", tags=["notes"])
async def change_note(request: Request, job_id: str, note_id: str, body: NoteText) -> NoteBody:
    """Write a note anew."""
    job, actor = await _own(request, job_id, changing="writing notes"), caller_of(request).actor
    note = await context.write(notes.change, job.id, note_id, text=body.text, at_s=body.at_s, actor=actor)
    return await _noted(job, note)


@router.delete("/v1/jobs/{job_id}/notes/{note_id}", tags=["notes"], status_code=204)
async def remove_note(request: Request, job_id: str, note_id: str) -> None:
    """Take a note away."""
    job, actor = await _own(request, job_id, changing="writing notes"), caller_of(request).actor
    await context.write(notes.remove, job.id, note_id, actor=actor)
    context.tell(job.id, job.owner_id)


async def _own(request: Request, job_id: str, *, changing: str | None = None) -> Job:
    caller = caller_of(request)
    return await media.own_job(caller.may_write(changing) if changing else caller.the_user(), job_id)


async def _saved(job: Job, version: Version) -> VersionBody:
    context.tell(job.id, job.owner_id, version=version.number)
    return _version(version, await context.read(_names, [version.made_by]))


async def _noted(job: Job, note: Note) -> NoteBody:
    context.tell(job.id, job.owner_id)
    return _note(note, await context.read(_names, [note.made_by]))


def _compared(before: Version, after: Version) -> list[editing.Change]:
    both: list[Transcript] = [versions.read(context.files(), one) for one in (before, after)]
    return editing.changes(*both)


def _version(version: Version, names: dict[str, str]) -> VersionBody:
    values: dict[str, Any] = {"made_at": version.made_at, "note": version.note, "changed": version.changed}
    return VersionBody(version=version.number, made_by=names.get(version.made_by, version.made_by), **values)


def _note(note: Note, names: dict[str, str]) -> NoteBody:
    return NoteBody(**(asdict(note) | {"made_by": names.get(note.made_by, note.made_by)}))


def _names(con: DuckDBPyConnection, actors: list[str]) -> dict[str, str]:
    """Return the names behind the actors that are users."""
    found = {}
    for actor in set(actors):
        kind, _, ident = actor.partition(":")
        if kind == "user":
            try:
                found[actor] = users.get(con, ident).name
            except NotFound:
                found[actor] = "a deleted user"
    return found
