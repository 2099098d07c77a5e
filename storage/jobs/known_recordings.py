"""Find what earlier batches did with a recording, by its idempotency key."""

from duckdb import DuckDBPyConnection

from storage.domain.batch_outcomes import BatchOutcome, KnownRecording
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
