"""Having spans heard: one flow run for each span without a result, a bounded number of them in flight."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.states import Cancelling

from flows.endings import Stopped, may_pass, span_failure
from flows.notices import wait_for_result
from flows.patience import patiently
from flows.resident import CancelFlag, Resident
from storage.errors import SpanFailed
from storage.records import Job, Span


@dataclass(kw_only=True)
class GpuRuns:
    """The gpu runs of one recording; `slots` is how many spans the gpu workers hear at once."""

    here: Resident
    client: PrefectClient
    job: Job
    flag: CancelFlag
    slots: int
    _in_flight: set[UUID] = field(default_factory=set)

    async def hear_all(
        self,
        spans: AsyncGenerator[Span, None],
        parameters: Callable[[Span], dict[str, Any]],
        on_heard: Callable[[Span], None],
    ) -> None:
        """Have every span heard as it comes, about twice as many in flight as there are slots; tells `on_heard`.

        Raises:
            Stopped: the recording's flow run, or one of its spans, was cancelled.
            SpanFailed: a span run has failed for good; the others are cancelled. (`SpanPutOff`: for the time being.)
            Exception: what else kept it from waiting, or `spans` from coming; if it may pass, the span runs go on.
        """
        turn = asyncio.Semaphore(2 * max(1, self.slots))

        async def hear(span: Span) -> None:
            async with turn:
                told = parameters(span)
                await self.get(
                    "transcribe-span/transcribe-span",
                    told,
                    name=f"{self.job.name} · span {span.index + 1} · {self.job.id[-6:]}",
                    key=f"span {span.index} {told['result']}",
                    what=f"span {span.index + 1}",
                )
                on_heard(span)

        try:
            async with contextlib.aclosing(spans), asyncio.TaskGroup() as group:
                async for span in spans:
                    group.create_task(hear(span))
        except ExceptionGroup as group_of_errors:
            error = _first(group_of_errors)
            if may_pass(error):
                self._in_flight.clear()  # another pass takes them up; of an attempt that is over they are stopped
            else:
                await self.cancel()
            raise error from None

    async def get(self, deployment: str, parameters: dict[str, Any], *, name: str, key: str, what: str) -> None:
        """Have one run make what its parameter `result` names; the same job, attempt and key start no second one."""
        run = await patiently(lambda: self._create(deployment, parameters, name, key))
        self._in_flight.add(run.id)
        try:
            await self._wait(run.id, str(parameters["result"]), what)
        except Exception:
            self._in_flight.discard(run.id)
            raise
        self._in_flight.discard(run.id)  # not where a sibling's failure ends the waiting: `cancel` has to find it

    async def _create(self, deployment: str, parameters: dict[str, Any], name: str, key: str) -> FlowRun:
        return await self.client.create_flow_run_from_deployment(
            await _deployment_id(self.client, deployment),
            parameters=parameters,
            name=name,
            tags=[f"job:{self.job.id}"],
            idempotency_key=f"{self.job.id}:{self.job.attempt}:{key}",
            work_queue_name=str(self.job.lane),
        )

    async def _wait(self, flow_run_id: UUID, result: str, what: str) -> None:
        waiting = asyncio.ensure_future(wait_for_result(self.client, self.here.files, flow_run_id, result))
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
            return
        if ended.is_cancelled():
            raise Stopped
        if ended.is_completed():
            raise SpanFailed(what, "it ended without a result on storage", "span_failed")
        raise span_failure(what, ended)

    async def cancel(self) -> None:
        """Ask the runs that are in flight to stop."""
        for flow_run_id in set(self._in_flight):
            with contextlib.suppress(Exception):  # gone or finished already; the rest must be told all the same
                await self.client.set_flow_run_state(flow_run_id, Cancelling())
            self._in_flight.discard(flow_run_id)


def _first(group: ExceptionGroup[Exception]) -> Exception:
    """Return a span's failure, else any failure rather than a mere stop, since cancelled siblings stop too."""
    leaves: list[Exception] = []
    pending: list[Exception] = [group]
    while pending:
        each = pending.pop()
        if isinstance(each, ExceptionGroup):
            pending.extend(each.exceptions)
        else:
            leaves.append(each)
    return min(leaves, key=lambda error: (not isinstance(error, SpanFailed), isinstance(error, Stopped)))


_DEPLOYMENTS: dict[str, UUID] = {}


async def _deployment_id(client: PrefectClient, name: str) -> UUID:
    if name not in _DEPLOYMENTS:
        _DEPLOYMENTS[name] = (await client.read_deployment_by_name(name)).id
    return _DEPLOYMENTS[name]
