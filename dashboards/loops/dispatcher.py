"""Feeds Prefect from the backlog in the ledger: a few recordings in flight, the next one when one is done.

The order is decided late, here, and so is the model: `auto` becomes the name and fingerprint that workers say they
have. A waiting job says in its `detail` what it waits for.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dashboards import context
from storage import jobs, reports
from storage.errors import ModelMissing, NotReady, StaleAttempt
from storage.heartbeats import ModelState
from storage.records import Job
from storage.reports import Failed, Started

if TYPE_CHECKING:
    from dashboards.prefect_runs import PrefectRuns

logger = logging.getLogger(__name__)

ACTOR = "system:dispatcher"
AUTO = "auto"
LOOK_EVERY_S = 5.0
LOOK_AHEAD = 50
LEAST_IN_FLIGHT = 2
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 15.0
PATIENT_FOR_S = 0.5
"""Prefect's SQLite is often busy for a moment; readers hear of it only when it lasts."""
FAILED_FOR_S = 15.0
SILENT_FOR_S = 90.0
FORGET_AFTER_S = 30.0
"""A waiting job asks for its model every few seconds; so long after that the next one waits anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The model that will hear the job."""

    name: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Not yet, and why, for the reader."""

    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hopeless:
    """The model cannot be had, and what to do about it."""

    error: str


class Models:
    """Which model hears a job, by what workers say of themselves."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked: dict[str, tuple[float, float]] = {}
        """When each model was first and last asked for in vain."""

    def choose(self, wanted: str) -> Ready | Waiting | Hopeless:
        """Decide for a job that wants this model; workers are asked to fetch one that none of them has."""
        workers = context.workers()
        if not workers.alive(pool="gpu"):
            return Waiting(detail="waiting for a worker")
        state = workers.default_model() if wanted == AUTO else workers.has(wanted)
        if state and state.state == "ready" and state.fingerprint:
            self.forget(wanted)
            return Ready(name=state.name, fingerprint=state.fingerprint)
        if wanted != AUTO:
            workers.want(wanted)
        return self._not_ready(wanted, state, self._waited_s(wanted, state))

    def _waited_s(self, wanted: str, state: ModelState | None) -> float:
        """Note that the model was asked for; return how long it has been in vain, which a download is not."""
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
                what = "which model it has" if wanted == AUTO else f"of model {wanted}"
                return Waiting(detail=f"waiting for a worker to say {what}")
            return Hopeless(error=str(ModelMissing(wanted, "no worker could get it")))
        if state.state == "failed":
            if waited_s < FAILED_FOR_S:
                return Waiting(detail=f"asking again for model {state.name}")
            return Hopeless(error=state.warning or str(ModelMissing(wanted, "its download failed")))
        share = "" if state.progress is None else f": {state.progress:.0%}"
        return Waiting(detail=f"downloading model {state.name}{share}")

    def forget(self, wanted: str) -> None:
        """Ask anew when the next job wants this model."""
        self._asked.pop(wanted, None)


class Dispatcher:
    """Hands jobs to Prefect. Woken when something changes; looks by itself every few seconds."""

    def __init__(self) -> None:
        self.models = Models()
        self._loop = asyncio.get_running_loop()
        self._awake = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()

    def wake(self) -> None:
        """Look at the backlog now; from any thread."""
        self._loop.call_soon_threadsafe(self._awake.set)

    async def run(self, runs: "PrefectRuns") -> None:
        """Hand out for ever; while Prefect is away, try again ever more rarely."""
        pause_s = FIRST_PAUSE_S
        while True:
            self._awake.clear()
            try:
                await self.hand_out(runs)
                pause_s = FIRST_PAUSE_S
                await self._sleep(LOOK_EVERY_S)
            except Exception as error:  # noqa: BLE001 - whatever Prefect is doing, the next try may find it well
                logger.warning("cannot hand jobs to Prefect: %s: %s", type(error).__name__, error)
                if pause_s > PATIENT_FOR_S:
                    await self._note_first(_excuse(error))
                await asyncio.sleep(random.uniform(0.5, 1.0) * pause_s)  # noqa: S311
                pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)

    async def _sleep(self, longest_s: float) -> None:
        try:
            async with asyncio.timeout(longest_s):  # wait_for of Python 3.11 may swallow the end
                await self._awake.wait()
        except TimeoutError:
            return

    async def hand_out(self, runs: "PrefectRuns") -> int:
        """Start flow runs while there is room; return how many."""
        handed_out = [job for job in await context.read(jobs.unfinished) if job.flow_run_id]
        room = self.limit() - len(handed_out)
        if room <= 0:
            return 0
        started = 0
        for job in await context.read(jobs.next_queued, room + LOOK_AHEAD):
            if started >= room:
                break
            choice = self.models.choose(job.options.model)
            if isinstance(choice, Ready):
                started += await self._start(runs, job, choice)
            elif isinstance(choice, Waiting):
                await context.note(job, choice.detail)
            else:
                await self._fail(job, choice)
        return started

    def limit(self) -> int:
        """Return how many recordings Prefect may have at once."""
        fixed = context.settings().web.jobs_in_flight
        return fixed or max(LEAST_IN_FLIGHT, 2 * context.workers().slots("cpu"))

    async def _start(self, runs: "PrefectRuns", job: Job, model: Ready) -> bool:
        async with self._one_at_a_time:
            flow_run_id = await runs.start(job, slots=context.workers().slots("gpu"))
            try:
                job = await self._record(job, flow_run_id, model)
            except StaleAttempt:
                return False  # cancelled meanwhile; the reconciler stops the run
        context.announce(job)
        logger.info("job submitted", extra={"job": job.id, "attempt": job.attempt, "flow_run": flow_run_id})
        return True

    async def _record(self, job: Job, flow_run_id: str, model: Ready) -> Job:
        return await context.write(
            jobs.submitted,
            job.id,
            attempt=job.attempt,
            flow_run_id=flow_run_id,
            model=model.name,
            fingerprint=model.fingerprint,
            actor=ACTOR,
        )

    async def adopt(self, report: Started) -> None:
        """Record the submission of a run that starts before it is on record: the web process died in between.

        Raises:
            NotReady: no worker has said yet which model it has; the run asks again.
        """
        async with self._one_at_a_time:
            job = await context.read(jobs.get, report.job_id)
            if job.state.finished or job.attempt != report.attempt or job.model or not report.flow_run_id:
                return
            choice = self.models.choose(job.options.model)
            if not isinstance(choice, Ready):
                raise NotReady(f"the model of job {job.id}")
            await self._record(job, report.flow_run_id, choice)

    async def _note_first(self, detail: str) -> None:
        for job in await context.read(jobs.next_queued, LOOK_AHEAD):
            await context.note(job, detail)

    async def _fail(self, job: Job, choice: Hopeless) -> None:
        report = Failed(
            job_id=job.id, attempt=job.attempt, worker="dispatcher", error=choice.error, code=ModelMissing.code
        )
        holder = context.current()
        try:
            failed = await context.in_ledger(reports.apply, holder.ledger, holder.files, report, actor=ACTOR)
        except StaleAttempt:
            return
        self.models.forget(job.options.model)
        context.announce(failed)


def _excuse(error: Exception) -> str:
    from dashboards.prefect_runs import DeploymentMissing

    if isinstance(error, DeploymentMissing):
        return "waiting for the Prefect server to be told of the deployments"
    return "waiting for the Prefect server"
