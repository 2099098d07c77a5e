"""Find the job of a call that a client sends again, without an idempotency key.

Clients and proxies give up after a minute or two, and then send the same recording with the same options once more. The
repeated call gets the job of the first one, while it is in progress and for a while after it has ended.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from duckdb import DuckDBPyConnection

from storage.domain.records import Job, JobState, Options, to_json

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
