"""Notes about a recording or one of its moments, kept in its manifest.

Comments and highlights are rows of the same table; `storage.jobs.annotations.comments` has what is done to them.
"""

import dataclasses
from datetime import UTC
from typing import Any

from duckdb import DuckDBPyConnection

from storage.domain.clock import new_id, utc_now
from storage.domain.errors import BadRequest, NotAllowed, NotFound
from storage.domain.records import HighlightColour, Note
from storage.jobs import job_rows
from storage.ledger import audit

MAX_CHARS = 10_000

LIST = """
SELECT id, at_s, text, made_by, made_at, changed_at, end_s, quote, parent, colour, resolved_at, resolved_by, seen_at
FROM notes WHERE job_id = $job_id ORDER BY at_s NULLS FIRST, id
"""
INSERT = """
INSERT INTO notes (id, job_id, at_s, text, made_by, made_at, changed_at, end_s, quote, parent, colour, resolved_at,
    resolved_by, seen_at)
VALUES ($id, $job_id, $at_s, $text, $made_by, $made_at, $changed_at, $end_s, $quote, $parent, $colour, $resolved_at,
    $resolved_by, $seen_at)
"""
FIELDS = tuple(field.name for field in dataclasses.fields(Note))
INSTANTS = ("made_at", "changed_at", "resolved_at", "seen_at")
CHANGE = "UPDATE notes SET text = $text, at_s = $at_s, changed_at = $now WHERE id = $id"
REMOVE = "DELETE FROM notes WHERE id = $id"
TOUCH = "UPDATE jobs SET version = version + 1, updated_at = $now, manifest_state = NULL WHERE id = $id"


def list_of(con: DuckDBPyConnection, job_id: str) -> list[Note]:
    """Return the job's notes: those about the whole recording first, then by moment."""
    return [note for note in all_of(con, job_id) if note.end_s is None and note.parent is None]


def all_of(con: DuckDBPyConnection, job_id: str) -> list[Note]:
    """Return the job's notes, comments with their replies, and highlights."""
    return [_note(row) for row in con.execute(LIST, {"job_id": job_id}).fetchall()]


def _note(row: tuple[Any, ...]) -> Note:
    values = dict(zip(FIELDS, row, strict=True))
    for name in INSTANTS:
        values[name] = values[name].astimezone(UTC) if values[name] else None
    values["colour"] = HighlightColour(values["colour"]) if values["colour"] else None
    return Note(**values)


def add(con: DuckDBPyConnection, job_id: str, *, text: str, at_s: float | None, actor: str) -> Note:
    """Add a note.

    Raises:
        BadRequest: it is empty or too long.
        NotFound: there is no such job.
    """
    job_rows.get(con, job_id)
    note = Note(id=new_id(), at_s=at_s, text=checked(text), made_by=actor, made_at=utc_now())
    put(con, job_id, note)
    touched(con, job_id, note, actor=actor, action="note.add")
    return note


def put(con: DuckDBPyConnection, job_id: str, note: Note) -> None:
    """Store a note's row."""
    con.execute(INSERT, {"job_id": job_id, **dataclasses.asdict(note)})


def change(
    con: DuckDBPyConnection,
    job_id: str,
    note_id: str,
    *,
    text: str,
    at_s: float | None,
    actor: str,
    author: str | None = None,
) -> Note:
    """Change a note; with `author`, only one of theirs.

    Raises:
        NotFound: the job has no such note.
        NotAllowed: somebody else wrote it.
        BadRequest: it is empty or too long.
    """
    note = dataclasses.replace(_one(con, job_id, note_id, author), text=checked(text), at_s=at_s, changed_at=utc_now())
    con.execute(CHANGE, {"id": note.id, "text": note.text, "at_s": note.at_s, "now": note.changed_at})
    touched(con, job_id, note, actor=actor, action="note.change")
    return note


def remove(con: DuckDBPyConnection, job_id: str, note_id: str, *, actor: str, author: str | None = None) -> None:
    """Delete a note; with `author`, only one of theirs.

    Raises:
        NotFound: the job has no such note.
        NotAllowed: somebody else wrote it.
    """
    note = _one(con, job_id, note_id, author)
    con.execute(REMOVE, {"id": note.id})
    touched(con, job_id, note, actor=actor, action="note.remove")


def _one(con: DuckDBPyConnection, job_id: str, note_id: str, author: str | None) -> Note:
    for note in list_of(con, job_id):
        if note.id == note_id:
            if author not in {None, note.made_by}:
                raise NotAllowed("changing somebody's note", "its author or the owner of the recording")
            return note
    raise NotFound("note", note_id)


def touched(con: DuckDBPyConnection, job_id: str, note: Note, *, actor: str, action: str, **more: object) -> None:
    """Let the job's description be written again, and write the audit row of a change."""
    con.execute(TOUCH, {"id": job_id, "now": utc_now()})
    audit.record(con, actor=actor, action=action, subject=job_id, detail={"note": note.id, "at_s": note.at_s} | more)


def checked(text: str) -> str:
    """Return a text without the space around it.

    Raises:
        BadRequest: nothing is left, or it is too long.
    """
    text = text.strip()
    if not 1 <= len(text) <= MAX_CHARS:
        raise BadRequest("text", "use 1 to {max_chars} characters", {"max_chars": MAX_CHARS})
    return text
