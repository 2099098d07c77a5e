"""Summaries of transcripts: files on storage, with rows in the ledger.

Each belongs to one version of a transcript.
"""

import dataclasses
from datetime import UTC

from duckdb import DuckDBPyConnection

from storage.domain import names
from storage.domain.clock import new_id, utc_now
from storage.domain.records import StoredSummary, Summary, from_json, to_json
from storage.files.file_store import Files
from storage.jobs import job_rows
from storage.ledger import audit
from storage.ledger.database import Ledger

LIST = "SELECT version, stored_as, made_by, made_at FROM summaries WHERE job_id = $job_id ORDER BY made_at DESC"
ADD = """
INSERT INTO summaries (job_id, version, stored_as, made_by, made_at)
VALUES ($job_id, $version, $stored_as, $made_by, $made_at)
"""
TOUCH = "UPDATE jobs SET version = version + 1, updated_at = $now, manifest_state = NULL WHERE id = $id"


def list_of(con: DuckDBPyConnection, job_id: str) -> list[StoredSummary]:
    """Return where the summaries of a job's transcripts are, newest first."""
    rows = con.execute(LIST, {"job_id": job_id}).fetchall()
    return [
        StoredSummary(version=version, stored_as=stored_as, made_by=made_by, made_at=made_at.astimezone(UTC))
        for version, stored_as, made_by, made_at in rows
    ]


def put(con: DuckDBPyConnection, job_id: str, stored: StoredSummary) -> None:
    """Add a summary's row."""
    con.execute(ADD, {"job_id": job_id, **dataclasses.asdict(stored)})


def sent(
    con: DuckDBPyConnection, job_id: str, *, host: str, model: str, version: int, chars: int, part: int, actor: str
) -> None:
    """Record that a part of a transcript is sent to another server, before it is.

    Raises:
        NotFound: there is no such job.
    """
    job_rows.get(con, job_id)
    detail = {"host": host, "model": model, "version": version, "chars": chars, "part": part}
    audit.record(con, actor=actor, action="summary.send", subject=job_id, detail=detail)


def keep(ledger: Ledger, files: Files, summary: Summary) -> StoredSummary:
    """Store a summary on storage, then in the ledger.

    Raises:
        NotFound: the job was purged meanwhile.
    """
    stored_as = names.summary_name(summary.job_id, summary.version, new_id())
    stored = StoredSummary(
        version=summary.version, stored_as=stored_as, made_by=summary.made_by, made_at=summary.made_at
    )
    files.create(stored_as, to_json(summary))
    ledger.run(_keep, summary.job_id, stored)
    return stored


def _keep(con: DuckDBPyConnection, job_id: str, stored: StoredSummary) -> None:
    job_rows.get(con, job_id)
    put(con, job_id, stored)
    con.execute(TOUCH, {"id": job_id, "now": utc_now()})
    audit.record(con, actor=stored.made_by, action="summary.store", subject=job_id, detail={"version": stored.version})


def read(files: Files, stored: StoredSummary) -> Summary:
    """Return a summary from storage.

    Raises:
        NotStored: the file is gone.
    """
    return from_json(Summary, files.read(stored.stored_as))
