"""The canary's jobs: which there are, and how their end is told."""

from duckdb import DuckDBPyConnection

from storage.accounts.canary_account import CANARY_ID
from storage.domain.errors import JobHeld, JobMoved, NotFound
from storage.files.file_store import Files
from storage.jobs import intake, job_store
from storage.ledger.database import Ledger

LEFT = "SELECT id FROM jobs WHERE owner_id = $owner_id AND lane = 'interactive' ORDER BY id"
"""Jobs of this account in the lane `backfill` are trials of campaigns."""


def left(con: DuckDBPyConnection) -> list[str]:
    """Return the ids of the canary's jobs that are still there."""
    return [row[0] for row in con.execute(LEFT, {"owner_id": CANARY_ID}).fetchall()]


def clear(ledger: Ledger, files: Files, *, actor: str) -> list[str]:
    """Cancel and purge all of the canary's jobs with their files; return their ids."""
    with ledger.read() as con:
        found = left(con)
    for job_id in found:
        try:
            with ledger.read() as con:
                finished = job_store.get(con, job_id).state.finished
            if not finished:
                ledger.run(job_store.cancel, job_id, actor=actor)
            intake.throw_out(ledger, files, job_id, actor=actor)
        except (JobHeld, JobMoved, NotFound):  # it is cleared the next time
            continue
    return found
