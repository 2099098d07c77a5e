"""`/api/v1/jobs/{id}/…`: read and edit a transcript, its versions, and notes."""

import gzip
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from duckdb import DuckDBPyConnection
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from dashboards.api.media import visible
from dashboards.http.conditional import kept_by_clients, not_modified, takes_gzip, weak_tag
from dashboards.http.identity import caller_of
from dashboards.runtime import context, db
from dashboards.services import text_so_far, transcript_changes
from storage.accounts import users
from storage.domain.errors import NotFound, NotStored
from storage.domain.records import Job, Note, PinnedCue, Transcript, Version, Word, to_json
from storage.jobs.annotations import notes
from storage.transcripts import edits, transcript_store, versions
from storage.transcripts.edits import Draft, Piece

GZIP_FROM_BYTES = 10_000

router = APIRouter()


class WordBody(BaseModel):
    """A word; its text includes the preceding space."""

    model_config = ConfigDict(extra="forbid")

    start_s: float
    end_s: float
    text: str
    probability: float = Field(1.0, ge=0, le=1)


class PieceBody(BaseModel):
    """A segment that is edited, new, split off or merged; without text it is deleted."""

    model_config = ConfigDict(extra="forbid")

    start_s: float
    end_s: float
    text: str
    speaker: str | None = None
    origin: list[int] | None = Field(
        None,
        alias="from",
        description="Indices of the segments that it comes from; unchanged words keep their times. "
        "Left out: those that it overlaps in time.",
    )
    words: list[WordBody] | None = Field(
        None, description="Words with times set by hand; they must spell the text. Default: times are computed."
    )

    def piece(self) -> Piece:
        words = None if self.words is None else tuple(Word(**one.model_dump()) for one in self.words)
        origin = None if self.origin is None else tuple(self.origin)
        told = {"start_s": self.start_s, "end_s": self.end_s, "text": self.text, "speaker": self.speaker}
        return Piece(**told, origin=origin, words=words)  # type: ignore[arg-type]


class CueBody(BaseModel):
    """A subtitle that is set by hand: its times, and which words it shows."""

    model_config = ConfigDict(extra="forbid")

    start_s: float = Field(description="When it appears.")
    end_s: float = Field(description="When it disappears; at latest when the next one appears.")
    from_s: float = Field(description="It shows the words that begin from here …")
    until_s: float = Field(description="… to before this moment.")
    speaker: str | None = Field(None, description="Whose words; null for those of nobody who is named.")


class EditBody(BaseModel):
    """An edit of the version that was read before: all segments in order of time."""

    model_config = ConfigDict(extra="forbid")

    version: int = Field(ge=1, description="The version that was edited, as in the transcript.", examples=[1])
    segments: list[int | PieceBody] = Field(
        max_length=edits.MAX_SEGMENTS,
        description="The index of an unchanged segment, or an edited one.",
        examples=[[0, {"start_s": 1.5, "end_s": 3.0, "text": " Grüße an alle.", "from": [1]}, 2]],
    )
    note: str = Field("", max_length=200, description="What was changed, for the list of versions.")
    cues: list[CueBody] | None = Field(
        None,
        max_length=edits.MAX_SEGMENTS,
        description="All subtitles with times set by hand, in order; the exporter makes the others. "
        "Left out: those of this version are kept.",
        examples=[[{"start_s": 4.1, "end_s": 6.0, "from_s": 4.2, "until_s": 6.3}]],
    )


class RestoreBody(BaseModel):
    """The current version according to the caller, so that no other edit is lost."""

    model_config = ConfigDict(extra="forbid")

    version: int = Field(ge=1, examples=[3])


class VersionBody(BaseModel):
    """A version of a transcript."""

    version: int
    made_by: str = Field(description="A user's name, or `engine` for the original transcript.")
    made_at: datetime
    note: str
    changed: int = Field(description="Number of new segments.")


class ChangeBody(BaseModel):
    """A difference between two versions."""

    start_s: float
    end_s: float
    before: list[str]
    after: list[str]


