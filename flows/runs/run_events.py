"""Wait for span runs: by their result on storage, Prefect's events, and slow polling."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import State
from prefect.events import Event
from prefect.events.clients import get_events_subscriber
from prefect.events.filters import EventFilter, EventNameFilter
from prefect.exceptions import ObjectNotFound

from flows.runs.prefect_retry import PATIENCE_S, patiently
from flows.runs.process_state import in_thread
from storage.domain.errors import TranscriberError
from storage.files.file_store import Files

log = logging.getLogger(__name__)

FINAL = [f"prefect.flow-run.{name}" for name in ("Completed", "Failed", "Crashed", "Cancelled", "TimedOut")]
POLL_STATE_S = 5.0
DELETED = "Deleted"
"""Name of the state of a run that somebody deleted in Prefect."""
Subscribe = Callable[[], AbstractAsyncContextManager[AsyncIterator[Event]]]


def _subscribe() -> AbstractAsyncContextManager[AsyncIterator[Event]]:
    return get_events_subscriber(filter=EventFilter(event=EventNameFilter(name=FINAL)))


class RunEvents:
    """One subscription per process; every waiting parent has an event by its span run's id."""

    def __init__(self, *, subscribe: Subscribe = _subscribe, poll_state_s: float = POLL_STATE_S) -> None:
        self._subscribe, self.poll_state_s = subscribe, poll_state_s
        self._ended: dict[UUID, asyncio.Event] = {}
        self._listening: asyncio.Task[None] | None = None

    def expect(self, flow_run_id: UUID) -> asyncio.Event:
        if self._listening is None or self._listening.done():
            self._listening = asyncio.create_task(self._listen())
        return self._ended.setdefault(flow_run_id, asyncio.Event())

    def forget(self, flow_run_id: UUID) -> None:
        self._ended.pop(flow_run_id, None)

    async def _listen(self) -> None:
        while True:
            with contextlib.suppress(Exception):  # the server may be unavailable; polling continues meanwhile
                async with self._subscribe() as events:
                    async for event in events:
                        waiting = self._ended.get(UUID(event.resource.id.rpartition(".")[2]))
                        if waiting is not None:
                            waiting.set()
            await asyncio.sleep(2)


run_events_listener = RunEvents()


async def wait_for_result(
    client: PrefectClient,
    files: Files,
    flow_run_id: UUID,
    result: str,
    *,
    run_events: RunEvents = run_events_listener,
    patience_s: float = PATIENCE_S,
) -> State[object] | None:
    """Return None once `result` is on storage, or the run's final state without one.

    While storage does not answer, the result is unknown, and the wait continues.
    """
    ended = run_events.expect(flow_run_id)
    look_every_s = 2.0 if "://" in files.url else 0.1
    clock = asyncio.get_running_loop().time
    ask_at = clock() + run_events.poll_state_s
    try:
        while not await _is_there(files, result):
            if ended.is_set() or clock() > ask_at:
                ended.clear()
                ask_at = clock() + run_events.poll_state_s
                state = await _final_state(client, flow_run_id, patience_s)
                if state is not None and (is_stored := await _is_there(files, result)) is not None:
                    return None if is_stored else state
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), look_every_s)
        return None
    finally:
        run_events.forget(flow_run_id)


async def _is_there(files: Files, result: str) -> bool | None:
    """Return whether the result is on storage, or None while storage is unavailable."""
    try:
        return await in_thread(lambda: files.exists(result))
    except TranscriberError as error:
        if not error.transient:
            raise
        log.info("waiting for a result: %s", error)
        return None


async def _final_state(client: PrefectClient, flow_run_id: UUID, patience_s: float) -> State[object] | None:
    try:
        run = await patiently(lambda: client.read_flow_run(flow_run_id), patience_s=patience_s)
    except ObjectNotFound:
        return State(type="CANCELLED", name=DELETED)
    return run.state if run.state is not None and run.state.is_final() else None
