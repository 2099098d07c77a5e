"""Submits recordings from the ledger's backlog to Prefect, a few at a time.

Order and model are decided late, here: `auto` becomes the name and fingerprint of a model that workers have. A waiting
job says in `detail` what it waits for.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from duckdb import DuckDBPyConnection

from dashboards.loops.clip_groups import Room, gathered
from dashboards.runtime import context, db, notify
from storage.domain.errors import ModelMissing, NotFound, NotReady, StaleAttempt, TranscriberError
from storage.domain.job_messages import (
    DownloadingModel,
    JobMessage,
    LanePaused,
    MaintenancePause,
    ModelUnavailable,
    RetryingModel,
    WaitingForModel,
    WaitingForPrefect,
    WaitingForWorker,
    encode,
)
from storage.domain.records import Job, JobState, Lane
from storage.jobs import job_store, platform_pause, queue_order, reports
from storage.jobs.platform_pause import PlatformPause
from storage.jobs.reports import Failed, Started
from storage.remote.worker_registry import ModelState, own_name

if TYPE_CHECKING:
    from dashboards.clients.prefect_runs import PrefectRuns

logger = logging.getLogger(__name__)

ACTOR = "system:dispatcher"
AUTO = "auto"
LOOK_EVERY_S = 5.0
REST, LONGEST_REST_S = 4, 0.2
"""A look is followed by a pause of so many times its own length: each job that comes or ends asks for one."""
CROWD, LET_IN_FOR_S, LET_IN_PAUSE_S = 3, 2.0, 0.05
"""While so many recordings are being accepted at once, nothing is handed out for so long."""
LOOK_AHEAD = 50
FAILED_AT_ONCE = 1000
PAUSES_KNOWN_FOR_S = 5.0
LEAST_IN_FLIGHT = 2
FIRST_PAUSE_S, STARTING_PAUSE_S, LONGEST_PAUSE_S = 0.1, 1.0, 15.0
PATIENT_FOR_S = 0.5
"""Readers are told that Prefect's SQLite is busy only after this long."""
FAILED_FOR_S = 15.0
SILENT_FOR_S = 90.0
FORGET_AFTER_S = 30.0
"""A job's wait for a model starts again after this pause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The model that the job will be transcribed with."""

    name: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The job has to wait, and why."""

    detail: JobMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class Hopeless:
    """The model is not available, and why."""

    error: ModelUnavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchBacklog:
    """The platform's pause, the models that waiting jobs request, and the jobs that Prefect has.

    `only_job` is a job that waits while no other waits and Prefect has none.
    """

    pause: PlatformPause | None
    wanted_models: Sequence[str]
    handed_out: Sequence[Job] = ()
    only_job: Job | None = None


class Models:
    """Chooses the model of a job from what workers report."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked: dict[str, tuple[float, float]] = {}
        """When each model was first and last requested without success."""

    def choose(self, wanted: str) -> Ready | Waiting | Hopeless:
        """Choose the model for a job; workers are asked to download a missing one."""
        workers = context.workers()
        if not workers.alive(pool="gpu"):
            return Waiting(detail=WaitingForWorker())
        state = workers.default_model() if wanted == AUTO else workers.has(wanted)
        if state and state.state == "ready" and state.fingerprint:
            self.forget(wanted)
            return Ready(name=state.name, fingerprint=state.fingerprint)
        if wanted != AUTO:
            workers.want(wanted)
        return self._not_ready(wanted, state, self._waited_s(wanted, state))

    def _waited_s(self, wanted: str, state: ModelState | None) -> float:
        """Return how long a model has been requested in vain; downloading does not count."""
        now = self._clock()
        self._asked = {name: times for name, times in self._asked.items() if now - times[1] < FORGET_AFTER_S}
        if state and state.state == "downloading":
            self.forget(wanted)
        since, _ = self._asked.get(wanted, (now, now))
        self._asked[wanted] = since, now
        return now - since

    def _not_ready(self, wanted: str, state: ModelState | None, waited_s: float) -> Waiting | Hopeless:
        if state is None:
            if wanted == AUTO or waited_s < SILENT_FOR_S:
                return Waiting(detail=WaitingForModel(model=None if wanted == AUTO else wanted))
            return Hopeless(error=ModelUnavailable(model=wanted))
        if state.state == "failed":
            if waited_s < FAILED_FOR_S:
                return Waiting(detail=RetryingModel(model=state.name))
            return Hopeless(error=ModelUnavailable(model=wanted, warning=state.warning, downloaded=True))
        return Waiting(detail=DownloadingModel(model=state.name, share=state.progress))

    def forget(self, wanted: str) -> None:
        """Start the wait for this model again with the next job."""
        self._asked.pop(wanted, None)


