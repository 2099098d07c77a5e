"""Transcribe spans as task runs on a Dask cluster, through prefect-dask's task runner."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State

from flows.runs import cluster_worker
from flows.runs.gpu_runs import for_each_span
from flows.runs.process_state import CancelFlag, in_thread
from flows.runs.run_outcomes import Stopped, span_failure
from flows.runs.span_runs import SpanRuns
from storage.domain.deployments import Deployment
from storage.domain.errors import ClusterUnreachable, DaskMissing, SpanFailed, SpanPutOff
from storage.domain.records import Span

if TYPE_CHECKING:
    from prefect_dask.task_runners import DaskTaskRunner, PrefectDaskFuture

SUBMITTED_AT_ONCE = 256
"""Spans of one recording that the cluster has at a time: enough that it sees how many workers it needs."""
CONNECT_WITHIN = "10s"


@task(
    name=Deployment.TRANSCRIBE_SPAN.value,
    task_run_name="span {number}",
    persist_result=False,
    cache_policy=NO_CACHE,
)
async def transcribe_span_on_cluster(number: int, parameters: dict[str, Any]) -> "State[Any] | None":  # noqa: ARG001
    """Transcribe one span and store the result, as a gpu flow run does.

    Dask copies this function with its annotations, and `State[Any]` cannot be copied unless it is quoted.
    """
    return await cluster_worker.transcribe(parameters)


@dataclass(kw_only=True)
class ClusterSpans(SpanRuns):
    """The spans of one recording on the cluster whose scheduler has this address.

    Raises:
        DaskMissing: the packages of the extra `dask` are not installed here.
    """

    address: str
    flag: CancelFlag
    connect_within: str = CONNECT_WITHIN
    _connecting: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        if find_spec("prefect_dask") is None:
            raise DaskMissing

    async def transcribe_all(
        self,
        spans: AsyncGenerator[Span, None],
        parameters: Callable[[Span], dict[str, Any]],
        on_transcribed: Callable[[Span], None],
    ) -> None:
        """Transcribe every span as it arrives; see `GpuRuns.transcribe_all`.

        The cluster's scheduler decides which of its workers takes which span, and gives a lost worker's to another.

        Raises:
            Stopped: the recording's flow run, or one of its spans, was cancelled.
            ClusterUnreachable: the scheduler does not answer.
            SpanFailed: a span failed for good; those that wait are withdrawn. (`SpanPutOff`: temporarily.)
        """

        async def transcribe(span: Span) -> None:
            await self._run(runner, span, parameters(span))
            on_transcribed(span)

        async with started(self.address, within=self.connect_within) as runner:
            await for_each_span(spans, transcribe, at_once=SUBMITTED_AT_ONCE)

    async def _run(self, runner: "DaskTaskRunner", span: Span, parameters: dict[str, Any]) -> None:
        what = f"span {span.index + 1}"
        future = await self._submit(runner, {"number": span.index + 1, "parameters": parameters})
        ended, stopping = asyncio.ensure_future(_final_state(future, what)), asyncio.ensure_future(self.flag.wait())
        try:
            await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                raise Stopped
            state = ended.result()
        finally:
            ended.cancel()
            stopping.cancel()
        if state.is_cancelled():
            raise Stopped
        if not state.is_completed():
            raise span_failure(what, state)

    async def _submit(self, runner: "DaskTaskRunner", arguments: dict[str, Any]) -> "PrefectDaskFuture[Any]":
        async with self._connecting:  # the runner connects when its client is first asked for
            try:
                await in_thread(lambda: runner.client)
            except (OSError, TimeoutError) as error:
                raise ClusterUnreachable(self.address, str(error) or type(error).__name__) from error
        return await in_thread(lambda: runner.submit(transcribe_span_on_cluster, arguments))

    async def cancel(self) -> None:
        """Do nothing: what waits was withdrawn already.

        Workers learn of a stop by their reports.
        """


@contextlib.asynccontextmanager
async def started(address: str, *, within: str) -> AsyncGenerator["DaskTaskRunner", None]:
    """Start a task runner; the end of its connection withdraws what nobody has begun."""
    from prefect_dask.task_runners import DaskTaskRunner

    with contextlib.ExitStack() as stack:
        yield stack.enter_context(DaskTaskRunner(address=address, client_kwargs={"timeout": within}))
        await in_thread(stack.close)  # it waits for the scheduler


async def _final_state(future: "PrefectDaskFuture[Any]", what: str) -> State[Any]:
    """Wait for the task run's final state.

    Raises:
        SpanPutOff: the cluster gave the span up, as after the loss of several workers or of its scheduler.
    """
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def on_done(_: object) -> None:
        loop.call_soon_threadsafe(done.set)

    future.add_done_callback(on_done)
    await done.wait()
    try:
        state: State[Any] = await in_thread(future.wrapped_future.result)
    except Exception as error:
        reason = f"the Dask cluster gave it up ({type(error).__name__}: {error})"
        raise SpanPutOff(what, reason, SpanFailed.code) from error
    return state
