"""The work pool type `warm`: a Prefect worker with a resident process.

Prefect's process worker starts an interpreter for each run (6 to 10 s to the first line of flow code). Here the
process, its imports and its models stay. Prefect's events announce new runs, with slow polling as a fallback.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import anyio.abc
from prefect.client.schemas.objects import FlowRun
from prefect.events.clients import get_events_subscriber
from prefect.exceptions import ObjectNotFound
from prefect.workers.base import BaseJobConfiguration, BaseVariables, BaseWorker, BaseWorkerResult

from flows.platform import deploy, processes
from flows.runs.prefect_retry import PATIENCE_S, patiently
from flows.worker import watched_events
from flows.worker.abandoned_runs import DEATHS, LOSSES, find_abandoned, find_cancelling
from flows.worker.child_handle import Child, ChildLost, ServerLost
from flows.worker.heartbeats import GPU_POOL, HeartbeatSender, WorkerStatus
from flows.worker.model_cache import ModelCache
from flows.worker.recycling import Recycling
from flows.worker.requeue import fail_run, requeue_run
from flows.worker.run_slots import LEFT_FOR, RunSlots, not_begun_elsewhere
from flows.worker.server_clock import ServerClock
from flows.worker.throughput import Throughput
from flows.worker.worker_place import default_name, device_and_slots
from storage.domain.settings import Settings
from tasks.models.device_memory import free_bytes

if TYPE_CHECKING:
    from prefect.client.schemas.responses import WorkerFlowRunResponse
    from prefect.events import Event

log = logging.getLogger(__name__)

PRELOAD = {
    "cpu": (
        "flows/flows/transcribe_recording.py:transcribe_recording",
        "flows/flows/export_transcript.py:export_transcript",
    ),
    "gpu": (
        "flows/flows/transcribe_span.py:transcribe_span",
        "flows/flows/transcribe_clip.py:transcribe_clip",
        "flows/flows/transcribe_clips.py:transcribe_clips",
    ),
}
HEARTBEAT_S, LABEL_AFTER_S, ASK_AGAIN_S = 10, 1.0, 30.0
CANCEL_WITHIN_S, PUT_BACK_WITHIN_S = 20.0, 4.0
SWEEP_EVERY_S, MEND_EVERY_S = 15.0, 20.0
REST_AFTER_S = 60.0
"""An idle process of the cpu pool ends where a fork of it is there again within a moment."""


class WarmWorkerResult(BaseWorkerResult):
    """Always status 0: the run's state is already recorded."""


