"""Tells whether a person corrected a transcript, which no campaign replaces."""

from duckdb import DuckDBPyConnection

BY_OTHERS = """
SELECT count(*) FROM versions WHERE job_id = $id AND (
    number = 1 AND made_by <> 'engine' AND note <> '' OR number > 1 AND number NOT IN (
        SELECT version FROM campaign_items WHERE job_id = $id AND version IS NOT NULL
        UNION ALL SELECT restored FROM campaign_items WHERE job_id = $id AND restored IS NOT NULL))
"""


def is_corrected(con: DuckDBPyConnection, job_id: str) -> bool:
    """Return whether the transcript has versions that neither the engine nor a campaign made.

    After a rebuild from storage nobody knows who made a version, and it counts as a person's. So does a first version
    with a note: the import from the older application writes one on texts that were edited there.
    """
    return bool(con.execute(BY_OTHERS, {"id": job_id}).fetchall()[0][0])
