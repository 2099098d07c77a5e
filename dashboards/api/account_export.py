"""Export a user's data as a ZIP, streamed while it is built."""

import json
from collections.abc import Iterator
from typing import Any

from duckdb import DuckDBPyConnection
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from dashboards.http.identity import caller_of
from dashboards.runtime import context, db
from storage.accounts import api_keys, known_devices, oidc_identities, preferences, quotas, sessions, users, vocabulary
from storage.domain.clock import utc_now
from storage.domain.errors import NotStored, TranscriberError
from storage.domain.job_messages import text_of
from storage.domain.model_names import display_name
from storage.domain.records import Job, to_json
from storage.files.zip_stream import ZipStream
from storage.jobs import collaborators, job_store
from storage.jobs.annotations import comments, notes
from storage.ledger import audit
from storage.transcripts import transcript_store

PAGE = 100


async def export(request: Request) -> Response:
    """Send the caller's account, jobs, notes and transcripts as a ZIP, without recordings."""
    caller = caller_of(request)
    user_id = caller.the_user().id
    await db.write(_note, user_id, actor=caller.actor)
    headers = {"Content-Disposition": 'attachment; filename="whisper-transcriber-data.zip"'}
    return StreamingResponse(archive(user_id), media_type="application/zip", headers=headers)


def _note(con: DuckDBPyConnection, user_id: str, *, actor: str) -> None:
    audit.record(con, actor=actor, action="user.export", subject=user_id)


def archive(user_id: str) -> Iterator[bytes]:
    """Yield the ZIP in pieces, holding at most one transcript in memory."""
    zipped = ZipStream()
    with context.ledger().read() as con:
        account = _account(con, user_id)
    zipped.add("account.json", json.dumps(account, indent=2, ensure_ascii=False))
    with zipped.open("jobs.jsonl") as lines:
        for page in _pages(user_id):
            for job in page:
                lines.write(_line(job))
            yield zipped.take()
    for page in _pages(user_id):
        for job in page:
            yield from _transcript(zipped, job)
    yield zipped.close()


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
        "known_browsers": [plain(one) for one in known_devices.list_of(con, user_id, now=utc_now())],
        "keys": [plain(one) for one in api_keys.list_of(con, user_id)],
        "providers": [
            {"issuer": issuer, "subject": subject} for issuer, subject in oidc_identities.list_of(con, user_id)
        ],
        "comments_elsewhere": comments.elsewhere(con, user_id),
    }


def _pages(user_id: str) -> Iterator[list[Job]]:
    before: str | None = None
    while True:
        with context.ledger().read() as con:
            page = job_store.page(con, owner_id=user_id, before=before, limit=PAGE)
        if not page:
            return
        yield page
        before = page[-1].id


def _line(job: Job) -> bytes:
    with context.ledger().read() as con:
        of_job = [json.loads(to_json(note)) for note in notes.list_of(con, job.id)]
        commented = [json.loads(to_json(note)) for note in comments.list_of(con, job.id)]
        marked = [json.loads(to_json(note)) for note in comments.highlights_of(con, job.id)]
        people = [{"name": one.name, "may_edit": one.may_edit} for one in collaborators.list_of(con, job.id)]
    told = json.loads(to_json(job))
    told["options"]["model"] = display_name(job.options.model)
    model = display_name(job.model) if job.model else None
    said = {"model": model, "detail": text_of(job.detail), "error": text_of(job.error) or None, "notes": of_job}
    said |= {"shared_with": people} if people else {}
    said |= {"comments": commented} if commented else {}
    said |= {"highlights": marked} if marked else {}
    return json.dumps(told | said, ensure_ascii=False).encode() + b"\n"


def _transcript(zipped: ZipStream, job: Job) -> Iterator[bytes]:
    with context.ledger().read() as con:
        stored_as = transcript_store.stored_as(con, job.id)
    if stored_as is None:
        return
    try:
        data = context.files().read(stored_as)
    except NotStored:
        return
    except TranscriberError as error:
        zipped.add(f"transcripts/{job.id}.missing.txt", str(error))
        return
    zipped.add(f"transcripts/{job.id}.json", data)
    yield zipped.take()


ROUTES = [Route("/account/export", export, methods=["GET"])]
