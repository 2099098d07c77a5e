"""`transcribe-clips`: several short recordings in one flow run, each a job of its own.

A flow run costs its server more than a clip costs the engine, so clips that wait together share one.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import FlowRun, State

from flows.flows.transcribe_clip import Clip
from flows.runs.artifacts import summarize
from flows.runs.job_attempt import AskedAttempt, AttemptOutcome, run_asked
from flows.runs.local_spans import LocalSpans
from flows.runs.process_state import HEAD_STARTS, CancelFlag, Resident, current
from flows.runs.run_outcomes import NO_RESULTS, cancelled, this_run
from storage.domain.deployments import Deployment
from storage.domain.errors import PASSING
from storage.domain.records import Job

AT_ONCE = 3
"""One clip is read and another one reported while a third is with the engine."""
ASK_EVERY_S = 3.0
"""A clip whose job was cancelled hears of it within this time; its flow run goes on."""
NAMES_OF_PASSING = {error.__name__ for error in PASSING}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipsOutcome:
    """How the attempts ended; `stopped` if the flow run was told to stop."""

    outcomes: Sequence[AttemptOutcome | BaseException]
    stopped: bool

    async def conclude(self) -> State[Any] | None:
        """Show the transcripts in Prefect, and return the flow run's final state.

        A clip that met a temporary error leaves its job unfinished, so the run fails with that error, and the
        reconciler requeues the job. Clips that were cancelled one by one say nothing about the others.
        """
        ended = [each for each in self.outcomes if isinstance(each, AttemptOutcome)]
        await summarize([each.transcript for each in ended if each.transcript is not None])
        if self.stopped:
            return cancelled("stopped on request")
        for each in self.outcomes:
            if isinstance(each, BaseException):
                raise each
        failures = [each.state for each in ended if each.state is not None and each.state.is_failed()]
        return min(failures, key=lambda state: state.name not in NAMES_OF_PASSING, default=None)


async def attempt_clips(here: Resident, run: FlowRun) -> ClipsOutcome:
    """Run the attempts, one with the engine at a time.

    When one fails, the others go on.
    """
    flags, turn, engine = [CancelFlag() for _ in run.parameters["clips"]], asyncio.Semaphore(AT_ONCE), asyncio.Lock()

    def clip(here: Resident, flag: CancelFlag, job: Job) -> Clip:
        spans = LocalSpans(here=here, flag=flag, lane=job.lane, engine=engine, ask_every_s=ASK_EVERY_S)
        return Clip(here, flag, job, span_runs=spans)

    async def attempt(told: Mapping[str, Any], flag: CancelFlag) -> AttemptOutcome:
        job_id, number = str(told["job_id"]), int(told["attempt"])
        asked = AskedAttempt(flow_run_id=run.id, job_id=job_id, attempt=number, flag=flag)
        with here.ahead.continued(job_id, flag):
            async with turn:
                return await run_asked(Deployment.TRANSCRIBE_CLIPS, here, asked, clip)

    stopping = asyncio.create_task(_raise_all(here.flag(run.id), flags))
    try:
        attempts = map(attempt, run.parameters["clips"], flags)
        outcomes = await asyncio.gather(*attempts, return_exceptions=True)
        return ClipsOutcome(outcomes=outcomes, stopped=here.flag(run.id).is_raised())
    finally:
        stopping.cancel()


async def _raise_all(flag: CancelFlag, flags: Sequence[CancelFlag]) -> None:
    await flag.wait()
    for each in flags:
        each.raise_()


HEAD_STARTS[Deployment.TRANSCRIBE_CLIPS.value] = attempt_clips


@flow(name=Deployment.TRANSCRIBE_CLIPS.value, persist_result=False, result_storage=NO_RESULTS)
async def transcribe_clips(clips: list[dict[str, Any]]) -> State[Any] | None:  # noqa: ARG001 - read from the flow run
    """Run one attempt at each of several jobs whose recordings are short.

    Each has its `job_id` and `attempt`. A run whose process dies is not repeated: its jobs go on one by one.
    """
    here, run = current(), this_run()
    outcome = await (here.begun_ahead(run.id) or attempt_clips(here, run))
    return await outcome.conclude()
