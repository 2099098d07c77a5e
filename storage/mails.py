"""Mails about finished jobs: what is to be sent, to whom, and how often it has been tried.

There is one for each end that an attempt of a job comes to, however often its end is told.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from duckdb import DuckDBPyConnection

from storage import jobs, preferences, users
from storage.clock import utc_now
from storage.records import Job, JobState, User

PAUSES_S = (30.0, 300.0, 1800.0, 7200.0)
"""Between tries; after the last one it is given up."""
KEPT_FOR = timedelta(days=30)

ADD = """
INSERT INTO mails (job_id, attempt, state, tries, due_at, created_at) VALUES ($job_id, $attempt, $state, 0, $now, $now)
ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail that is due: about this job, to this user."""

    job: Job
    user: User
    attempt: int
    state: JobState
    tries: int

    @property
    def overtaken(self) -> bool:
        """Whether the job has gone on since."""
        return (self.job.attempt, self.job.state) != (self.attempt, self.state)


def want(con: DuckDBPyConnection, job_id: str) -> bool:
    """Put a finished job's mail in line, if its owner wants one; return whether there is something to send."""
    job = jobs.get(con, job_id)
    chosen = preferences.of(con, job.owner_id)
    wanted = {JobState.COMPLETED: chosen.mail_when_ready, JobState.FAILED: chosen.mail_when_failed}
    if not wanted.get(job.state) or not users.get(con, job.owner_id).email:
        return False
    values = {"job_id": job_id, "attempt": job.attempt, "state": job.state, "now": utc_now()}
    con.execute(ADD, values)
    return True


DUE = """
SELECT job_id, mails.attempt, mails.state, tries FROM mails
JOIN jobs ON jobs.id = job_id JOIN users ON users.id = owner_id
WHERE due_at <= $now ORDER BY mails.created_at LIMIT $limit
"""
DROP = "DELETE FROM mails WHERE job_id NOT IN (SELECT id FROM jobs) OR due_at IS NULL AND created_at < $before"


def due(con: DuckDBPyConnection, *, now: datetime, limit: int = 20) -> list[Mail]:
    """Return the mails to send now."""
    rows = con.execute(DUE, {"now": now, "limit": limit}).fetchall()
    mails = []
    for job_id, attempt, state, tries in rows:
        job = jobs.get(con, job_id)
        user = users.get(con, job.owner_id)
        mails.append(Mail(job=job, user=user, attempt=attempt, state=JobState(state), tries=tries))
    return mails


NEXT = "SELECT min(due_at) FROM mails JOIN jobs ON jobs.id = job_id JOIN users ON users.id = owner_id"


def next_due(con: DuckDBPyConnection) -> datetime | None:
    """Return when the next mail is to be sent."""
    row = con.execute(NEXT).fetchone()
    return row[0].astimezone(UTC) if row and row[0] else None


TRIED = """
UPDATE mails SET tries = tries + 1, due_at = $due_at
WHERE job_id = $job_id AND attempt = $attempt AND state = $state
"""


def tried(con: DuckDBPyConnection, mail: Mail, *, sent: bool, now: datetime) -> bool:
    """Note a try; return whether there will be another."""
    again = not sent and mail.tries < len(PAUSES_S)
    due_at = now + timedelta(seconds=PAUSES_S[mail.tries]) if again else None
    values = {"job_id": mail.job.id, "attempt": mail.attempt, "state": mail.state, "due_at": due_at}
    con.execute(TRIED, values)
    return again


def tidy(con: DuckDBPyConnection, *, now: datetime) -> None:
    """Forget the mails of jobs that are gone, and those that were sent or given up a while ago."""
    con.execute(DROP, {"before": now - KEPT_FOR})
