"""The work pool type `warm`: a Prefect worker that keeps one resident process and hands it flow runs.

Prefect's process worker starts an interpreter for each run (6 to 10 s to the first line of flow code); here the
process, its imports and its models stay. It is told of new runs by Prefect's events and polls slowly underneath.
"""

import asyncio
import contextlib
import getpass
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any
from uuid import UUID

import anyio.abc
from prefect.client.schemas.objects import FlowRun
from prefect.events.clients import get_events_subscriber
from prefect.events.filters import EventAnyResourceFilter, EventFilter, EventNameFilter
from prefect.exceptions import ObjectNotFound
from prefect.workers.base import BaseJobConfiguration, BaseVariables, BaseWorker, BaseWorkerResult

from flows.beats import GPU_POOL, Beats
from flows.handing_back import give_up, put_back
from flows.held import Child, ChildLost, ServerLost
from flows.patience import PATIENCE_S, patiently
from flows.shelf import Shelf
from flows.zombies import DEATHS, LOSSES, find_abandoned, find_cancelling
from storage.heartbeats import ModelState
from storage.settings import Settings

if TYPE_CHECKING:
    from prefect.client.schemas.responses import WorkerFlowRunResponse
    from prefect.events import Event

log = logging.getLogger(__name__)

CPU_SLOTS = 4
QUICK, QUICK_SLOTS = "quick", 2
"""Runs with this tag end in a moment and somebody waits for them: recordings, which last, leave them so many slots."""
PRELOAD = {
    "cpu": ("flows/recording.py:transcribe_recording", "flows/exporting.py:export_transcript"),
    "gpu": ("flows/span.py:transcribe_span",),
}
HEARTBEAT_S = 10
ASK_AGAIN_S = 30.0
CANCEL_WITHIN_S = 20.0
PUT_BACK_WITHIN_S = 4.0
SWEEP_EVERY_S = 15.0
TOLD_OF = ["prefect.flow-run.Scheduled", "prefect.flow-run.AwaitingRetry", "prefect.flow-run.Cancelling"]


def place_of(pool: str, settings: Settings, device: str | None) -> tuple[str, int]:
    """Return the device that a worker of this pool uses, and how many runs it takes at once."""
    if pool != GPU_POOL:
        return "cpu", CPU_SLOTS
    from tasks.devices import devices, plan_device

    chosen = device or devices(settings.engine)[0]
    return chosen, plan_device(settings.engine, chosen).num_workers


def default_name(pool: str, device: str) -> str:
    """Return a name that is the same after a restart, so that the worker finds the runs that it left.

    Two users of one machine, and of one Prefect server, have different ones.
    """
    place = "" if pool == device else f"-{device.replace(':', '')}"
    return f"{pool}{place}-{socket.gethostname()}-{_user()}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # in a container, the user may have a number and no name
        return str(os.getuid())


class WarmWorkerResult(BaseWorkerResult):
    """Status 0 always: the engine in the child, or this worker, has recorded the run's state."""


