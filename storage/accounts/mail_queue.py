"""Mails about finished jobs: what is to be sent, to whom, and how often it has been tried.

There is one for each end that an attempt of a job comes to; it is put in line in the transaction that ends the job.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from duckdb import DuckDBPyConnection

from storage import preferences
from storage.clock import utc_now
from storage.records import Job, JobState

PAUSES_S = (30.0, 300.0, 1800.0, 7200.0)
"""Between tries; after the last one it is given up."""
NEWS_FOR = timedelta(days=1)
"""What is older when a mail server is found at last is no news."""
KEPT_FOR = timedelta(days=30)

ADD = """
INSERT INTO mails (job_id, attempt, state, tries, due_at, created_at) VALUES ($job_id, $attempt, $state, 0, $now, $now)
ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail that is due: about this job, to its owner; `overtaken` by what the job has done since, if so."""

    job_id: str
    attempt: int
    state: JobState
    tries: int
    name: str
    error: str | None
    email: str | None
    overtaken: bool


def want(con: DuckDBPyConnection, job: Job) -> None:
    """Put the mail about a job that has just ended in line, if its owner wants one."""
    chosen = preferences.of(con, job.owner_id)
    wanted = {JobState.COMPLETED: chosen.mail_when_ready, JobState.FAILED: chosen.mail_when_failed}
    if wanted.get(job.state):
        con.execute(ADD, {"job_id": job.id, "attempt": job.attempt, "state": job.state, "now": utc_now()})


DUE = """
SELECT job_id, mails.attempt, mails.state, tries, jobs.name, jobs.error, users.email,
    (jobs.attempt, jobs.state) <> (mails.attempt, mails.state)
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
        )
        for job_id, attempt, state, tries, name, error, email, overtaken in rows
    ]


TRIED = """
UPDATE mails SET tries = tries + 1, due_at = $due_at
WHERE job_id = $job_id AND attempt = $attempt AND state = $state
"""


def tried(con: DuckDBPyConnection, mail: Mail, *, sent: bool, now: datetime) -> None:
    """Note a try, and when to try again if it failed."""
    again = not sent and mail.tries < len(PAUSES_S)
    due_at = now + timedelta(seconds=PAUSES_S[mail.tries]) if again else None
    values = {"job_id": mail.job_id, "attempt": mail.attempt, "state": mail.state, "due_at": due_at}
    con.execute(TRIED, values)


DROP = "DELETE FROM mails WHERE job_id NOT IN (SELECT id FROM jobs) OR created_at < $before"


def tidy(con: DuckDBPyConnection, *, now: datetime) -> None:
    """Forget the mails of jobs that are gone, and those from long ago."""
    con.execute(DROP, {"before": now - KEPT_FOR})
