"""Find recordings that their owner has uploaded before, by size and content."""

from collections.abc import Sequence

from duckdb import DuckDBPyConnection

from storage.domain.records import Job
from storage.jobs.job_rows import found

SHOWN = 5

SAME_SIZE = """
SELECT DISTINCT media_bytes FROM jobs
WHERE owner_id = $owner_id AND media_bytes IN $sizes AND deleted_at IS NULL AND state NOT IN ('failed', 'cancelled')
"""
SAME_BYTES = """
SELECT * FROM job_rows
WHERE owner_id = $owner_id AND media_sha256 = $sha256 AND deleted_at IS NULL AND state NOT IN ('failed', 'cancelled')
ORDER BY id DESC LIMIT $limit
"""


def sizes_of(con: DuckDBPyConnection, owner_id: str, sizes: Sequence[int]) -> set[int]:
    """Return which of these sizes in bytes the owner's recordings have.

    A file of another size need not be hashed.
    """
    con.execute(SAME_SIZE, {"owner_id": owner_id, "sizes": list(sizes)})
    return {int(size) for (size,) in con.fetchall()}


def of(con: DuckDBPyConnection, owner_id: str, sha256: str) -> list[Job]:
    """Return the owner's jobs with the same bytes, newest first, without failed or cancelled ones."""
    con.execute(SAME_BYTES, {"owner_id": owner_id, "sha256": sha256, "limit": SHOWN})
    return found(con)
