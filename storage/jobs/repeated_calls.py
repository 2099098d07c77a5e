"""Find the job of a call that is repeated, with or without an idempotency key.

Clients and proxies give up after a minute or two, and then send the same recording with the same options once more. The
repeated call gets the job of the first one, while it is in progress and for a while after it has ended.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from duckdb import DuckDBPyConnection

from storage.domain.errors import KeyReused
from storage.domain.records import Job, JobState, Options, to_json
from storage.jobs import job_rows

FAILED_FOR = timedelta(minutes=1)
"""A failure answers for this long; after it, the same call is another try."""
PREFIX = "call:"
RECENT = """
SELECT count(*) FROM job_keys JOIN jobs ON jobs.id = job_keys.job_id
WHERE jobs.deleted_at IS NULL AND job_keys.owner_id = $owner_id AND starts_with(job_keys.key, $prefix)
  AND (jobs.finished_at IS NULL OR jobs.finished_at >= $since)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """When a call arrived, and for how long an ended job answers the same call.

    It is when the call began: sending the recording once more takes a while, too.
    """

    called_at: datetime
    kept_for: timedelta

    def find(self, job: Job) -> bool:
        """Return whether the job answers the call."""
        if job.finished_at is None:
            return True
        kept_for = self.kept_for if job.state is JobState.COMPLETED else min(self.kept_for, FAILED_FOR)
        return job.finished_at >= self.called_at - kept_for


def key_of(media_sha256: str, name: str, asked: Options, vocabulary: str) -> str:
    """Return the key of all calls that ask for this with this vocabulary."""
    told = json.dumps([media_sha256, name, vocabulary, to_json(asked).decode()])
    return PREFIX + hashlib.sha256(told.encode()).hexdigest()


def may_have_job(con: DuckDBPyConnection, owner_id: str, repeats: Repeats) -> bool:
    """Return whether a call may repeat another one, before its recording is known."""
    since = repeats.called_at - repeats.kept_for
    row = con.execute(RECENT, {"owner_id": owner_id, "prefix": PREFIX, "since": since}).fetchone()
    return bool(row and row[0])


OF_KEY = """
WITH numbered AS MATERIALIZED (
    SELECT owner_id, key, job_id, asked_sha256 FROM job_keys WHERE number = md5_number_lower($key)
)
SELECT job_id, asked_sha256 FROM numbered WHERE owner_id = $owner_id AND key = $key
"""
"""DuckDB finds nothing by an index of two columns, and comparing texts takes many times as long as numbers."""
STILL_THERE = """
SELECT of_key.job_id, of_key.asked_sha256 FROM ({}) AS of_key JOIN jobs ON jobs.id = of_key.job_id
WHERE jobs.deleted_at IS NULL
"""
KEYED = STILL_THERE.format(OF_KEY)


def has_key(con: DuckDBPyConnection, owner_id: str, key: str, repeats: Repeats | None = None) -> bool:
    """Return whether the owner has a job with this idempotency key; see `keyed` for `repeats`."""
    row = con.execute(KEYED, {"owner_id": owner_id, "key": key}).fetchone()
    return row is not None and (repeats is None or repeats.find(job_rows.get(con, row[0])))


def keyed(
    con: DuckDBPyConnection,
    owner_id: str,
    key: str,
    media_sha256: str,
    asked_sha256: str | None = None,
    *,
    repeats: Repeats | None = None,
) -> Job | None:
    """Return the owner's job with this idempotency key and these bytes, or None.

    With `repeats`, a job that ended long ago is not meant any more.

    Raises:
        KeyReused: the key was used for other bytes, or (if both requests tell what they ask) with other options.
    """
    row = con.execute(KEYED, {"owner_id": owner_id, "key": key}).fetchone()
    if row is None:
        return None
    job = job_rows.get(con, row[0])
    if repeats is not None and not repeats.find(job):
        return None
    if job.media_sha256 != media_sha256:
        raise KeyReused("idempotency_key", "it was used for another recording; take a new one")
    if None not in {asked_sha256, row[1]} and asked_sha256 != row[1]:
        raise KeyReused("idempotency_key", "it was used with other options; take a new one")
    return job


REUSE_KEY = """
UPDATE job_keys SET job_id = $job_id, asked_sha256 = $asked_sha256, created_at = $now
WHERE number = md5_number_lower($key) AND owner_id = $owner_id AND key = $key
"""
KEEP_KEY = """
INSERT INTO job_keys (owner_id, key, number, job_id, asked_sha256, created_at)
VALUES ($owner_id, $key, md5_number_lower($key), $job_id, $asked_sha256, $now)
"""


def keep_key(con: DuckDBPyConnection, job: Job, key: str, asked_sha256: str | None) -> None:
    """Keep the key of a job.

    `ON CONFLICT` takes several times as long as both statements.
    """
    kept = {"owner_id": job.owner_id, "key": key, "job_id": job.id, "asked_sha256": asked_sha256, "now": job.created_at}
    if con.execute(REUSE_KEY, kept).fetchall() == [(0,)]:
        con.execute(KEEP_KEY, kept)