class Dispatcher:
    """Submits jobs to Prefect when woken, and every few seconds."""

    def __init__(self, *, look_every_s: float = LOOK_EVERY_S) -> None:
        self._look_every_s = look_every_s
        self.models = Models()
        self._loop = asyncio.get_running_loop()
        self._awake = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self._aside: set[str] = set()
        self._offered: tuple[str, int, str] | None = None
        """The job and attempt of the last offer, and the worker that got it."""
        self._paused: dict[Lane, LanePaused] = {}
        self._paused_known_at: float | None = None

    def wake(self) -> None:
        """Check the backlog now; from any thread."""
        self._loop.call_soon_threadsafe(self._awake.set)

    async def run(self, runs: "PrefectRuns") -> None:
        """Submit jobs forever; while Prefect is unavailable, retry with backoff."""
        pause_s = FIRST_PAUSE_S
        while True:
            self._awake.clear()
            try:
                await let_in()
                began = time.monotonic()
                await self.hand_out(runs)
                context.current().prefect_has_answered = True
                pause_s = FIRST_PAUSE_S
                await asyncio.sleep(min(LONGEST_REST_S, REST * (time.monotonic() - began)))
                await self._sleep(self._look_every_s)
            except Exception as error:  # noqa: BLE001 - whatever Prefect is doing, the next try may find it well
                logger.warning("cannot hand jobs to Prefect: %s: %s", type(error).__name__, error)
                if pause_s > PATIENT_FOR_S:
                    with contextlib.suppress(TranscriberError):  # a full disk keeps words from the ledger, too
                        await self._note_first(_excuse(error))
                await asyncio.sleep(random.uniform(0.5, 1.0) * pause_s)  # noqa: S311
                longest_s = LONGEST_PAUSE_S if context.current().prefect_has_answered else STARTING_PAUSE_S
                pause_s = min(longest_s, 2 * pause_s)

    async def _sleep(self, longest_s: float) -> None:
        try:
            async with asyncio.timeout(longest_s):  # wait_for of Python 3.11 may swallow a cancellation
                await self._awake.wait()
        except TimeoutError:
            return

    async def hand_out(self, runs: "PrefectRuns") -> int:
        """Start flow runs while there is room; return their number.

        Jobs that have to wait for their model or a paused queue stand aside with their reason, all at once.
        """
        backlog = await db.read(_backlog)
        if backlog.pause is not None:
            await notify.note_all(MaintenancePause(reason=backlog.pause.reason), models=backlog.wanted_models)
            return 0
        choices = {wanted: self.models.choose(wanted) for wanted in backlog.wanted_models}
        ready = {wanted: choice for wanted, choice in choices.items() if isinstance(choice, Ready)}
        started, groups = 0, await self._next(runs, ready, backlog)
        for together in groups:
            is_alone = len(together) == len(groups) == 1 and not backlog.handed_out
            started += await self._start(runs, together, ready[together[0].options.model], is_alone=is_alone)
        await self._set_aside(choices)
        if each := context.settings().web.jobs_in_flight_per_user:
            await notify.note_held_back(each, models=ready, without=self._paused)
        await self._learn_pauses(runs, ready)
        return started

    async def _set_aside(self, choices: Mapping[str, Ready | Waiting | Hopeless]) -> None:
        """Give jobs of models that are not ready their reason; fail the hopeless."""
        for wanted, choice in choices.items():
            if isinstance(choice, Waiting):
                await notify.note_all(choice.detail, models=[wanted])
            elif isinstance(choice, Hopeless):
                await self._fail_all(wanted, choice)
            elif wanted in self._aside:
                await notify.note_all(None, models=[wanted])
        self._aside = {wanted for wanted, choice in choices.items() if isinstance(choice, Waiting)}

    async def _next(self, runs: "PrefectRuns", ready: Collection[str], backlog: DispatchBacklog) -> list[list[Job]]:
        """Return jobs for which there is room, by flow run.

        Runs in a paused queue take none.
        """
        taking = [job for job in backlog.handed_out if not (job.state is JobState.QUEUED and job.lane in self._paused)]
        room = self._room(taking, runs)
        if room.most_jobs <= 0 or not ready:
            return []
        each = context.settings().web.jobs_in_flight_per_user or None
        without = room.full.union(self._paused)
        if backlog.only_job is not None:
            jobs = [] if backlog.only_job.lane in without else [backlog.only_job]
        else:
            jobs = await db.read(queue_order.next_queued, room.most_jobs, models=ready, without=without, each=each)
        return gathered(jobs, room, is_clip=runs.is_clip)

    def _room(self, handed_out: Sequence[Job], runs: "PrefectRuns") -> Room:
        """Return the room beside the jobs that Prefect has."""
        fixed = context.settings().web.jobs_in_flight
        lanes = {job.flow_run_id: job.lane for job in handed_out}
        of_clips = {job.flow_run_id: job.lane for job in handed_out if runs.is_clip(job)}
        return Room(
            limit=self.limit(),
            jobs=fixed - len(handed_out) if fixed else None,
            slots=context.workers().slots("gpu"),
            runs=Counter(lanes.values()),
            clip_runs=Counter(of_clips.values()),
        )

    async def _learn_pauses(self, runs: "PrefectRuns", ready: Collection[str]) -> None:
        """Read now and then what somebody paused in Prefect."""
        now = time.monotonic()
        if self._paused_known_at is None or now - self._paused_known_at >= PAUSES_KNOWN_FOR_S:
            before, self._paused, self._paused_known_at = self._paused, await runs.paused(), now
            for lane in before.keys() - self._paused:
                await notify.note_all(None, models=ready, lane=lane)
                self.wake()
        for lane, reason in self._paused.items():
            await notify.note_all(reason, models=ready, lane=lane)

    def limit(self) -> int:
        """Return how many flow runs Prefect may have of one lane and those before it."""
        fixed = context.settings().web.jobs_in_flight
        return fixed or max(LEAST_IN_FLIGHT, 2 * context.workers().slots("cpu"))

    async def _start(self, runs: "PrefectRuns", together: Sequence[Job], model: Ready, *, is_alone: bool) -> int:
        """Start a flow run for one job or several clips; return how many it has.

        A clip beside which there is nothing to do is offered to a worker first.
        """
        async with self._one_at_a_time:
            if len(together) > 1:
                flow_run_id = await runs.start_clips(together, fingerprint=model.fingerprint)
            else:
                slots = context.workers().slots("gpu")
                begun_by = self._offer(together[0], model) if is_alone and runs.is_clip(together[0]) else None
                flow_run_id = await runs.start(
                    together[0], slots=slots, fingerprint=model.fingerprint, begun_by=begun_by
                )
            recorded = await db.write(_submitted, together, flow_run_id, model)
        for job in recorded:
            notify.announce(job)
        submitted = [job for job in recorded if job.flow_run_id is not None]  # the others were paused meanwhile
        for job in submitted:
            logger.info("job submitted", extra={"job": job.id, "attempt": job.attempt, "flow_run": flow_run_id})
        return len(submitted)

    def _offer(self, clip: Job, model: Ready) -> str | None:
        """Offer a clip once to a worker that has its model; return its Prefect name.

        While Prefect is away the dispatcher tries again and again, and a clip may be one that kills its process.
        """
        if self._offered is not None and self._offered[:2] == (clip.id, clip.attempt):
            return self._offered[2]
        holder, known = context.current(), replace(clip, model=model.name, fingerprint=model.fingerprint)
        name = holder.clip_offers.offer(known, holder.workers.ready_for(model.fingerprint))
        if name is None:
            return None
        self._offered = (clip.id, clip.attempt, own_name(name))
        return own_name(name)

    async def adopt(self, report: Started) -> None:
        """Record a run that starts before its submission is recorded, after a crash in between.

        Raises:
            NotReady: no worker has reported its model yet; the run asks again.
        """
        if not report.flow_run_id or not await db.read(job_store.is_unrecorded, report.job_id, attempt=report.attempt):
            return  # without waiting for a submission that is under way
        async with self._one_at_a_time:
            if not await db.read(job_store.is_unrecorded, report.job_id, attempt=report.attempt):
                return
            job = await db.read(job_store.get, report.job_id)
            choice = self.models.choose(job.options.model)
            if not isinstance(choice, Ready):
                raise NotReady(f"the model of job {job.id}")
            await db.write(_submitted, [job], report.flow_run_id, choice)

    async def _note_first(self, detail: JobMessage) -> None:
        """Tell the next jobs why they wait, but for those whose model is not ready."""
        for job in await db.read(queue_order.next_queued, LOOK_AHEAD):
            if job.options.model not in self._aside:
                await notify.note(job, detail)

    async def _fail_all(self, wanted: str, choice: Hopeless) -> None:
        """Fail the waiting jobs that request a model which cannot be had."""
        for job in await db.read(queue_order.next_queued, FAILED_AT_ONCE, models=[wanted]):
            await self._fail(job, choice)
        self.models.forget(wanted)

    async def _fail(self, job: Job, choice: Hopeless) -> None:
        error, code = encode(choice.error), ModelMissing.code
        report = Failed(job_id=job.id, attempt=job.attempt, worker="dispatcher", error=error, code=code)
        holder = context.current()
        try:
            failed = await db.in_ledger(reports.apply, holder.ledger, holder.files, report, actor=ACTOR)
        except StaleAttempt:
            return
        notify.announce(failed)