class WarmWorker(BaseWorker[BaseJobConfiguration, BaseVariables, WarmWorkerResult]):
    """Runs flows in one resident process; several side by side, as many as `limit` says."""

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
        self.device, slots = place_of(work_pool_name, self.settings, device)
        self.slots = limit or slots
        super().__init__(
            work_pool_name=work_pool_name,
            work_queues=work_queues,
            name=name or default_name(work_pool_name, self.device),
            prefetch_seconds=0,  # a run that is due later must not hold a slot until then
            create_pool_if_not_found=create_pool_if_not_found,
            limit=self.slots + (0 if work_pool_name == GPU_POOL else QUICK_SLOTS),
            heartbeat_interval_seconds=heartbeat_interval_seconds or HEARTBEAT_S,
            base_job_template=base_job_template,
        )
        self.child = Child(
            name=self.name,
            pool=work_pool_name,
            device=self.device,
            preload=PRELOAD.get(work_pool_name, ()),
            on_message=self._on_message,
        )
        self.shelf = Shelf(self.settings, self._on_default) if work_pool_name == GPU_POOL else None
        self.beats = Beats(
            self.settings,
            name=self.name,
            pool=work_pool_name,
            device=self.device,
            status=self._status,
            on_wanted=self.shelf.want if self.shelf else lambda _: None,
            on_heard=self._on_heard,
            held=self._mine,
        )
        self.ready = asyncio.Event()
        self._default_model: str | None = None
        self._warm: str | None = None
        self._wake = asyncio.Event()
        self._polling = asyncio.Lock()
        self._entrypoints: dict[UUID, tuple[float, str]] = {}
        self._running: set[UUID] = set()
        self._cancelling: set[UUID] = set()
        self._quick: set[UUID] = set()
        self._background: set[asyncio.Task[None]] = set()

    def _on_message(self, message: dict[str, Any]) -> None:
        """Take note of what the child says beside the ends of runs."""
        if message["op"] == "ready":
            self._warm = None
            self._warm_up()
            self.beats.soon()
        elif message["op"] == "warm":
            self._warm = message["model"]
            self.beats.soon()
        elif message["op"] == "retire" and not self.child.holds:
            log.info("starting a new process, to have the device's memory back")
            self.child.kill()

    def _on_default(self, model: str) -> None:
        """Have the child load the default model; called from the shelf's thread."""
        self._default_model = model
        self._call_soon(self._warm_up)

    def _warm_up(self) -> None:
        if not self.settings.engine.default_model_stays or self.child.pid is None:
            return
        if self._default_model is not None and self._warm != self._default_model:
            self.child.tell(op="warm", model=self._default_model)

    def _on_heard(self, slots: int) -> None:
        if slots and self._has_successfully_synced:
            self.ready.set()

    def _status(self) -> tuple[int, int, ModelState | None, tuple[ModelState, ...]]:
        """Slots (none while the child is starting), busy ones, default model, models."""
        slots = self.slots if self._limiter is not None and self.child.pid is not None else 0
        if self.shelf is None:
            return slots, len(self._running), None, ()
        return slots, len(self._running), self.shelf.default(), self.shelf.states()

    async def prepare(self) -> None:
        """Start what needs no server: the child, the shelf, heartbeats."""
        if self._background:
            return
        self._call_soon = asyncio.get_running_loop().call_soon_threadsafe
        await self.child.start()
        if self.shelf is not None:
            self.shelf.start()
        self._beside(self._keep_on(self.beats.run))

    async def setup(self) -> None:
        await self.prepare()
        await super().setup()
        for service in (self._poll_when_told, self._listen, self._sweep):
            self._beside(self._keep_on(service))

    async def teardown(self, *exc_info: Any) -> None:
        """Stop at once: runs that are under way go back to their queue, for this worker or another."""
        await self.child.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PUT_BACK_WITHIN_S):
                while self._running:  # noqa: ASYNC110 - seldom, and for a moment
                    await asyncio.sleep(0.02)
        for task in set(self._background):
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await super().teardown(*exc_info)

    async def _keep_on(self, service: Callable[[], Awaitable[None]]) -> None:
        """Run a background service for as long as the worker lives, whatever the server does meanwhile."""
        while True:
            try:
                await service()
            except Exception as error:  # noqa: BLE001 - the server may be away; slow polling goes on meanwhile
                log.info("%s: %s; again in 2 s", service.__name__.strip("_"), error)
            await asyncio.sleep(2)

    async def _listen(self) -> None:
        """Be told by the server: wake for new runs, pass cancellation on."""
        while self._work_pool is None:  # noqa: ASYNC110 - Prefect's base class gives no sign
            await asyncio.sleep(0.2)
        told = EventFilter(
            event=EventNameFilter(name=TOLD_OF),
            any_resource=EventAnyResourceFilter(id=[f"prefect.work-pool.{self.work_pool.id}"]),
        )
        async with get_events_subscriber(filter=told) as events:
            self._wake.set()
            async for event in events:
                self._take_event(event)

    def _take_event(self, event: "Event") -> None:
        if event.event.endswith(".Cancelling"):
            self._pass_on_cancel(UUID(event.resource.id.rpartition(".")[2]))
        else:
            self._wake.set()

    async def _poll_when_told(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self.is_setup:
                await self.get_and_submit_flow_runs()

    async def get_and_submit_flow_runs(self) -> list[FlowRun]:
        """Ask for due runs; one question at a time, whoever asks: slow polling, an event, or a freed slot."""
        async with self._polling:
            if self.child.stopping:
                return []
            return await super().get_and_submit_flow_runs()

    async def _get_scheduled_flow_runs(self) -> "list[WorkerFlowRunResponse]":
        """Return due runs without those that would take the last slots from quick ones."""
        due = [entry for entry in await super()._get_scheduled_flow_runs() if entry.flow_run.id not in self._mine()]
        quick = [entry for entry in due if QUICK in entry.flow_run.tags]
        self._quick = (self._quick & self._mine()) | {entry.flow_run.id for entry in quick}
        room = max(0, self.slots - len(self._mine() - self._quick))
        return quick + [entry for entry in due if QUICK not in entry.flow_run.tags][:room]

    def _release_limit_slot(self, flow_run_id: UUID) -> None:
        super()._release_limit_slot(flow_run_id)
        self._wake.set()  # else a waiting run would wait for the next slow poll

    async def _submit_run(self, flow_run: FlowRun) -> None:
        """Take a run and see it through.

        Prefect's own way asks the server five things more of each run, about infrastructure that a warm worker does
        not have; they were most of the time from submission to the first line.
        """
        try:
            if await self._propose_pending_state(flow_run):
                self._beside(self._label(flow_run.id))
                await self._see_through(flow_run)
        except Exception:
            log.exception("flow run %s could not be seen through; the next sweep puts it back", flow_run.name)
        finally:
            self._submitting_flow_run_ids.discard(flow_run.id)
            self._release_limit_slot(flow_run.id)

    async def _label(self, flow_run_id: UUID) -> None:
        """Write on the run whose it is, however long the server is away; without that, others take it for nobody's."""
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
        """See a run through, as Prefect's base class would ask it."""
        if task_status is not None:
            task_status.started(self.child.pid or 0)
        await self._see_through(flow_run)
        return WarmWorkerResult(identifier=str(flow_run.id), status_code=0)

    async def _see_through(self, flow_run: FlowRun) -> None:
        """Hand the run to the child and wait; when the child dies with it, put the run back or give it up."""
        self._running.add(flow_run.id)
        try:
            entrypoint = await self._entrypoint_of(flow_run)
            problem = await self.child.run(flow_run.id, flow_run.model_dump_json(), entrypoint)
            if problem is not None:
                await give_up(self.client, flow_run.id, problem)
        except ObjectNotFound:
            await give_up(self.client, flow_run.id, "Its deployment is gone")
        except ServerLost as loss:
            await self._put_back(flow_run.id, str(loss), LOSSES)
        except ChildLost as loss:
            stopped = self.child.stopping
            await self._put_back(
                flow_run.id, "its worker was stopped" if stopped else str(loss), LOSSES if stopped else DEATHS
            )
        finally:
            self._running.discard(flow_run.id)
            self._cancelling.discard(flow_run.id)

    async def _entrypoint_of(self, flow_run: FlowRun) -> str:
        """Return where the run's flow is, asking the server about a deployment once in a while."""
        deployment_id = flow_run.deployment_id
        if deployment_id is None:
            return ""
        clock = asyncio.get_running_loop().time
        known = self._entrypoints.get(deployment_id)
        if known is None or clock() - known[0] > ASK_AGAIN_S:
            deployment = await self.client.read_deployment(deployment_id)
            known = self._entrypoints[deployment_id] = (clock(), deployment.entrypoint or "")
        return known[1]

    async def _put_back(self, flow_run_id: UUID, why: str, label: str) -> None:
        patience_s = PUT_BACK_WITHIN_S if self.child.stopping else PATIENCE_S
        await patiently(lambda: put_back(self.client, flow_run_id, why, label=label), patience_s=patience_s)

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _pass_on_cancel(self, flow_run_id: UUID) -> None:
        """Tell the child to stop a run between two segments; end the child if it does not obey."""
        if flow_run_id not in self.child.holds or flow_run_id in self._cancelling:
            return
        self._cancelling.add(flow_run_id)
        self.child.tell(op="cancel", id=str(flow_run_id))
        asyncio.get_running_loop().call_later(CANCEL_WITHIN_S, self._insist, flow_run_id)

    def _insist(self, flow_run_id: UUID) -> None:
        if flow_run_id in self._cancelling and flow_run_id in self.child.holds:
            log.warning("flow run %s did not stop within %s s; ending its process", flow_run_id, CANCEL_WITHIN_S)
            self.child.kill()

    def _mine(self) -> set[UUID]:
        return self._running | self._submitting_flow_run_ids

    async def _sweep(self) -> None:
        """At the start and then always: find what events missed, and runs whose worker is gone."""
        while True:
            if self.is_setup and self._work_pool is not None:
                for run in await find_cancelling(self.client, self.child.holds):
                    self._pass_on_cancel(run.id)
                for run in await find_abandoned(self.client, self.work_pool.name, worker=self.name, held=self._mine):
                    await self._put_back(run.id, "its worker is gone", LOSSES)
                await asyncio.sleep(SWEEP_EVERY_S)
            else:
                await asyncio.sleep(0.2)