class NoteText(BaseModel):
    """A note about the whole recording or one moment."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, max_length=notes.MAX_CHARS, examples=["Check this figure"])
    at_s: float | None = Field(None, ge=0, description="The moment it is about, in seconds; null for all of it.")


class NoteBody(NoteText):
    """A stored note."""

    id: str
    made_by: str
    made_at: datetime
    changed_at: datetime | None


@router.get("/v1/jobs/{job_id}/transcript", tags=["results"], response_class=Response)
async def transcript(
    request: Request,
    job_id: str,
    partial: Annotated[bool, Query(description="The text so far of an unfinished job.")] = False,
    after: Annotated[int, Query(ge=0, description="Skip this many `parts`, which were fetched before.")] = 0,
) -> Response:
    """Return the current transcript as JSON: segments, timed words, findings, provenance.

    With `partial=true` it can be read during transcription. While the response contains `"partial": true`, it is not
    final: it has the `segments` up to `until_s`, and words, languages and speakers may still change. To follow without
    fetching anything twice, send `after` with the last `parts` whenever `/events` announces more; if `attempt` has
    changed, or the returned `after` differs from yours, start again. Before the first text the response is 404; after a
    failed or cancelled job it is 409 `job_moved`; after completion it is the transcript.
    """
    job = await visible(request, job_id)
    if partial and (so_far := await text_so_far.of(job, after)):
        return await packed(request, so_far, {"Cache-Control": "no-store"})
    return await current_transcript(request, job)


async def current_transcript(request: Request, job: Job) -> Response:
    """Serve the file of the current version, compressed if the client accepts it."""
    version = await db.read(versions.current, job.id)
    headers = kept_by_clients(request.scope) | {"ETag": weak_tag(version.stored_as.encode()), "Vary": "Accept-Encoding"}
    if same := not_modified(request, headers):
        return same
    try:
        body = await db.in_thread(context.files().read, version.stored_as)
    except NotStored:
        found = await db.read(transcript_store.get, job.id)
        if found is None:
            raise NotFound("transcript of job", job.id) from None
        body = to_json(found)
    return await packed(request, body, headers)


async def packed(request: Request, body: bytes, headers: dict[str, str]) -> Response:
    """Respond with JSON, compressed with gzip if worthwhile and accepted."""
    headers |= {"Vary": "Accept-Encoding"}
    if len(body) > GZIP_FROM_BYTES and takes_gzip(request.headers.get("accept-encoding", "")):
        body = await db.in_thread(gzip.compress, body, 4)
        headers["Content-Encoding"] = "gzip"
    return Response(body, media_type="application/json", headers=headers)


@router.put("/v1/jobs/{job_id}/transcript", tags=["results"])
async def edit(request: Request, job_id: str, body: EditBody) -> VersionBody:
    """Save an edit as a new version. Unchanged words keep their times.

    New words share the times of those that they replace. 409 `transcript_moved` means that somebody saved another
    version meanwhile: fetch it, reapply the changes and send them again. Downloads follow the new version.
    """
    segments = tuple(one if isinstance(one, int) else one.piece() for one in body.segments)
    cues = None if body.cues is None else tuple(PinnedCue(**one.model_dump()) for one in body.cues)
    draft = Draft(base=body.version, segments=segments, note=body.note, cues=cues)
    version = await db.in_thread(transcript_changes.edit, caller_of(request).the_user(), job_id, draft)
    return await _saved(version)


@router.get("/v1/jobs/{job_id}/versions", tags=["results"])
async def list_versions(request: Request, job_id: str) -> list[VersionBody]:
    """List the versions of the transcript, current one first; version 1 is the engine's."""
    job = await visible(request, job_id)
    found = await db.read(versions.list_of, job.id)
    names = await db.read(actor_names, [one.made_by for one in found])
    return [_version(one, names) for one in found]


@router.get("/v1/jobs/{job_id}/versions/{number}", tags=["results"], response_class=Response)
async def one_version(request: Request, job_id: str, number: int) -> Response:
    """Return one version of the transcript."""
    job = await visible(request, job_id)
    version = await db.read(versions.one_of, job.id, number)
    return await packed(request, await db.in_thread(context.files().read, version.stored_as), {})


