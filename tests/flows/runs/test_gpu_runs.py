"""Waiting for span runs while storage, Prefect or a span fails."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.events import Event
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Failed, Running

from flows.runs.gpu_runs import GpuRuns
from flows.runs.prefect_retry import PATIENCE_S
from flows.runs.process_state import CancelFlag
from flows.runs.run_events import RunEvents
from flows.runs.run_outcomes import Stopped
from storage.domain.errors import AudioUnreadable, SpanFailed, StorageUnreachable
from storage.domain.records import Lane, Span
from storage.files.file_store import Files


class FakePrefect:
    """The calls that `GpuRuns` makes; `states` are what the span runs are in, by key."""

    def __init__(self, **states: Any) -> None:
        self.states, self.cancelled, self.deleted = states, set[str](), set[UUID]()
        self._keys: dict[UUID, str] = {}
        self.on_create: Callable[[list[UUID]], object] = lambda _: None

    async def read_deployment_by_name(self, _: str) -> SimpleNamespace:
        return SimpleNamespace(id=uuid4())

    async def create_flow_run_from_deployment(self, *_: Any, parameters: dict[str, Any], **__: Any) -> SimpleNamespace:
        made = uuid4()
        self._keys[made] = parameters["result"]
        self.on_create(list(self._keys))
        return SimpleNamespace(id=made)

    async def read_flow_run(self, flow_run_id: UUID) -> SimpleNamespace:
        if flow_run_id in self.deleted:
            raise ObjectNotFound(RuntimeError("404"))
        state = self.states[self._keys[flow_run_id]]
        if isinstance(state, Exception):
            raise state
        return SimpleNamespace(state=state)

    async def set_flow_run_state(self, flow_run_id: UUID, _: Any) -> None:
        self.cancelled.add(self._keys[flow_run_id])


@contextlib.asynccontextmanager
async def silence() -> AsyncGenerator[AsyncIterator[Event], None]:
    async def events() -> AsyncIterator[Event]:
        for event in list[Event]():
            yield event

    yield events()


def gpu_runs(prefect: FakePrefect, files: Files, *, patience_s: float = PATIENCE_S) -> GpuRuns:
    """Runs of which no events come, and whose states are looked at often instead."""
    job = SimpleNamespace(id="0123456789", attempt=1, name="a.wav", lane=Lane.INTERACTIVE, owner_id="ada")
    here = SimpleNamespace(files=files)
    return GpuRuns(
        here=cast("Any", here),
        client=cast("Any", prefect),
        job=cast("Any", job),
        flag=CancelFlag(),
        slots=4,
        run_events=RunEvents(subscribe=silence, poll_state_s=0.05),
        patience_s=patience_s,
        deployment_ids={},
    )


async def hear(runs: GpuRuns, *results: str) -> list[int]:
    heard: list[int] = []

    async def wanted() -> AsyncGenerator[Span, None]:
        for index in range(len(results)):
            yield cast("Span", SimpleNamespace(index=index))

    async with asyncio.timeout(180):
        await runs.transcribe_all(
            wanted(), lambda span: {"result": results[span.index]}, lambda span: heard.append(span.index)
        )
    return heard


async def test_storage_that_does_not_answer_for_a_while_fails_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = Files(str(tmp_path))
    files.write("a", b"{}")
    looks, exists = iter(range(99)), Files.exists

    def seldom(self: Files, name: str) -> bool:
        if next(looks) < 3:
            raise StorageUnreachable(name, "timed out")
        return exists(self, name)

    monkeypatch.setattr(Files, "exists", seldom)

    assert await hear(gpu_runs(FakePrefect(a=Failed()), files), "a") == [0]


async def test_an_unavailable_prefect_is_reported_and_span_runs_continue(tmp_path: Path) -> None:
    prefect = FakePrefect(a=httpx.ConnectError("refused"), b=Running())

    with pytest.raises(httpx.ConnectError):
        await hear(gpu_runs(prefect, Files(str(tmp_path)), patience_s=0.0), "a", "b")

    assert prefect.cancelled == set()


async def test_a_span_run_that_somebody_deletes_is_made_anew(tmp_path: Path) -> None:
    prefect, files = FakePrefect(a=Running()), Files(str(tmp_path))

    def delete_twice(runs: list[UUID]) -> None:
        if len(runs) < 3:
            prefect.deleted.add(runs[-1])
        else:
            files.write("a", b"{}")

    prefect.on_create = delete_twice

    assert await hear(gpu_runs(prefect, files), "a") == [0]
    assert prefect.cancelled == set()


async def test_a_failed_span_has_its_siblings_cancelled(tmp_path: Path) -> None:
    prefect = FakePrefect(a=Running(), b=Failed(name="AudioUnreadable", message="no header"), c=Running())

    with pytest.raises(SpanFailed, match="no header") as failure:
        await hear(gpu_runs(prefect, Files(str(tmp_path))), "a", "b", "c")

    assert failure.value.span_code == "audio_unreadable"
    assert prefect.cancelled == {"a", "c"}


async def test_a_span_run_that_somebody_cancels_stops_the_recording_and_its_siblings(tmp_path: Path) -> None:
    prefect = FakePrefect(a=Running(), b=Cancelled(), c=Running())

    with pytest.raises(Stopped):
        await hear(gpu_runs(prefect, Files(str(tmp_path))), "a", "b", "c")

    assert prefect.cancelled == {"a", "c"}


async def test_a_raised_flag_stops_all(tmp_path: Path) -> None:
    prefect = FakePrefect(a=Running(), b=Running())
    runs = gpu_runs(prefect, Files(str(tmp_path)))
    asyncio.get_running_loop().call_later(0.1, runs.flag.raise_)

    with pytest.raises(Stopped):
        await hear(runs, "a", "b")

    assert prefect.cancelled == {"a", "b"}


async def test_a_recording_that_turns_out_to_be_unreadable_has_its_spans_cancelled(tmp_path: Path) -> None:
    prefect = FakePrefect(a=Running())
    runs = gpu_runs(prefect, Files(str(tmp_path)))

    async def broken() -> AsyncGenerator[Span, None]:
        yield cast("Span", SimpleNamespace(index=0))
        await asyncio.sleep(0.2)
        raise AudioUnreadable("a.wav", "it ends in the middle")

    with pytest.raises(AudioUnreadable, match="in the middle"):
        await runs.transcribe_all(broken(), lambda _: {"result": "a"}, lambda _: None)

    assert prefect.cancelled == {"a"}


async def test_a_span_that_fails_ends_the_reading_too(tmp_path: Path) -> None:
    prefect = FakePrefect(a=Failed(name="AudioUnreadable", message="no header"))
    ended = asyncio.Event()

    async def endless() -> AsyncGenerator[Span, None]:
        try:
            yield cast("Span", SimpleNamespace(index=0))
            await asyncio.sleep(60)
        finally:
            ended.set()

    with pytest.raises(SpanFailed):
        await gpu_runs(prefect, Files(str(tmp_path))).transcribe_all(
            endless(), lambda _: {"result": "a"}, lambda _: None
        )

    assert ended.is_set()
