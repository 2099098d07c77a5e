"""The text so far of a job under way: what is settled, in order, marked as not final."""

import json
from typing import Any

from dashboards import context
from storage import jobs, names
from storage.errors import JobMoved, NotFound, NotStored
from storage.records import Job, JobState


async def of(job: Job, after: int) -> bytes | None:
    """Return as JSON the parts behind the first `after` ones, or None of a job that has completed.

    Raises:
        NotFound: nothing has been heard yet.
        JobMoved: the job has failed or was cancelled.
    """
    while not job.state.finished:
        try:
            return await context.in_thread(_put_together, job, after)
        except NotStored:  # it has ended, or is at another attempt, since it was looked at
            seen, job = job, await context.read(jobs.get, job.id)
            if (seen.state, seen.attempt) == (job.state, job.attempt):
                raise NotFound("text so far of job", job.id) from None
    if job.state is not JobState.COMPLETED:
        raise JobMoved(job.id, job.state, "read along")
    return None


def _put_together(job: Job, after: int) -> bytes:
    if not job.parts:
        raise NotFound("text so far of job", job.id)
    after = after if after <= job.parts else 0  # those were of an earlier attempt
    first = min(after, job.parts - 1)  # the last one says how far it is, whether it was fetched before or not
    parts = [_part(job, number) for number in range(first, job.parts)]
    told = {
        "partial": True,
        "job_id": job.id,
        "name": job.name,
        "attempt": job.attempt,
        "after": after,
        "parts": job.parts,
        "until_s": parts[-1]["until_s"],
        "duration_s": job.duration_s,
        "progress": round(job.progress, 4),
        "language": job.language,
        "model": job.model,
        "segments": [segment for part in parts[after - first :] for segment in part["segments"]],
    }
    return json.dumps(told, ensure_ascii=False).encode()


def _part(job: Job, number: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(context.files().read(names.partial_name(job.id, job.attempt, number)))
    return found
