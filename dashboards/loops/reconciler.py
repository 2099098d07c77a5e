"""Compares jobs with their flow runs, continuously, and repairs what crashes left behind.

Submitted jobs whose run is lost, crashed or ended without a report are requeued. Runs of cancelled jobs and outdated
attempts are cancelled, including their span runs.
"""

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from duckdb import DuckDBPyConnection

from dashboards.runtime import context, db, notify
from storage.domain.clock import utc_now
from storage.domain.errors import PASSING, JobMoved, NotFound, TranscriberError
from storage.domain.interruptions import (
    CommandSilent,
    Interruption,
    QueueDeleted,
    RunAbandoned,
    RunEnded,
    RunMissing,
    RunPostponed,
)
from storage.domain.job_messages import JobMessage, RunPaused, WaitingToRetry, text_of
from storage.domain.records import Job, JobState
from storage.jobs import job_store, manifests, queue_control

if TYPE_CHECKING:
    from dashboards.clients.prefect_runs import PrefectRun, PrefectRuns

logger = logging.getLogger(__name__)

ACTOR = "system:reconciler"
LEAST_PAUSE_S = 0.5
MAX_CAUSE_CHARS = 500
NAMES_OF_PASSING = {error.__name__ for error in PASSING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Grace:
    """How long the reconciler waits before it intervenes.

    `report_within`: a run reports, then ends; after this long without the report it counts as lost.
    `end_within`: how long a run may take to end by itself after its job is done.
    `obey_within`: how long a run may take to obey a cancellation before it is ended forcibly.
    `silent_for`: a run without a live worker counts as dead after this long without a report.
    `left_after`: requeue a job run by the command line after this long without a report.
    `patient_for`: how long to retry, with backoff from `first_wait` to `longest_wait`, while storage or the web process
    is unavailable.
    """

    report_within: timedelta = timedelta(seconds=5)
    end_within: timedelta = timedelta(seconds=60)
    obey_within: timedelta = timedelta(seconds=60)
    silent_for: timedelta = timedelta(seconds=60)
    left_after: timedelta = timedelta(minutes=15)
    first_wait: timedelta = timedelta(seconds=10)
    longest_wait: timedelta = timedelta(minutes=5)
    patient_for: timedelta = timedelta(hours=24)


GRACE = Grace()


@dataclass(frozen=True, slots=True, kw_only=True)
class Requeue:
    """Requeue the job, and why.

    `crashed` counts towards failing it; with `apart` it shares no flow run any more.
    """

    reason: Interruption
    crashed: bool = True
    apart: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Retry the job later; `detail` says why."""

    detail: JobMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Somebody paused the run in Prefect; the job waits until it is resumed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PutOff:
    """How often and since when a job was postponed, and until when the last time."""

    times: int
    since: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Somebody cancelled the run in Prefect."""


def verdict(
    job: Job,
    run: "PrefectRun | None",
    *,
    held: Collection[str] | None,
    now: datetime,
    put_off: PutOff | None = None,
    grace: Grace = GRACE,
) -> Requeue | Wait | Cancel | Hold | None:
    """Decide what to do with an unfinished job, given its flow run.

    None means "continue"; `held` is None if not every worker has reported its runs.
    """
    if job.flow_run_id is None:
        return Requeue(reason=CommandSilent()) if now - job.updated_at > grace.left_after else None
    if run is None:
        return Requeue(reason=RunMissing())
    if run.ended:
        return _after_the_end(run, now=now, put_off=put_off, grace=grace)
    return _before_the_end(job, run, held=held, now=now, grace=grace)


def _before_the_end(
    job: Job, run: "PrefectRun", *, held: Collection[str] | None, now: datetime, grace: Grace
) -> Requeue | Cancel | Hold | None:
    """Judge a run that has not ended: stopped, paused, without a queue or worker."""
    if run.state == "cancelling":
        return Cancel()  # by somebody in Prefect: we cancel no run of the present attempt before its job
    if run.state == "paused":
        return Hold()
    if is_homeless(run, now=now, grace=grace):
        return Requeue(reason=QueueDeleted(), crashed=False)
    nobodys = held is not None and run.id not in held and run.state in {"pending", "running", "cancelling"}
    if nobodys and now - max(run.since, job.updated_at) > grace.silent_for:
        return Requeue(reason=RunAbandoned())
    return None


def is_homeless(run: "PrefectRun", *, now: datetime, grace: Grace = GRACE) -> bool:
    """Return whether a run waits in a queue that was deleted, where no worker looks."""
    return run.state == "scheduled" and not run.has_queue and now - run.since > grace.report_within


def _after_the_end(
    run: "PrefectRun", *, now: datetime, put_off: PutOff | None, grace: Grace
) -> Requeue | Wait | Cancel | None:
    """Judge a run that ended before its job: report late, lost, or postponed."""
    if run.state == "cancelled":
        return Cancel()
    if now - run.since < grace.report_within:
        return None
    cause = run.message[:MAX_CAUSE_CHARS]
    if run.name in NAMES_OF_PASSING and not (put_off and now - put_off.since > grace.patient_for):
        pause = min(grace.longest_wait, grace.first_wait * 2 ** min(put_off.times if put_off else 0, 10))
        if now - run.since < pause:
            return Wait(detail=WaitingToRetry(every_s=pause.total_seconds(), cause=cause))
        return Requeue(reason=RunPostponed(cause=cause), crashed=False)
    of_several = bool(run.clips)  # which clip ended it is not known
    return Requeue(reason=RunEnded(state=run.state, cause=cause), crashed=not of_several, apart=of_several)


def unwanted(run: "PrefectRun", job: Job | None, *, now: datetime, grace: Grace = GRACE) -> str | None:
    """Return why a job no longer wants an unfinished run, or None."""
    if job is None:
        return "its job was deleted"
    if job.state is JobState.CANCELLED:
        return "its job was cancelled"
    if run.attempts.get(job.id) != job.attempt:
        return f"attempt {run.attempts.get(job.id)} is outdated"
    if run.clips and job.flow_run_id not in {None, run.id}:
        return "another run has its job"
    if job.finished_at and now - job.finished_at > grace.end_within:
        return f"its job has {job.state}"
    return None


class Reconciler:
    """Compares every few seconds, and at once when a job was cancelled."""

    def __init__(self, grace: Grace = GRACE) -> None:
        self._grace = grace
        self._loop = asyncio.get_running_loop()
        self._awake = asyncio.Event()
        self._put_off: dict[str, PutOff] = {}

    def wake(self) -> None:
        """Compare now; from any thread."""
        self._loop.call_soon_threadsafe(self._awake.set)

    async def run(self, runs: "PrefectRuns") -> None:
        """Compare forever, whatever Prefect is doing."""
        while True:
            self._awake.clear()
            try:
                await self.look(runs)
            except Exception as error:  # noqa: BLE001 - the server may be away; the next look may find it well
                logger.warning("cannot compare jobs with flow runs: %s: %s", type(error).__name__, error)
            await self._describe()
            await asyncio.sleep(LEAST_PAUSE_S)
            await self._sleep(context.settings().web.reconcile_seconds)

    async def _describe(self) -> None:
        """Store descriptions of jobs that a crash or an outage left out."""
        holder = context.current()
        try:
            await db.in_thread(manifests.catch_up, holder.ledger, holder.files)
        except TranscriberError as error:
            logger.warning("descriptions of jobs are not on storage yet: %s", error)

    async def _sleep(self, longest_s: float) -> None:
        try:
            async with asyncio.timeout(longest_s):  # wait_for of Python 3.11 may swallow a cancellation
                await self._awake.wait()
        except TimeoutError:
            return

    async def look(self, runs: "PrefectRuns") -> None:
        """Compare once."""
        from dashboards.clients.prefect_runs import ids_of

        unfinished = await db.read(job_store.unfinished)
        known = await runs.by_id(ids_of(unfinished))
        for job in unfinished:
            await self._settle(job, known.get(job.flow_run_id or ""))
        for run in await runs.active():
            await self._stop_if_unwanted(runs, run)
            await self._settle_for_span(run, unfinished)

    async def _settle_for_span(self, run: "PrefectRun", unfinished: Collection[Job]) -> None:
        """Requeue a job whose span's run has no queue; pause it if that is paused."""
        job = next((each for each in unfinished if each.id == run.job_id and each.flow_run_id != run.id), None)
        if job is None or run.attempt != job.attempt:
            return
        if run.state == "paused":
            await self._carry_out(job, Hold(), utc_now())
        elif is_homeless(run, now=utc_now(), grace=self._grace):
            await self._carry_out(job, Requeue(reason=QueueDeleted(), crashed=False), utc_now())

    async def _settle(self, job: Job, run: "PrefectRun | None") -> None:
        held, now = context.workers().in_hand(), utc_now()
        decision = verdict(job, run, held=held, now=now, put_off=self._put_off.get(job.id), grace=self._grace)
        if decision is not None:
            await self._carry_out(job, decision, now)

    async def _carry_out(self, job: Job, decision: Requeue | Wait | Cancel | Hold, now: datetime) -> None:
        if isinstance(decision, Wait):
            await notify.note(job, decision.detail)
            return
        try:
            if isinstance(decision, Cancel):
                job = await db.write(_cancel_if_still, job)
            elif isinstance(decision, Hold):
                job = await db.write(_hold_if_still, job)
            else:
                job = await db.write(_requeue_if_still, job, decision)
                self._remember(job, decision, now)
        except (JobMoved, NotFound):
            return  # its report arrived meanwhile
        logger.info("job settled", extra={"job": job.id, "state": job.state, "detail": text_of(job.detail)})
        notify.announce(job)

    def _remember(self, job: Job, decision: Requeue, now: datetime) -> None:
        """Count postponements of a job; a restart resets them, and pauses start short again."""
        kept_for = 2 * self._grace.longest_wait
        self._put_off = {job_id: entry for job_id, entry in self._put_off.items() if now - entry.last_at < kept_for}
        if not decision.crashed:
            before = self._put_off.get(job.id)
            times, since = (before.times + 1, before.since) if before else (1, now)
            self._put_off[job.id] = PutOff(times=times, since=since, last_at=now)

    async def _stop_if_unwanted(self, runs: "PrefectRuns", run: "PrefectRun") -> None:
        now, why = utc_now(), None
        for job_id in run.attempts:
            try:
                job: Job | None = await db.read(job_store.get, job_id)
            except NotFound:
                job = None
            why = unwanted(run, job, now=now, grace=self._grace)
            if why is None:
                return
        if why is None:
            return
        held = context.workers().in_hand()
        disobeys = run.state == "cancelling" and now - run.since > self._grace.obey_within
        nobodys = held is not None and run.id not in held and now - run.since > self._grace.report_within
        if run.state != "cancelling" or disobeys or nobodys:
            await runs.stop(run, why=why, at_once=disobeys or nobodys)


def _cancel_if_still(con: DuckDBPyConnection, job: Job) -> Job:
    """Cancel the job, unless it is at another attempt than when it was read."""
    _require_attempt(con, job, "cancelled")
    return job_store.cancel(con, job.id, actor=ACTOR)


def _hold_if_still(con: DuckDBPyConnection, job: Job) -> Job:
    """Pause the job, unless it is at another attempt than when it was read."""
    _require_attempt(con, job, "paused")
    return queue_control.hold(con, job.id, actor=ACTOR, detail=RunPaused())


def _require_attempt(con: DuckDBPyConnection, job: Job, wanted: str) -> Job:
    now = job_store.get(con, job.id)
    if (now.attempt, now.flow_run_id) != (job.attempt, job.flow_run_id):
        raise JobMoved(job.id, now.state, wanted)
    return now


def _requeue_if_still(con: DuckDBPyConnection, job: Job, decision: Requeue) -> Job:
    """Requeue the job, unless it has changed since it was read."""
    now = _require_attempt(con, job, "queued again")
    if now.updated_at != job.updated_at:
        raise JobMoved(job.id, now.state, "queued again")
    told, crashed, apart = decision.reason, decision.crashed, decision.apart
    return job_store.requeue(con, job.id, actor=ACTOR, reason=told, crashed=crashed, apart=apart)
