"""Queue of mails about finished jobs: recipient, content and number of attempts.

There is one mail for each end of a job's attempt, queued in the transaction that ends the job.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from duckdb import DuckDBPyConnection

from storage.accounts import preferences
from storage.domain.clock import utc_now
from storage.domain.records import Job, JobState

PAUSES_S = (30.0, 300.0, 1800.0, 7200.0)
"""Pauses between attempts; after the last one the mail is dropped."""
NEWS_FOR = timedelta(days=1)
"""A mail older than this is dropped when a mail server becomes available."""
KEPT_FOR = timedelta(days=30)

ADD = """
INSERT INTO mails (job_id, attempt, state, tries, due_at, created_at) VALUES ($job_id, $attempt, $state, 0, $now, $now)
ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail due to a job's owner; `overtaken` if the job has changed since."""

    job_id: str
    attempt: int
    state: JobState
    tries: int
    name: str
    error: str | None
    email: str | None
    overtaken: bool
    user_id: str


def want(con: DuckDBPyConnection, job: Job) -> None:
    """Queue the mail about a job that has just ended, if its owner wants one."""
    chosen = preferences.of(con, job.owner_id)
    wanted = {JobState.COMPLETED: chosen.mail_when_ready, JobState.FAILED: chosen.mail_when_failed}
    if wanted.get(job.state):
        con.execute(ADD, {"job_id": job.id, "attempt": job.attempt, "state": job.state, "now": utc_now()})


DUE = """
SELECT job_id, mails.attempt, mails.state, tries, jobs.name, jobs.error, users.email,
    (jobs.attempt, jobs.state) <> (mails.attempt, mails.state), users.id
FROM mails JOIN jobs ON jobs.id = job_id JOIN users ON users.id = owner_id
WHERE due_at <= $now AND mails.created_at > $since ORDER BY mails.created_at LIMIT $limit
"""


def due(con: DuckDBPyConnection, *, now: datetime, limit: int = 20) -> list[Mail]:
    """Return the mails to send now."""
    rows = con.execute(DUE, {"now": now, "since": now - NEWS_FOR, "limit": limit}).fetchall()
    return [
        Mail(
            job_id=job_id,
            attempt=attempt,
            state=JobState(state),
            tries=tries,
            name=name,
            error=error,
            email=email,
            overtaken=overtaken,
            user_id=user_id,
        )
        for job_id, attempt, state, tries, name, error, email, overtaken, user_id in rows
    ]


TRIED = """
UPDATE mails SET tries = tries + 1, due_at = $due_at
WHERE job_id = $job_id AND attempt = $attempt AND state = $state
"""


def tried(
    con: DuckDBPyConnection, mail: Mail, *, sent: bool, now: datetime, pauses_s: Sequence[float] = PAUSES_S
) -> None:
    """Record an attempt, and schedule the next one if it failed."""
    again = not sent and mail.tries < len(pauses_s)
    due_at = now + timedelta(seconds=pauses_s[mail.tries]) if again else None
    values = {"job_id": mail.job_id, "attempt": mail.attempt, "state": mail.state, "due_at": due_at}
    con.execute(TRIED, values)


DROP = "DELETE FROM mails WHERE job_id NOT IN (SELECT id FROM jobs) OR created_at < $before"


def tidy(con: DuckDBPyConnection, *, now: datetime) -> None:
    """Delete the mails of deleted jobs, and old mails."""
    con.execute(DROP, {"before": now - KEPT_FOR})
