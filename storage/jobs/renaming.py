"""Renames recordings."""

from duckdb import DuckDBPyConnection

from storage.domain.clock import utc_now
from storage.domain.errors import BadRequest
from storage.domain.job_actions import JobAction
from storage.domain.recording_names import other_name
from storage.domain.records import Job
from storage.jobs import job_rows
from storage.ledger import audit

RENAME = """
UPDATE jobs SET name = $name, version = version + 1, updated_at = $now, manifest_state = NULL WHERE id = $id
"""


def rename(con: DuckDBPyConnection, job_id: str, *, name: str, actor: str) -> Job:
    """Give a recording another name; the ending of its file stays.

    The same name changes nothing.

    Raises:
        NotFound: there is no such job.
        JobMoved: it is deleted.
        BadRequest: nothing is left of the name.
    """
    job = job_rows.get(con, job_id)
    JobAction.RENAME.require(job)
    wanted = other_name(job.name, name)
    if not wanted:
        raise BadRequest("name", "it is empty; give the recording a name")
    if wanted == job.name:
        return job
    con.execute(RENAME, {"id": job.id, "name": wanted, "now": utc_now()})
    audit.record(con, actor=actor, action="job.rename", subject=job.id, detail={"from": job.name, "to": wanted})
    return job_rows.get(con, job.id)
