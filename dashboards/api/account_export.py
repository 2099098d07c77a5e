"""Everything that is kept of a user, as a ZIP that is made while it is sent."""

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

from duckdb import DuckDBPyConnection
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from dashboards import context
from dashboards.callers import caller_of
from storage import audit, identities, jobs, keys, notes, preferences, quotas, sessions, users, vocabulary
from storage.errors import NotStored, TranscriberError
from storage.records import Job, to_json

PAGE = 100
BLOCK_BYTES = 256 * 1024
STORED_AS = "SELECT stored_as FROM transcripts WHERE job_id = $job_id"


class _Outgoing(io.RawIOBase):
    """What the ZIP is written to: it cannot go back, and forgets what has been taken from it."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        taken, self._parts = b"".join(self._parts), []
        return taken


async def export(request: Request) -> Response:
    """Send the caller's account, jobs, notes and transcripts as JSON in a ZIP; recordings are not in it."""
    caller = caller_of(request)
    user_id = caller.the_user().id
    await context.write(_note, user_id, actor=caller.actor)
    headers = {"Content-Disposition": 'attachment; filename="whisper-transcriber-data.zip"'}
    return StreamingResponse(archive(user_id), media_type="application/zip", headers=headers)


def _note(con: DuckDBPyConnection, user_id: str, *, actor: str) -> None:
    audit.record(con, actor=actor, action="user.export", subject=user_id)


def archive(user_id: str) -> Iterator[bytes]:
    """Yield the ZIP in pieces; no more than one block of one transcript is held at a time."""
    sink = _Outgoing()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as zipped:
        with context.ledger().read() as con:
            account = _account(con, user_id)
        zipped.writestr("account.json", json.dumps(account, indent=2, ensure_ascii=False))
        with zipped.open("jobs.jsonl", "w") as lines:
            for page in _pages(user_id):
                for job in page:
                    lines.write(_line(job))
                yield sink.take()
        for page in _pages(user_id):
            for job in page:
                yield from _transcript(zipped, job, sink)
    yield sink.take()


def _account(con: DuckDBPyConnection, user_id: str) -> dict[str, Any]:
    def plain(record: object) -> Any:
        return json.loads(to_json(record))

    browsers = [plain(one) for one in sessions.list_of(con, user_id)]
    return {
        "account": plain(users.get(con, user_id)),
        "preferences": plain(preferences.of(con, user_id)),
        "vocabulary": vocabulary.words_of(con, user_id).splitlines(),
        "usage": plain(quotas.usage(con, user_id)),
        "browsers": [{key: value for key, value in one.items() if key != "user"} for one in browsers],
        "keys": [plain(one) for one in keys.list_of(con, user_id)],
        "providers": [{"issuer": issuer, "subject": subject} for issuer, subject in identities.list_of(con, user_id)],
    }


def _pages(user_id: str) -> Iterator[list[Job]]:
    before: str | None = None
    while True:
        with context.ledger().read() as con:
            page = jobs.page(con, owner_id=user_id, before=before, limit=PAGE)
        if not page:
            return
        yield page
        before = page[-1].id


def _line(job: Job) -> bytes:
    with context.ledger().read() as con:
        of_job = [json.loads(to_json(note)) for note in notes.list_of(con, job.id)]
    return json.dumps(json.loads(to_json(job)) | {"notes": of_job}, ensure_ascii=False).encode() + b"\n"


def _transcript(zipped: zipfile.ZipFile, job: Job, sink: _Outgoing) -> Iterator[bytes]:
    with context.ledger().read() as con:
        row = con.execute(STORED_AS, {"job_id": job.id}).fetchone()
    if row is None:
        return
    try:
        source = context.files().open(row[0])
    except NotStored:
        return
    except TranscriberError as error:
        zipped.writestr(f"transcripts/{job.id}.missing.txt", str(error))
        return
    with source, zipped.open(f"transcripts/{job.id}.json", "w") as entry:
        while block := source.read(BLOCK_BYTES):
            entry.write(block)
            yield sink.take()


ROUTES = [Route("/account/export", export, methods=["GET"])]
