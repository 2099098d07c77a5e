"""Compares jobs with their flow runs, at the start and then always, so that whatever died comes right.

What was handed out and is lost, crashed or ended without a word goes back into the queue; runs that nobody wants
any more, of cancelled jobs or of attempts that are over, are stopped, those of their spans too.
"""

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from duckdb import DuckDBPyConnection

from dashboards import context
from storage import jobs, manifests
from storage.clock import utc_now
from storage.errors import JobMoved, NotFound
from storage.records import Job, JobState

if TYPE_CHECKING:
    from dashboards.prefect_runs import PrefectRuns, Run

logger = logging.getLogger(__name__)

ACTOR = "system:reconciler"
REPORT_WITHIN = timedelta(seconds=5)
"""A run reports, then ends; so long after its end the report counts as lost."""
END_WITHIN = timedelta(seconds=60)
"""A run whose job is done may take so long to end by itself."""
OBEY_WITHIN = timedelta(seconds=60)
"""A run that was asked to stop may take so long before it is ended without asking."""
SILENT_FOR = timedelta(seconds=60)
"""A run that no living worker has in hand, and of which nothing was heard for so long, is taken for dead."""
LEFT_AFTER = timedelta(minutes=15)
LEFT = "the command that had it in hand was not heard of any more"
"""A job that `transcriber transcribe` hears itself has no flow run; so long after its last report it is left."""
LEAST_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Requeue:
    """Try the job again; `reason` goes to the reader."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Somebody has cancelled the run in Prefect."""


def verdict(job: Job, run: "Run | None", *, held: Collection[str] | None, now: datetime) -> Requeue | Cancel | None:
    """Say what to do with an unfinished job, given its flow run; `held` are the runs that workers have in hand.

    None stands for "go on", and for `held` where not every worker has said what it has.
    """
    if job.flow_run_id is None:
        return Requeue(reason=LEFT) if now - job.updated_at > LEFT_AFTER else None
    if run is None:
        return Requeue(reason="Prefect does not know its flow run any more")
    if run.ended:
        return _after_the_end(run, now=now)
    nobodys = held is not None and run.id not in held and run.state in {"pending", "running", "cancelling"}
    if nobodys and now - max(run.since, job.updated_at) > SILENT_FOR:
        return Requeue(reason="no worker has its flow run in hand")
    return None


def _after_the_end(run: "Run", *, now: datetime) -> Requeue | Cancel | None:
    """Judge a run that has ended while its job has not: its report is late, or lost."""
    if now - run.since < REPORT_WITHIN:
        return None
    if run.state == "cancelled":
        return Cancel()
    told = f" ({run.message})" if run.message else ""
    return Requeue(reason=f"its flow run {run.state} without a result{told}"[:300])


def unwanted(run: "Run", job: Job | None, *, now: datetime) -> str | None:
    """Say why a run that has not ended is wanted no more, or None."""
    if job is None:
        return "its job was deleted"
    if job.state is JobState.CANCELLED:
        return "its job was cancelled"
    if run.attempt != job.attempt:
        return f"attempt {run.attempt} is over"
    if job.finished_at and now - job.finished_at > END_WITHIN:
        return f"its job has {job.state}"
    return None


class Reconciler:
    """Looks every few seconds, and at once when a job was cancelled or retried."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._awake = asyncio.Event()

    def wake(self) -> None:
        """Look now; from any thread."""
        self._loop.call_soon_threadsafe(self._awake.set)

    async def run(self, runs: "PrefectRuns") -> None:
        """Compare for ever, whatever Prefect is doing."""
        while True:
            self._awake.clear()
            try:
                await self.look(runs)
            except Exception as error:  # noqa: BLE001 - the server may be away; the next look may find it well
                logger.warning("cannot compare jobs with flow runs: %s: %s", type(error).__name__, error)
            holder = context.current()
            await context.in_thread(manifests.catch_up, holder.ledger, holder.files)
            await asyncio.sleep(LEAST_PAUSE_S)
            await self._sleep(context.settings().web.reconcile_seconds)

    async def _sleep(self, longest_s: float) -> None:
        try:
            await asyncio.wait_for(self._awake.wait(), longest_s)
        except TimeoutError:
            return

    async def look(self, runs: "PrefectRuns") -> None:
        """Compare once."""
        from dashboards.prefect_runs import ids_of

        unfinished = await context.read(jobs.unfinished)
        known = await runs.by_id(ids_of(unfinished))
        for job in unfinished:
            await self._settle(job, known.get(job.flow_run_id or ""))
        for run in await runs.active():
            await self._stop_if_unwanted(runs, run)

    async def _settle(self, job: Job, run: "Run | None") -> None:
        held = context.workers().in_hand()
        decision = verdict(job, run, held=held, now=utc_now())
        if decision is None:
            return
        try:
            if isinstance(decision, Cancel):
                job = await context.write(jobs.cancel, job.id, actor=ACTOR)
            else:
                job = await context.write(_requeue_if_still, job, decision.reason)
        except (JobMoved, NotFound):
            return  # its report came in meanwhile
        logger.info("job settled", extra={"job": job.id, "state": job.state, "detail": job.detail})
        context.announce(job)

    async def _stop_if_unwanted(self, runs: "PrefectRuns", run: "Run") -> None:
        if run.job_id is None:
            return
        try:
            job: Job | None = await context.read(jobs.get, run.job_id)
        except NotFound:
            job = None
        now = utc_now()
        why = unwanted(run, job, now=now)
        if why is None:
            return
        held = context.workers().in_hand()
        disobeys = run.state == "cancelling" and now - run.since > OBEY_WITHIN
        nobodys = held is not None and run.id not in held and now - run.since > REPORT_WITHIN
        if run.state != "cancelling" or disobeys or nobodys:
            await runs.stop(run, why=why, at_once=disobeys or nobodys)


def _requeue_if_still(con: DuckDBPyConnection, job: Job, reason: str) -> Job:
    """Put the job back, unless it has moved since it was looked at."""
    now = jobs.get(con, job.id)
    if (now.attempt, now.flow_run_id) != (job.attempt, job.flow_run_id) or now.updated_at != job.updated_at:
        raise JobMoved(job.id, now.state, "queued again")
    return jobs.requeue(con, job.id, actor=ACTOR, reason=reason)
