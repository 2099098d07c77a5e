"""Find what earlier batches did with recordings, by their idempotency keys."""

from collections.abc import Sequence

from duckdb import DuckDBPyConnection

from storage.domain.batch_outcomes import BatchOutcome, KnownRecording, KnownState
from storage.domain.job_messages import text_of
from storage.domain.records import JobState
from storage.jobs import job_rows

JOB_OF_KEY = "SELECT job_id FROM job_keys WHERE owner_id = $owner_id AND key = $key"
JOB = "SELECT * FROM job_rows WHERE id = $id AND deleted_at IS NULL"


def find(con: DuckDBPyConnection, owner_id: str, key: str) -> KnownRecording:
    """Return what is known of the owner's recording with this key, deleted ones included."""
    row = con.execute(JOB_OF_KEY, {"owner_id": owner_id, "key": key}).fetchone()
    if row is None:
        return KnownRecording()
    con.execute(JOB, {"id": row[0]})
    for job in job_rows.found(con):
        failed = job.state in {JobState.FAILED, JobState.CANCELLED}
        return KnownRecording(outcome=BatchOutcome.FAILED_BEFORE if failed else BatchOutcome.KNOWN, job=job)
    return KnownRecording(outcome=BatchOutcome.DELETED_BEFORE)


MANY = """
SELECT job_keys.key, jobs.id, jobs.state, jobs.error, jobs.language, jobs.model, coalesce((
    SELECT arg_max(versions.stored_as, versions.number) FROM versions WHERE versions.job_id = jobs.id
), transcripts.stored_as)
FROM job_keys LEFT JOIN jobs ON jobs.id = job_keys.job_id AND jobs.deleted_at IS NULL
LEFT JOIN transcripts ON transcripts.job_id = jobs.id
WHERE job_keys.owner_id = $owner_id AND job_keys.key IN (SELECT unnest($keys::VARCHAR[]))
"""


def find_many(con: DuckDBPyConnection, owner_id: str, keys: Sequence[str]) -> list[KnownState]:
    """Return what is known of the owner's recordings with these keys, in their order."""
    rows = con.execute(MANY, {"owner_id": owner_id, "keys": list(keys)}).fetchall()
    known = {row[0]: _state(*row[1:]) for row in rows}
    return [known.get(key, KnownState()) for key in keys]


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
