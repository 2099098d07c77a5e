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
from storage.errors import PASSING, JobMoved, NotFound
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


FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=10), timedelta(minutes=5)
PATIENT_FOR = timedelta(hours=24)
"""While storage is away or full, or the web process was, a job is tried again ever more rarely for so long."""
MAX_DETAIL_CHARS = 500
NAMES_OF_PASSING = {error.__name__ for error in PASSING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Requeue:
    """Try the job again; `reason` goes to the reader. `crashed`: it counts towards giving the job up."""

    reason: str
    crashed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Try the job again later; `detail` goes to the reader."""

    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PutOff:
    """How often a job had to wait for better times, since when, and up to when this was last so."""

    times: int
    since: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Somebody has cancelled the run in Prefect."""


def verdict(
    job: Job,
    run: "Run | None",
    *,
    held: Collection[str] | None,
    now: datetime,
    put_off: PutOff | None = None,
) -> Requeue | Wait | Cancel | None:
    """Say what to do with an unfinished job, given its flow run; `held` are the runs that workers have in hand.

    None stands for "go on", and for `held` where not every worker has said what it has.
    """
    if job.flow_run_id is None:
        return Requeue(reason=LEFT) if now - job.updated_at > LEFT_AFTER else None
    if run is None:
        return Requeue(reason="Prefect does not know its flow run any more")
    if run.ended:
        return _after_the_end(run, now=now, put_off=put_off)
    nobodys = held is not None and run.id not in held and run.state in {"pending", "running", "cancelling"}
    if nobodys and now - max(run.since, job.updated_at) > SILENT_FOR:
        return Requeue(reason="no worker has its flow run in hand")
    return None


def _after_the_end(run: "Run", *, now: datetime, put_off: PutOff | None) -> Requeue | Wait | Cancel | None:
    """Judge a run that has ended while its job has not: its report is late, or lost, or it has to wait."""
    if now - run.since < REPORT_WITHIN:
        return None
    if run.state == "cancelled":
        return Cancel()
    if run.name in NAMES_OF_PASSING and not (put_off and now - put_off.since > PATIENT_FOR):
        pause = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(put_off.times if put_off else 0, 10))
        if now - run.since < pause:
            return Wait(detail=f"waiting: trying again every {_spoken(pause)}; {run.message}"[:MAX_DETAIL_CHARS])
        return Requeue(reason=run.message[:MAX_DETAIL_CHARS], crashed=False)
    told = f" ({run.message})" if run.message else ""
    return Requeue(reason=f"its flow run {run.state} without a result{told}"[:300])


def _spoken(pause: timedelta) -> str:
    seconds = round(pause.total_seconds())
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} minutes"


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
        self._put_off: dict[str, PutOff] = {}

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
            async with asyncio.timeout(longest_s):  # wait_for of Python 3.11 may swallow the end
                await self._awake.wait()
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
        held, now = context.workers().in_hand(), utc_now()
        decision = verdict(job, run, held=held, now=now, put_off=self._put_off.get(job.id))
        if decision is None:
            return
        if isinstance(decision, Wait):
            await context.note(job, decision.detail)
            return
        try:
            if isinstance(decision, Cancel):
                job = await context.write(jobs.cancel, job.id, actor=ACTOR)
            else:
                job = await context.write(_requeue_if_still, job, decision)
                self._remember(job, decision, now)
        except (JobMoved, NotFound):
            return  # its report came in meanwhile
        logger.info("job settled", extra={"job": job.id, "state": job.state, "detail": job.detail})
        context.announce(job)

    def _remember(self, job: Job, decision: Requeue, now: datetime) -> None:
        """Count how often the job had to wait; a restart forgets it, and then the pauses begin short again."""
        self._put_off = {
            job_id: entry for job_id, entry in self._put_off.items() if now - entry.last_at < 2 * LONGEST_WAIT
        }
        if not decision.crashed:
            before = self._put_off.get(job.id)
            times, since = (before.times + 1, before.since) if before else (1, now)
            self._put_off[job.id] = PutOff(times=times, since=since, last_at=now)

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


def _requeue_if_still(con: DuckDBPyConnection, job: Job, decision: Requeue) -> Job:
    """Put the job back, unless it has moved since it was looked at."""
    now = jobs.get(con, job.id)
    if (now.attempt, now.flow_run_id) != (job.attempt, job.flow_run_id) or now.updated_at != job.updated_at:
        raise JobMoved(job.id, now.state, "queued again")
    return jobs.requeue(con, job.id, actor=ACTOR, reason=decision.reason, crashed=decision.crashed)
