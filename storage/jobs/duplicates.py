"""Find recordings that their owner has uploaded before, by size and content."""

from duckdb import DuckDBPyConnection

from storage.domain.records import Job
from storage.jobs.job_rows import found

SHOWN = 5

SAME_SIZE = """
SELECT count(*) > 0 FROM jobs
WHERE owner_id = $owner_id AND media_bytes = $size_bytes AND deleted_at IS NULL AND state NOT IN ('failed', 'cancelled')
"""
SAME_BYTES = """
SELECT * FROM job_rows
WHERE owner_id = $owner_id AND media_sha256 = $sha256 AND deleted_at IS NULL AND state NOT IN ('failed', 'cancelled')
ORDER BY id DESC LIMIT $limit
"""


def may_exist(con: DuckDBPyConnection, owner_id: str, size_bytes: int) -> bool:
    """Return whether the owner has a recording of this size, so that hashing is worthwhile."""
    row = con.execute(SAME_SIZE, {"owner_id": owner_id, "size_bytes": size_bytes}).fetchone()
    return bool(row and row[0])


def of(con: DuckDBPyConnection, owner_id: str, sha256: str) -> list[Job]:
    """Return the owner's jobs with the same bytes, newest first, without failed or cancelled ones."""
    con.execute(SAME_BYTES, {"owner_id": owner_id, "sha256": sha256, "limit": SHOWN})
    return found(con)