@router.get("/v1/jobs/{job_id}/versions/{number}/changes", tags=["results"])
async def changes(
    request: Request,
    job_id: str,
    number: int,
    since: Annotated[
        int | None, Query(ge=1, description="The version to compare with; default: the previous one.")
    ] = None,
) -> list[ChangeBody]:
    """Return the differences between a version and the previous one, or any other."""
    job = await visible(request, job_id)
    pair = [await db.read(versions.one_of, job.id, n) for n in (since or max(1, number - 1), number)]
    found = await db.in_thread(_compared, *pair)
    return [ChangeBody(**asdict(one)) for one in found]


@router.post("/v1/jobs/{job_id}/versions/{number}/restore", tags=["results"])
async def restore_version(request: Request, job_id: str, number: int, body: RestoreBody) -> VersionBody:
    """Make a version current again, as a new version; those in between are kept."""
    user = caller_of(request).the_user()
    version = await db.in_thread(transcript_changes.restore, user, job_id, number, base=body.version)
    return await _saved(version)


@router.get("/v1/jobs/{job_id}/notes", tags=["notes"])
async def list_notes(request: Request, job_id: str) -> list[NoteBody]:
    """List the notes on a recording: those about all of it first, then by moment."""
    job = await visible(request, job_id)
    found = await db.read(notes.list_of, job.id)
    names = await db.read(actor_names, [one.made_by for one in found])
    return [_note(one, names) for one in found]


@router.post("/v1/jobs/{job_id}/notes", tags=["notes"], status_code=201)
async def add_note(request: Request, job_id: str, body: NoteText) -> NoteBody:
    """Add a note."""
    user = caller_of(request).the_user()
    note = await db.in_ledger(transcript_changes.add_note, user, job_id, text=body.text, at_s=body.at_s)
    return await _noted(note)


@router.put("/v1/jobs/{job_id}/notes/{note_id}", tags=["notes"])
async def change_note(request: Request, job_id: str, note_id: str, body: NoteText) -> NoteBody:
    """Change a note."""
    user = caller_of(request).the_user()
    note = await db.in_ledger(transcript_changes.change_note, user, job_id, note_id, text=body.text, at_s=body.at_s)
    return await _noted(note)


@router.delete("/v1/jobs/{job_id}/notes/{note_id}", tags=["notes"], status_code=204)
async def remove_note(request: Request, job_id: str, note_id: str) -> None:
    """Delete a note."""
    await db.in_ledger(transcript_changes.remove_note, caller_of(request).the_user(), job_id, note_id)


async def _saved(version: Version) -> VersionBody:
    return _version(version, await db.read(actor_names, [version.made_by]))


async def _noted(note: Note) -> NoteBody:
    return _note(note, await db.read(actor_names, [note.made_by]))


def _compared(before: Version, after: Version) -> list[edits.Change]:
    both: list[Transcript] = [versions.read(context.files(), one) for one in (before, after)]
    return edits.changes(*both)


def _version(version: Version, names: dict[str, str]) -> VersionBody:
    values: dict[str, Any] = {"made_at": version.made_at, "note": version.note, "changed": version.changed}
    return VersionBody(version=version.number, made_by=names.get(version.made_by, version.made_by), **values)


def _note(note: Note, names: dict[str, str]) -> NoteBody:
    told = {name: value for name, value in asdict(note).items() if name in NoteBody.model_fields}
    return NoteBody(**(told | {"made_by": names.get(note.made_by, note.made_by)}))


def actor_names(con: DuckDBPyConnection, actors: list[str]) -> dict[str, str]:
    """Return the names of the actors that are users."""
    found = {}
    for actor in set(actors):
        kind, _, ident = actor.partition(":")
        if kind == "user":
            try:
                found[actor] = users.get(con, ident).name
            except NotFound:
                found[actor] = "a deleted user"
    return found