class WarmWorker(BaseWorker[BaseJobConfiguration, BaseVariables, WarmWorkerResult]):
    """Runs flows in one resident process, up to `limit` at a time."""

    type = "warm"
    job_configuration = BaseJobConfiguration
    _description = (
        "Run flows in a process that stays: imports done, models loaded, a run starts in well under a second."
    )
    _documentation_url = "https://docs.prefect.io/latest/concepts/workers/"

    def __init__(  # noqa: PLR0917 - as Prefect calls it
        self,
        work_pool_name: str,
        work_queues: list[str] | None = None,
        name: str | None = None,
        prefetch_seconds: float | None = None,  # noqa: ARG002 - Prefect's command line passes it
        create_pool_if_not_found: bool = True,
        limit: int | None = None,
        heartbeat_interval_seconds: int | None = None,
        *,
        base_job_template: dict[str, Any] | None = None,
        device: str | None = None,
    ) -> None:
        self.settings = Settings()
        self.device, slots = device_and_slots(work_pool_name, self.settings, device)
        self.slots = limit or slots
        self._run_slots = RunSlots(self.slots, transcribes=work_pool_name == GPU_POOL)
        super().__init__(
            work_pool_name=work_pool_name,
            work_queues=work_queues,
            name=name or default_name(work_pool_name, self.device),
            prefetch_seconds=0,  # a run that is due later must not occupy a slot until then
            create_pool_if_not_found=create_pool_if_not_found,
            limit=self._run_slots.most,
            heartbeat_interval_seconds=heartbeat_interval_seconds or HEARTBEAT_S,
            base_job_template=base_job_template,
        )
        self.child = Child(
            name=self.name,
            pool=work_pool_name,
            device=self.device,
            slots=self.slots,
            preload=PRELOAD.get(work_pool_name, ()),
            on_message=self._on_message,
            rests_after_s=REST_AFTER_S if work_pool_name != GPU_POOL and processes.forks() else None,
        )
        self.recycling = Recycling(self.settings.worker, self.child, runs_are_short=work_pool_name == GPU_POOL)
        self.throughput = Throughput()
        self.draining = False
        self.model_cache = ModelCache(self.settings, self._on_default) if work_pool_name == GPU_POOL else None
        self.heartbeats = HeartbeatSender(
            self.settings,
            name=self.name,
            pool=work_pool_name,
            device=self.device,
            status=self._status,
            on_wanted=self.model_cache.want if self.model_cache else lambda _: None,
            on_acknowledged=self._on_acknowledged,
            held=self._own_runs,
        )
        self.ready = asyncio.Event()
        self._default_model: str | None = None
        self._warm: str | None = None
        self._wake = asyncio.Event()
        self._polling = asyncio.Lock()
        self._entrypoints: dict[UUID, tuple[float, str]] = {}
        self._running: set[UUID] = set()
        self._cancelling: set[UUID] = set()
        self._server_clock = ServerClock(lambda: str(self.client.api_url), self._wake.set)
        self._background: set[asyncio.Task[None]] = set()

    def _on_message(self, message: dict[str, Any]) -> None:
        """Handle the child's messages, except the ends of runs."""
        if message["op"] == "ready":
            self._warm = None
            self._warm_up()
            self.heartbeats.soon()
        elif message["op"] == "warm":
            self._warm = message["model"]
            self.heartbeats.soon()
        elif message["op"] == "transcribed":
            self.throughput.note(message["speech_s"])
        elif message["op"] == "engine_free":
            self._run_slots.free(UUID(message["id"]))
            self._wake.set()
        elif message["op"] == "retire" and not self.child.holds:
            log.info("starting a new process, to have the device's memory back")
            self.child.replace()

    def _on_default(self, model: str) -> None:
        """Let the child load the default model; called from the model cache's thread."""
        self._default_model = model
        self._call_soon(self._warm_up)

    def _warm_up(self) -> None:
        if not self.settings.engine.default_model_stays or self.child.pid is None:
            return
        if self._default_model is not None and self._warm != self._default_model:
            self.child.tell(op="warm", model=self._default_model)

    def _on_acknowledged(self, slots: int) -> None:
        if slots and self._has_successfully_synced:
            self.ready.set()

    def _status(self) -> WorkerStatus:
        """Return load and models, and for a worker that transcribes its speed and free memory."""
        slots = self.slots if self._limiter is not None and self.child.takes_runs else 0
        load = WorkerStatus(slots=slots, busy=len(self._running), draining=self.draining)
        if self.model_cache is None:
            return load
        spans_per_minute, speech_per_s = self.throughput.rates()
        return replace(
            load,
            default_model=self.model_cache.default(),
            models=self.model_cache.states(),
            free_bytes=free_bytes(self.device),
            spans_per_minute=round(spans_per_minute, 2),
            speech_per_s=round(speech_per_s, 2),
        )

    def drain(self) -> None:
        """Take no more runs; those in hand are finished."""
        self.draining = True
        self.heartbeats.soon()

    async def drained(self) -> None:
        """Wait until no run is in hand."""
        while self._own_runs():  # noqa: ASYNC110 - once, before the worker ends
            await asyncio.sleep(0.1)

    async def prepare(self) -> None:
        """Start everything that needs no server: the child, the model cache, heartbeats."""
        if self._background:
            return
        self._call_soon = asyncio.get_running_loop().call_soon_threadsafe
        await self.child.begin()
        if self.model_cache is not None:
            self.model_cache.start()
        self._in_background(self._run_forever(self.heartbeats.run))

    async def setup(self) -> None:
        await self.prepare()
        await super().setup()
        self.heartbeats.soon()
        for service in (self._poll_when_told, self._listen, self._sweep, self._mend, self._server_clock.watch):
            self._in_background(self._run_forever(service))

    async def teardown(self, *exc_info: Any) -> None:
        """Stop at once; runs in progress are requeued for this worker or another."""
        await self.child.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PUT_BACK_WITHIN_S):
                while self._running:  # noqa: ASYNC110 - rarely, and for a moment
                    await asyncio.sleep(0.02)
        for task in set(self._background):
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await super().teardown(*exc_info)

    async def _run_forever(self, service: Callable[[], Awaitable[None]]) -> None:
        """Run a background service as long as the worker lives, whatever the server does."""
        while True:
            try:
                await service()
            except Exception as error:  # noqa: BLE001 - the server may be unavailable; slow polling continues
                log.info("%s: %s; again in 2 s", service.__name__.strip("_"), error)
            await asyncio.sleep(2)

    async def _listen(self) -> None:
        """Subscribe to the server's events: wake for new runs, forward cancellations."""
        async with get_events_subscriber(filter=watched_events.of_pool(self._work_pool_name)) as events:
            self._wake.set()
            async for event in events:
                self._on_event(event)

    def _on_event(self, event: "Event") -> None:
        if event.event.endswith(".Cancelling"):
            self._forward_cancel(UUID(event.resource.id.rpartition(".")[2]))
        else:
            self._wake.set()

    async def _mend(self) -> None:
        """Make pools, queues and deployments anew that somebody deleted in Prefect."""
        while True:
            await asyncio.sleep(random.uniform(0.5, 1.0) * MEND_EVERY_S)  # noqa: S311
            await asyncio.to_thread(deploy.apply, str(self.client.api_url))

    async def _poll_when_told(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self.is_setup and not self._run_slots.takes_none(self._own_runs()):
                await self.get_and_submit_flow_runs()

    async def get_and_submit_flow_runs(self) -> list[FlowRun]:
        """Ask for due runs, one request at a time."""
        async with self._polling:
            if self.child.stopping or self.draining or self.recycling.holds_back():
                return []
            return await super().get_and_submit_flow_runs()

    async def _get_scheduled_flow_runs(self) -> "list[WorkerFlowRunResponse]":
        """Return the due runs for which there are slots."""
        all_due, own = await self._due_runs(), self._own_runs()
        due = not_begun_elsewhere(all_due, self.name, self._server_clock.now())
        if len(due) < len(all_due):
            asyncio.get_running_loop().call_later(LEFT_FOR.total_seconds(), self._wake.set)
        return self._run_slots.chosen([entry for entry in due if entry.flow_run.id not in own], own)

    async def _due_runs(self) -> "list[WorkerFlowRunResponse]":
        """Return what is due by the server's clock; Prefect's own method goes by ours."""
        try:
            return await self.client.get_scheduled_flow_runs_for_work_pool(
                work_pool_name=self._work_pool_name,
                scheduled_before=self._server_clock.now(),
                work_queue_names=list(self._work_queues),
            )
        except ObjectNotFound:  # somebody deleted the pool; `_mend` makes it anew
            return []

    async def _worker_metadata(self) -> None:
        """Tell Prefect of no integrations: to list them, it imports each one that is installed."""

    def _release_limit_slot(self, flow_run_id: UUID) -> None:
        super()._release_limit_slot(flow_run_id)
        self._wake.set()  # otherwise a waiting run would wait for the next slow poll

    async def _submit_run(self, flow_run: FlowRun) -> None:
        """Accept a run and run it to its end.

        Prefect's own method makes five more requests per run, about infrastructure that a warm worker does not have.
        """
        try:
            if await self._propose_pending_state(flow_run):
                self._in_background(self._label(flow_run.id))
                await self._run_to_end(flow_run)
        except Exception:
            log.exception("flow run %s failed unexpectedly; the next sweep requeues it", flow_run.name)
        finally:
            self._submitting_flow_run_ids.discard(flow_run.id)
            self._release_limit_slot(flow_run.id)

    async def _label(self, flow_run_id: UUID) -> None:
        """Label the run with its worker, with retries; without it, others consider it abandoned."""
        await asyncio.sleep(LABEL_AFTER_S)
        if flow_run_id not in self._own_runs():
            return  # over already, so that nobody looks for its worker
        try:
            await patiently(lambda: self._give_worker_labels_to_flow_run(flow_run_id))
        except Exception:
            log.exception("flow run %s could not be labelled with its worker", flow_run_id)

    async def run(
        self,
        flow_run: FlowRun,
        configuration: BaseJobConfiguration,  # noqa: ARG002 - there is nothing to configure
        task_status: anyio.abc.TaskStatus[int] | None = None,
    ) -> WarmWorkerResult:
        """Run a flow run to its end, for Prefect's base class."""
        if task_status is not None:
            task_status.started(self.child.pid or 0)
        await self._run_to_end(flow_run)
        return WarmWorkerResult(identifier=str(flow_run.id), status_code=0)

    async def _run_to_end(self, flow_run: FlowRun) -> None:
        """Run it in the child; if the child dies, requeue or fail the run."""
        self._running.add(flow_run.id)
        try:
            entrypoint = await self._entrypoint_of(flow_run)
            problem = await self.child.run(flow_run.id, flow_run.model_dump_json(), entrypoint)
            if problem is not None:
                await fail_run(self.client, flow_run.id, problem)
        except ObjectNotFound:
            await fail_run(self.client, flow_run.id, "Its deployment is gone")
        except ServerLost as loss:
            await self._put_back(flow_run.id, str(loss), LOSSES)
        except ChildLost as loss:
            stopped = self.child.stopping
            label = LOSSES if stopped or loss.by_worker else DEATHS
            await self._put_back(flow_run.id, "its worker was stopped" if stopped else str(loss), label)
        finally:
            self._running.discard(flow_run.id)
            self._cancelling.discard(flow_run.id)
            self.recycling.look()

    async def _entrypoint_of(self, flow_run: FlowRun) -> str:
        """Return the run's entrypoint, with a cache of the server's deployments."""
        deployment_id = flow_run.deployment_id
        if deployment_id is None:
            return ""
        clock = asyncio.get_running_loop().time
        cached = self._entrypoints.get(deployment_id)
        if cached is None or clock() - cached[0] > ASK_AGAIN_S:
            deployment = await self.client.read_deployment(deployment_id)
            cached = self._entrypoints[deployment_id] = (clock(), deployment.entrypoint or "")
        return cached[1]

    async def _put_back(self, flow_run_id: UUID, why: str, label: str) -> None:
        patience_s = PUT_BACK_WITHIN_S if self.child.stopping else PATIENCE_S
        await patiently(lambda: requeue_run(self.client, flow_run_id, why, label=label), patience_s=patience_s)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _forward_cancel(self, flow_run_id: UUID) -> None:
        """Tell the child to stop a run, and kill it if it does not."""
        if flow_run_id not in self.child.holds or flow_run_id in self._cancelling:
            return
        self._cancelling.add(flow_run_id)
        self.child.tell(op="cancel", id=str(flow_run_id))
        asyncio.get_running_loop().call_later(CANCEL_WITHIN_S, self._kill_if_ignored, flow_run_id)

    def _kill_if_ignored(self, flow_run_id: UUID) -> None:
        if flow_run_id in self._cancelling and flow_run_id in self.child.holds:
            log.warning("flow run %s did not stop within %s s; ending its process", flow_run_id, CANCEL_WITHIN_S)
            self.child.kill_for_one()

    def _own_runs(self) -> set[UUID]:
        return self._running | self._submitting_flow_run_ids

    async def _sweep(self) -> None:
        """Find runs that events missed, and runs whose worker is gone, at start and periodically."""
        while True:
            if self.is_setup and self._work_pool is not None:
                for run in await find_cancelling(self.client, self.child.holds):
                    self._forward_cancel(run.id)
                for run in await find_abandoned(
                    self.client, self.work_pool.name, worker=self.name, held=self._own_runs
                ):
                    await self._put_back(run.id, "its worker is gone", LOSSES)
                await asyncio.sleep(SWEEP_EVERY_S)
            else:
                await asyncio.sleep(0.2)
