"""The text so far of an unfinished job: final segments in order, marked as partial."""

import json
from typing import Any

from dashboards.runtime import context, db
from storage.domain import names
from storage.domain.errors import JobMoved, NotFound, NotStored
from storage.domain.model_names import display_name
from storage.domain.records import Job, JobState
from storage.jobs import job_store


async def of(job: Job, after: int) -> bytes | None:
    """Return the parts after `after` as JSON, or None for a completed job.

    Raises:
        NotFound: there is no text yet.
        JobMoved: the job has failed or was cancelled.
    """
    while not job.state.finished:
        try:
            return await db.in_thread(_put_together, job, after)
        except NotStored:  # it has ended, or is at another attempt, since it was read
            seen, job = job, await db.read(job_store.get, job.id)
            if (seen.state, seen.attempt) == (job.state, job.attempt):
                raise NotFound("text so far of job", job.id) from None
    if job.state is not JobState.COMPLETED:
        raise JobMoved(job.id, job.state, "read along")
    return None


def _put_together(job: Job, after: int) -> bytes:
    if not job.parts:
        raise NotFound("text so far of job", job.id)
    after = after if after <= job.parts else 0  # those were of an earlier attempt
    first = min(after, job.parts - 1)  # the last part says how far the text reaches, fetched before or not
    parts = [_part(job, number) for number in range(first, job.parts)]
    told = {
        "partial": True,
        "job_id": job.id,
        "name": job.name,
        "attempt": job.attempt,
        "after": after,
        "parts": job.parts,
        "certain": all(part.get("certain", True) for part in parts[after - first :]),
        "until_s": parts[-1]["until_s"],
        "duration_s": job.duration_s,
        "progress": round(job.progress, 4),
        "language": job.language,
        "model": display_name(job.model) if job.model else None,
        "segments": [segment for part in parts[after - first :] for segment in part["segments"]],
    }
    return json.dumps(told, ensure_ascii=False).encode()


def _part(job: Job, number: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(context.files().read(names.partial_name(job.id, job.attempt, number)))
    return found
