"""Recordings that their owner has sent before, found by size and by content, so that none is sent twice."""

from duckdb import DuckDBPyConnection

from storage.job_rows import found
from storage.records import Job

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
    """Tell whether the owner has a recording of this size; only then is hashing a file worth the while."""
    row = con.execute(SAME_SIZE, {"owner_id": owner_id, "size_bytes": size_bytes}).fetchone()
    return bool(row and row[0])


def of(con: DuckDBPyConnection, owner_id: str, sha256: str) -> list[Job]:
    """Return the owner's jobs of these very bytes, newest first; none that failed or was cancelled."""
    con.execute(SAME_BYTES, {"owner_id": owner_id, "sha256": sha256, "limit": SHOWN})
    return found(con)
