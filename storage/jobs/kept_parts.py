"""Deletes a part of a finished job: its source, spans or exports."""

from enum import StrEnum

from duckdb import DuckDBPyConnection

from storage.domain import names
from storage.domain.clock import utc_now
from storage.domain.errors import JobMoved
from storage.domain.records import Job
from storage.jobs import job_rows, legal_holds
from storage.ledger import audit


class KeptPart(StrEnum):
    """What rules can keep for different times; `recording` is everything."""

    RECORDING = "recording"
    SOURCE = "source"
    SPANS = "spans"
    EXPORTS = "exports"


NOTE = """
INSERT INTO dropped_parts (job_id, part, dropped_at) VALUES ($id, $part, $now)
ON CONFLICT (job_id, part) DO UPDATE SET dropped_at = excluded.dropped_at
"""
NEEDED = """
SELECT count(*) FROM jobs WHERE media_sha256 = $sha AND id <> $id AND NOT EXISTS (
    SELECT 1 FROM dropped_parts AS done WHERE done.job_id = jobs.id AND done.part = $part
    AND jobs.finished_at IS NOT NULL AND done.dropped_at >= jobs.finished_at)
"""
FORGET_EXPORTS = "DELETE FROM exports WHERE job_id = $id"
OWN_SAMPLES = """
SELECT DISTINCT samples_sha256 FROM spans JOIN jobs ON jobs.id = spans.job_id WHERE media_sha256 = $sha
EXCEPT SELECT samples_sha256 FROM spans JOIN jobs ON jobs.id = spans.job_id WHERE media_sha256 <> $sha
ORDER BY ALL
"""


def drop(con: DuckDBPyConnection, job_id: str, part: KeptPart, *, actor: str) -> tuple[str, ...]:
    """Note that a job no longer keeps a part.

    Return the storage names to delete after the commit.

    What another job of the same bytes still keeps stays until that one drops it, too.

    Raises:
        JobMoved: it is not finished.
        JobHeld: a legal hold covers it.
    """
    job = job_rows.get(con, job_id)
    if not job.state.finished:
        raise JobMoved(job_id, job.state, "cleared of a part")
    legal_holds.require_free(con, job_id)
    con.execute(NOTE, {"id": job_id, "part": part, "now": utc_now()})
    audit.record(con, actor=actor, action="job.drop", subject=job_id, detail={"name": job.name, "part": part})
    if part is KeptPart.EXPORTS:
        con.execute(FORGET_EXPORTS, {"id": job_id})
        return (names.exports_folder(job_id),)
    if con.execute(NEEDED, {"sha": job.media_sha256, "id": job_id, "part": part}).fetchall()[0][0]:
        return ()
    return _shared_names(con, job, part)


def _shared_names(con: DuckDBPyConnection, job: Job, part: KeptPart) -> tuple[str, ...]:
    sha = job.media_sha256
    if part is KeptPart.SOURCE:
        return (names.peaks_folder(sha), names.media_name(sha))
    found = [names.plans_folder(sha)]  # first: a plan without its spans would mislead the next upload
    for (samples,) in con.execute(OWN_SAMPLES, {"sha": sha}).fetchall():
        found += [names.span_name(samples), names.results_folder(samples)]
    return tuple(found)
