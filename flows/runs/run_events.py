"""Waiting for span runs: their result on storage is the sign, Prefect's events and slow polling are the net."""

import asyncio
import contextlib
import logging
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import State
from prefect.events.clients import get_events_subscriber
from prefect.events.filters import EventFilter, EventNameFilter
from prefect.exceptions import ObjectNotFound

from flows.patience import patiently
from flows.resident import in_thread
from storage.errors import TranscriberError
from storage.files import Files

log = logging.getLogger(__name__)

FINAL = [f"prefect.flow-run.{name}" for name in ("Completed", "Failed", "Crashed", "Cancelled", "TimedOut")]
POLL_STATE_S = 5.0


class Notices:
    """One subscription a process; every waiting parent has an event here under its span run's id."""

    def __init__(self) -> None:
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
            with contextlib.suppress(Exception):  # the server may be away; polling goes on meanwhile
                async with get_events_subscriber(filter=EventFilter(event=EventNameFilter(name=FINAL))) as events:
                    async for event in events:
                        waiting = self._ended.get(UUID(event.resource.id.rpartition(".")[2]))
                        if waiting is not None:
                            waiting.set()
            await asyncio.sleep(2)


notices = Notices()


async def wait_for_result(client: PrefectClient, files: Files, flow_run_id: UUID, result: str) -> State[object] | None:
    """Return None as soon as `result` is on storage, or the run's final state if it ended without one.

    While storage does not answer, nothing is known of the result, and the waiting goes on.
    """
    ended = notices.expect(flow_run_id)
    look_every_s = 2.0 if "://" in files.url else 0.1
    clock = asyncio.get_running_loop().time
    ask_at = clock() + POLL_STATE_S
    try:
        while not await _is_there(files, result):
            if ended.is_set() or clock() > ask_at:
                ended.clear()
                ask_at = clock() + POLL_STATE_S
                state = await _final_state(client, flow_run_id)
                if state is not None and (there := await _is_there(files, result)) is not None:
                    return None if there else state
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), look_every_s)
        return None
    finally:
        notices.forget(flow_run_id)


async def _is_there(files: Files, result: str) -> bool | None:
    """Return whether the result is on storage, or None where storage cannot say now."""
    try:
        return await in_thread(lambda: files.exists(result))
    except TranscriberError as error:
        if not error.transient:
            raise
        log.info("waiting for a result: %s", error)
        return None


async def _final_state(client: PrefectClient, flow_run_id: UUID) -> State[object] | None:
    try:
        run = await patiently(lambda: client.read_flow_run(flow_run_id))
    except ObjectNotFound:
        return State(type="CANCELLED", name="Deleted", message="the flow run was deleted")
    return run.state if run.state is not None and run.state.is_final() else None
