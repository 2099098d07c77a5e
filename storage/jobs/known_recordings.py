"""Find what earlier batches did with recordings, by their idempotency keys."""

from collections.abc import Sequence
from typing import Any

from duckdb import DuckDBPyConnection

from storage.domain.batch_outcomes import BatchOutcome, KnownRecording, KnownState
from storage.domain.job_messages import text_of
from storage.domain.records import JobState
from storage.jobs import job_rows
from storage.jobs.repeated_calls import OF_KEY

JOB = "SELECT * FROM job_rows WHERE id = $id AND deleted_at IS NULL"
NO_JOB = (None,) * 5


def find(con: DuckDBPyConnection, owner_id: str, key: str) -> KnownRecording:
    """Return what is known of the owner's recording with this key, deleted ones included."""
    row = con.execute(OF_KEY, {"owner_id": owner_id, "key": key}).fetchone()
    if row is None:
        return KnownRecording()
    con.execute(JOB, {"id": row[0]})
    for job in job_rows.found(con):
        failed = job.state in {JobState.FAILED, JobState.CANCELLED}
        return KnownRecording(outcome=BatchOutcome.FAILED_BEFORE if failed else BatchOutcome.KNOWN, job=job)
    return KnownRecording(outcome=BatchOutcome.DELETED_BEFORE)


JOBS_OF_KEYS = """
SELECT job_keys.key, job_keys.job_id FROM (SELECT unnest($keys::VARCHAR[]) AS key) AS wanted
JOIN job_keys ON job_keys.key = wanted.key AND job_keys.owner_id = $owner_id
"""
STATES = "SELECT id, id, state, error, language, model FROM jobs WHERE deleted_at IS NULL AND id IN ({})"
TRANSCRIPTS = "SELECT job_id, stored_as FROM transcripts WHERE job_id IN ({})"
VERSIONS = "SELECT job_id, arg_max(stored_as, number) FROM versions WHERE job_id IN ({}) GROUP BY job_id"
"""With the ids written out, DuckDB finds rows by its index; ids that come from a query let it read the whole table."""


def find_many(con: DuckDBPyConnection, owner_id: str, keys: Sequence[str]) -> list[KnownState]:
    """Return what is known of the owner's recordings with these keys, in their order."""
    of_key = dict(con.execute(JOBS_OF_KEYS, {"owner_id": owner_id, "keys": list(keys)}).fetchall())
    ids = list(of_key.values())
    if not ids:
        return [KnownState()] * len(keys)
    jobs, stored = _by_id(con, STATES, ids), _by_id(con, TRANSCRIPTS, ids) | _by_id(con, VERSIONS, ids)
    known = {key: _state(*jobs.get(job, NO_JOB), *stored.get(job, (None,))) for key, job in of_key.items()}
    return [known.get(key, KnownState()) for key in keys]


def _by_id(con: DuckDBPyConnection, sql: str, ids: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """Return rows by their first column."""
    return {row[0]: row[1:] for row in con.execute(sql.format(", ".join("?" * len(ids))), ids).fetchall()}


def _state(  # noqa: PLR0917 - the columns of a row
    job_id: str | None,
    state: str | None,
    error: str | None,
    language: str | None,
    model: str | None,
    stored_as: str | None,
) -> KnownState:
    if job_id is None or state is None:
        return KnownState(outcome=BatchOutcome.DELETED_BEFORE)
    found = JobState(state)
    failed = found in {JobState.FAILED, JobState.CANCELLED}
    return KnownState(
        outcome=BatchOutcome.FAILED_BEFORE if failed else BatchOutcome.KNOWN,
        job_id=job_id,
        state=found,
        error=text_of(error) if failed else None,
        stored_as=stored_as if found is JobState.COMPLETED else None,
        language=language,
        model=model,
    )
