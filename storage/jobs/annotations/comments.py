"""Comments on passages of a recording with their replies, and highlights.

They are notes with a start and an end in time, so that they survive edits of the text, and keep the words that they
were made of.
"""

import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime

from duckdb import DuckDBPyConnection

from storage.domain.clock import new_id, utc_now
from storage.domain.errors import BadRequest, NotAllowed, NotFound
from storage.domain.records import HighlightColour, Note
from storage.jobs import job_rows
from storage.jobs.annotations import notes

MAX_QUOTE_CHARS = 2000
MAX_OF_A_JOB = 5000
AUTHORS = "its author or the owner of the recording"


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A part of a recording with the words that it has there, or had."""

    start_s: float
    end_s: float
    quote: str

    def checked(self) -> "Passage":
        """Return the passage without needless space.

        Raises:
            BadRequest: it has no words, too many of them, or ends before it starts.
        """
        quote = " ".join(self.quote.split())
        if not 1 <= len(quote) <= MAX_QUOTE_CHARS:
            raise BadRequest("quote", "use 1 to {most} characters of the text", {"most": MAX_QUOTE_CHARS})
        if not 0 <= self.start_s <= self.end_s:
            raise BadRequest("end_s", "it is before the start of the passage")
        return dataclasses.replace(self, quote=quote)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """A comment that the owner of the recording has not seen yet."""

    id: str
    job_id: str
    name: str
    start_s: float
    text: str
    made_by: str
    made_at: datetime


def list_of(con: DuckDBPyConnection, job_id: str) -> list[Note]:
    """Return the comments on a recording's passages by their start, replies among them."""
    return [note for note in notes.all_of(con, job_id) if _is_comment(note)]


def highlights_of(con: DuckDBPyConnection, job_id: str) -> list[Note]:
    """Return the highlights of a recording by their start."""
    return [note for note in notes.all_of(con, job_id) if note.colour]


COUNT = "SELECT count(*) FROM notes WHERE job_id = $job_id AND (end_s IS NOT NULL OR parent IS NOT NULL)"


def count(con: DuckDBPyConnection, job_id: str) -> int:
    """Return how many comments, replies and highlights a recording has."""
    return int(con.execute(COUNT, {"job_id": job_id}).fetchall()[0][0])


def add(con: DuckDBPyConnection, job_id: str, *, passage: Passage, text: str, actor: str) -> Note:
    """Comment on a passage.

    Raises:
        BadRequest: the text is empty or too long, the passage is none, or the recording has too many.
        NotFound: there is no such job.
    """
    return _put(con, job_id, _passage_note(passage, text=notes.checked(text), actor=actor), "comment.add")


def reply(con: DuckDBPyConnection, job_id: str, comment_id: str, *, text: str, actor: str) -> Note:
    """Answer a comment, which is open again then.

    Raises:
        NotFound: the job has no such comment, or it is a reply itself.
        BadRequest: the text is empty or too long, or the recording has too many comments.
    """
    first = _first(con, job_id, comment_id)
    if first.resolved_at:
        resolve(con, job_id, comment_id, resolved=False, actor=actor)
    answer = Note(
        id=new_id(), at_s=first.at_s, text=notes.checked(text), made_by=actor, made_at=utc_now(), parent=first.id
    )
    return _put(con, job_id, answer, "comment.add")


def highlight(con: DuckDBPyConnection, job_id: str, *, passage: Passage, colour: HighlightColour, actor: str) -> Note:
    """Highlight a passage; raises as `add` does."""
    note = dataclasses.replace(_passage_note(passage, text="", actor=actor), colour=colour)
    return _put(con, job_id, note, "highlight.add")


def _passage_note(passage: Passage, *, text: str, actor: str) -> Note:
    of = passage.checked()
    return Note(
        id=new_id(), at_s=of.start_s, end_s=of.end_s, quote=of.quote, text=text, made_by=actor, made_at=utc_now()
    )


def _put(con: DuckDBPyConnection, job_id: str, note: Note, action: str) -> Note:
    job = job_rows.get(con, job_id)
    if count(con, job_id) >= MAX_OF_A_JOB:
        raise BadRequest("comments", "a recording has at most {most}; delete some first", {"most": MAX_OF_A_JOB})
    if note.made_by == f"user:{job.owner_id}":
        note = dataclasses.replace(note, seen_at=note.made_at)
    notes.put(con, job_id, note)
    detail = {"reply_to": note.parent} if note.parent else {}
    notes.touched(con, job_id, note, actor=note.made_by, action=action, **detail)
    return note


CHANGE = "UPDATE notes SET text = $text, colour = $colour, changed_at = $now WHERE id = $id"


def change(con: DuckDBPyConnection, job_id: str, comment_id: str, *, text: str, actor: str) -> Note:
    """Change the text of one's own comment or reply.

    Raises:
        NotFound: the job has no such comment.
        NotAllowed: somebody else wrote it.
        BadRequest: the text is empty or too long.
    """
    note = _one(con, job_id, comment_id)
    if note.made_by != actor:
        raise NotAllowed("changing somebody's comment", "its author")
    return _changed(con, job_id, dataclasses.replace(note, text=notes.checked(text)), actor, "comment.change")


def recolour(
    con: DuckDBPyConnection, job_id: str, highlight_id: str, *, colour: HighlightColour, actor: str, author: str | None
) -> Note:
    """Give a highlight another colour; with `author`, only to one of theirs.

    Raises:
        NotFound: the job has no such highlight.
        NotAllowed: somebody else made it.
    """
    note = dataclasses.replace(_highlight(con, job_id, highlight_id, author), colour=colour)
    return _changed(con, job_id, note, actor, "highlight.change")


