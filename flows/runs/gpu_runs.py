"""Run the gpu flow runs of a recording, a bounded number in flight."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelling

from flows.runs.prefect_retry import PATIENCE_S, PAUSE_S, is_detached, is_passing
from flows.runs.process_state import CancelFlag, Resident
from flows.runs.run_events import DELETED, RunEvents, run_events_listener, wait_for_result
from flows.runs.run_outcomes import Stopped, may_pass, span_failure
from flows.runs.span_runs import SpanRuns
from storage.domain import retries
from storage.domain.deployments import Deployment, run_tags
from storage.domain.errors import SpanFailed
from storage.domain.records import Job, Span

log = logging.getLogger(__name__)

_DEPLOYMENTS: dict[Deployment, UUID] = {}  # of this process, whose server gives them their ids


@dataclass(kw_only=True)
class GpuRuns(SpanRuns):
    """The gpu runs of one recording; `slots` is the gpu workers' capacity."""

    here: Resident
    client: PrefectClient
    job: Job
    flag: CancelFlag
    slots: int
    run_events: RunEvents = run_events_listener
    patience_s: float = PATIENCE_S
    deployment_ids: dict[Deployment, UUID] = field(default_factory=lambda: _DEPLOYMENTS)
    _in_flight: set[UUID] = field(default_factory=set)

    async def transcribe_all(
        self,
        spans: AsyncGenerator[Span, None],
        parameters: Callable[[Span], dict[str, Any]],
        on_transcribed: Callable[[Span], None],
    ) -> None:
        """Transcribe every span as it arrives, with twice as many in flight as slots.

        `on_transcribed` receives each finished span.

        Raises:
            Stopped: the recording's flow run, or one of its spans, was cancelled.
            SpanFailed: a span run failed for good; the others are cancelled. (`SpanPutOff`: temporarily.)
            Exception: anything else that ended the wait, or `spans`; if it is temporary, the span runs continue.
        """

        async def transcribe(span: Span) -> None:
            span_parameters = parameters(span)
            await self.get(
                Deployment.TRANSCRIBE_SPAN,
                span_parameters,
                name=f"{self.job.name} · span {span.index + 1} · {self.job.id[-6:]}",
                key=f"span {span.index} {span_parameters['result']}",
                what=f"span {span.index + 1}",
            )
            on_transcribed(span)

        try:
            await for_each_span(spans, transcribe, at_once=2 * max(1, self.slots))
        except Exception as error:
            if may_pass(error):
                self._in_flight.clear()  # the next pass picks them up; those of an outdated attempt are stopped
            else:
                await self.cancel()
            raise

    async def get(self, deployment: Deployment, parameters: dict[str, Any], *, name: str, key: str, what: str) -> None:
        """Run one deployment to create `result`; the same job, attempt and key reuse the run.

        A run that somebody deletes in Prefect is made anew.
        """
        while not await self._run(deployment, parameters, name=name, key=key, what=what):
            log.info("the flow run of %s was deleted; it is made anew", what)

    async def _run(self, deployment: Deployment, parameters: dict[str, Any], *, name: str, key: str, what: str) -> bool:
        """Run it once; return whether it ended, or else was deleted."""
        run = await retries.call_async(
            lambda: self._create(deployment, parameters, name, key),
            may_pass=lambda error: is_passing(error) or is_detached(error),
            pauses_s=retries.growing(PAUSE_S, PAUSE_S, within_s=self.patience_s),
        )
        self._in_flight.add(run.id)
        try:
            is_ended = await self._wait(run.id, str(parameters["result"]), what)
        except Exception:
            self._in_flight.discard(run.id)
            raise
        self._in_flight.discard(run.id)  # skipped when a sibling's failure ends the wait: `cancel` has to find it
        return is_ended

    async def _create(self, deployment: Deployment, parameters: dict[str, Any], name: str, key: str) -> FlowRun:
        try:
            return await self.client.create_flow_run_from_deployment(
                await self._deployment_id(deployment),
                parameters=parameters,
                name=name,
                tags=run_tags([self.job], parameters.get("fingerprint")),
                idempotency_key=f"{self.job.id}:{self.job.attempt}:{key}",
                work_queue_name=str(self.job.lane),
            )
        except ObjectNotFound:
            self.deployment_ids.pop(deployment, None)  # it may be made anew, with another id
            raise

    async def _deployment_id(self, deployment: Deployment) -> UUID:
        if deployment not in self.deployment_ids:
            self.deployment_ids[deployment] = (await self.client.read_deployment_by_name(deployment.full_name)).id
        return self.deployment_ids[deployment]

    async def _wait(self, flow_run_id: UUID, result: str, what: str) -> bool:
        result_there = wait_for_result(
            self.client, self.here.files, flow_run_id, result, run_events=self.run_events, patience_s=self.patience_s
        )
        waiting = asyncio.ensure_future(result_there)
        stopping = asyncio.ensure_future(self.flag.wait())
        try:
            await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                await self.cancel()
                raise Stopped
            ended = waiting.result()
        finally:
            for each in (waiting, stopping):
                each.cancel()
        if ended is None:
            return True
        if ended.name == DELETED:
            return False
        if ended.is_cancelled():
            raise Stopped
        if ended.is_completed():
            raise SpanFailed(what, "it ended without a result on storage", "span_failed")
        raise span_failure(what, ended)

    async def cancel(self) -> None:
        """Ask the runs in flight to stop."""
        for flow_run_id in set(self._in_flight):
            with contextlib.suppress(Exception):  # already gone or finished; the others must still be asked
                await self.client.set_flow_run_state(flow_run_id, Cancelling())
            self._in_flight.discard(flow_run_id)


async def for_each_span(
    spans: AsyncGenerator[Span, None], work: Callable[[Span], Awaitable[None]], *, at_once: int
) -> None:
    """Await `work` for every span as it arrives, some at once.

    Raises:
        Exception: the first failure of a span, or else of `spans`; the work on the others is cancelled.
    """
    turn = asyncio.Semaphore(at_once)

    async def in_turn(span: Span) -> None:
        async with turn:
            await work(span)

    try:
        async with contextlib.aclosing(spans), asyncio.TaskGroup() as group:
            async for span in spans:
                group.create_task(in_turn(span))
    except ExceptionGroup as group_of_errors:
        raise _first(group_of_errors) from None


def _first(group: ExceptionGroup[Exception]) -> Exception:
    """Return a span's failure, else any failure before a stop: cancelled siblings stop too."""
    leaves: list[Exception] = []
    pending: list[Exception] = [group]
    while pending:
        each = pending.pop()
        if isinstance(each, ExceptionGroup):
            pending.extend(each.exceptions)
        else:
            leaves.append(each)
    return min(leaves, key=lambda error: (not isinstance(error, SpanFailed), isinstance(error, Stopped)))