async def let_in() -> None:
    """Wait for a moment while many recordings are being accepted.

    Those who send them wait for that; what is begun meanwhile takes ledger and processors from it, and clips that come
    together share flow runs.
    """
    until = time.monotonic() + LET_IN_FOR_S
    while context.current().accepting >= CROWD and time.monotonic() < until:  # noqa: ASYNC110 - changes all the time
        await asyncio.sleep(LET_IN_PAUSE_S)


def _backlog(con: DuckDBPyConnection) -> DispatchBacklog:
    """Return what waits and what Prefect has.

    A clip that comes alone waits for this, and is found with fewer statements.
    """
    pause = platform_pause.find(con)
    if only_job := queue_order.only_one(con):
        return DispatchBacklog(pause=pause, wanted_models=[only_job.options.model], only_job=only_job)
    handed_out = [job for job in job_store.unfinished(con) if job.flow_run_id]
    return DispatchBacklog(pause=pause, wanted_models=queue_order.wanted_models(con), handed_out=handed_out)


def _submitted(con: DuckDBPyConnection, jobs: Sequence[Job], flow_run_id: str, model: Ready) -> list[Job]:
    """Record the flow run of jobs, without those that were cancelled or deleted meanwhile."""
    recorded = []
    told = {"flow_run_id": flow_run_id, "model": model.name, "fingerprint": model.fingerprint}
    for job in jobs:
        with contextlib.suppress(StaleAttempt, NotFound):  # its part of the run stops at its first report
            recorded.append(job_store.submitted(con, job.id, attempt=job.attempt, actor=ACTOR, **told))
    return recorded


def _excuse(error: Exception) -> JobMessage:
    from dashboards.clients.prefect_runs import DeploymentMissing

    return WaitingForPrefect(deployments=isinstance(error, DeploymentMissing))