def _changed(con: DuckDBPyConnection, job_id: str, note: Note, actor: str, action: str) -> Note:
    note = dataclasses.replace(note, changed_at=utc_now())
    con.execute(CHANGE, {"id": note.id, "text": note.text, "colour": note.colour, "now": note.changed_at})
    notes.touched(con, job_id, note, actor=actor, action=action)
    return note


RESOLVE = "UPDATE notes SET resolved_at = $now, resolved_by = $by WHERE id = $id"


def resolve(con: DuckDBPyConnection, job_id: str, comment_id: str, *, resolved: bool, actor: str) -> Note:
    """Resolve a comment with its replies, or open it again.

    What is so already is not changed.

    Raises:
        NotFound: the job has no such comment, or it is a reply.
    """
    note = _first(con, job_id, comment_id)
    if resolved is bool(note.resolved_at):
        return note
    now, by = (utc_now(), actor) if resolved else (None, None)
    con.execute(RESOLVE, {"id": note.id, "now": now, "by": by})
    notes.touched(con, job_id, note, actor=actor, action="comment.resolve" if resolved else "comment.reopen")
    return dataclasses.replace(note, resolved_at=now, resolved_by=by)


def remove(con: DuckDBPyConnection, job_id: str, comment_id: str, *, actor: str, author: str | None = None) -> None:
    """Delete a comment or reply; with `author`, only one of theirs.

    A comment that has replies loses its text and stays with its quote, so that nobody deletes what others wrote; it
    goes with the last of its replies.

    Raises:
        NotFound: the job has no such comment.
        NotAllowed: somebody else wrote it.
    """
    note = _own(_one(con, job_id, comment_id), author)
    there = list_of(con, job_id)
    if any(one.parent == note.id for one in there):
        _changed(con, job_id, dataclasses.replace(note, text=""), actor, "comment.remove")
        return
    con.execute(notes.REMOVE, {"id": note.id})
    emptied = [one for one in there if one.id == note.parent and not one.text]
    if emptied and not any(one.parent == note.parent and one.id != note.id for one in there):
        con.execute(notes.REMOVE, {"id": note.parent})
    notes.touched(con, job_id, note, actor=actor, action="comment.remove")


def unhighlight(
    con: DuckDBPyConnection, job_id: str, highlight_id: str, *, actor: str, author: str | None = None
) -> None:
    """Remove a highlight; with `author`, only one of theirs.

    Raises:
        NotFound: the job has no such highlight.
        NotAllowed: somebody else made it.
    """
    note = _highlight(con, job_id, highlight_id, author)
    con.execute(notes.REMOVE, {"id": note.id})
    notes.touched(con, job_id, note, actor=actor, action="highlight.remove")


UNSEEN = """
SELECT notes.id, job_id, jobs.name, at_s, text, made_by, made_at
FROM notes JOIN jobs ON jobs.id = job_id
WHERE jobs.owner_id = $owner_id AND jobs.deleted_at IS NULL AND seen_at IS NULL AND made_by <> $actor
    AND colour IS NULL AND (end_s IS NOT NULL OR parent IS NOT NULL) AND text <> ''
ORDER BY made_at DESC LIMIT $limit
"""


def unseen(con: DuckDBPyConnection, owner_id: str, *, limit: int = 20) -> list[Unseen]:
    """Return comments that the owner of their recordings has not seen, newest first."""
    rows = con.execute(UNSEEN, {"owner_id": owner_id, "actor": f"user:{owner_id}", "limit": limit}).fetchall()
    fields = [field.name for field in dataclasses.fields(Unseen)]
    found = [dict(zip(fields, row, strict=True)) for row in rows]
    return [Unseen(**(one | {"made_at": one["made_at"].astimezone(UTC)})) for one in found]


SEEN = "UPDATE notes SET seen_at = $now WHERE job_id = $job_id AND seen_at IS NULL"


def seen(con: DuckDBPyConnection, job_id: str) -> None:
    """Note that the owner of a recording has seen its comments."""
    con.execute(SEEN, {"job_id": job_id, "now": utc_now()})


ELSEWHERE = """
SELECT job_id, jobs.name, at_s, end_s, quote, text, made_at
FROM notes JOIN jobs ON jobs.id = job_id
WHERE made_by = $actor AND jobs.owner_id <> $user_id ORDER BY made_at
"""


def elsewhere(con: DuckDBPyConnection, user_id: str) -> list[dict[str, object]]:
    """Return what an account wrote on recordings of others, for the export of its data."""
    rows = con.execute(ELSEWHERE, {"actor": f"user:{user_id}", "user_id": user_id}).fetchall()
    fields = ("job_id", "name", "start_s", "end_s", "quote", "text")
    return [dict(zip(fields, row[:-1], strict=True)) | {"made_at": row[-1].astimezone(UTC).isoformat()} for row in rows]


def _is_comment(note: Note) -> bool:
    return note.colour is None and (note.end_s is not None or note.parent is not None)


def _one(con: DuckDBPyConnection, job_id: str, comment_id: str) -> Note:
    for note in list_of(con, job_id):
        if note.id == comment_id:
            return note
    raise NotFound("comment", comment_id)


def _first(con: DuckDBPyConnection, job_id: str, comment_id: str) -> Note:
    note = _one(con, job_id, comment_id)
    if note.parent:
        raise NotFound("comment", comment_id)
    return note


def _highlight(con: DuckDBPyConnection, job_id: str, highlight_id: str, author: str | None) -> Note:
    for note in highlights_of(con, job_id):
        if note.id == highlight_id:
            return _own(note, author)
    raise NotFound("highlight", highlight_id)


def _own(note: Note, author: str | None) -> Note:
    if author not in {None, note.made_by}:
        raise NotAllowed("deleting somebody's comment" if not note.colour else "changing somebody's highlight", AUTHORS)
    return note
