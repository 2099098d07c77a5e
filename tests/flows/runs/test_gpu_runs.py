"""Waiting for span runs when storage, Prefect or a span fails meanwhile."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.states import Failed, Running

from flows import notices, spans
from flows.endings import Stopped
from flows.resident import CancelFlag
from flows.spans import GpuRuns
from storage.errors import AudioUnreadable, SpanFailed, StorageUnreachable
from storage.files import Files
from storage.records import Span


class FakePrefect:
    """The calls that `GpuRuns` makes; `states` are what the span runs are in, by key."""

    def __init__(self, **states: Any) -> None:
        self.states, self.cancelled = states, set[str]()
        self._keys: dict[UUID, str] = {}

    async def read_deployment_by_name(self, _: str) -> SimpleNamespace:
        return SimpleNamespace(id=uuid4())

    async def create_flow_run_from_deployment(self, *_: Any, parameters: dict[str, Any], **__: Any) -> SimpleNamespace:
        made = uuid4()
        self._keys[made] = parameters["result"]
        return SimpleNamespace(id=made)

    async def read_flow_run(self, flow_run_id: UUID) -> SimpleNamespace:
        state = self.states[self._keys[flow_run_id]]
        if isinstance(state, Exception):
            raise state
        return SimpleNamespace(state=state)

    async def set_flow_run_state(self, flow_run_id: UUID, _: Any) -> None:
        self.cancelled.add(self._keys[flow_run_id])


@pytest.fixture(autouse=True)
def by_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    """No events, and quick looks at the state instead."""

    async def silence(_: notices.Notices) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(notices.Notices, "_listen", silence)
    monkeypatch.setattr(notices, "POLL_STATE_S", 0.05)
    monkeypatch.setattr(spans, "_DEPLOYMENTS", {})


def gpu_runs(prefect: FakePrefect, files: Files) -> GpuRuns:
    job = SimpleNamespace(id="0123456789", attempt=1, name="a.wav", lane="interactive")
    here = SimpleNamespace(files=files)
    return GpuRuns(
        here=cast("Any", here), client=cast("Any", prefect), job=cast("Any", job), flag=CancelFlag(), slots=4
    )


async def hear(runs: GpuRuns, *results: str) -> list[int]:
    heard: list[int] = []

    async def wanted() -> AsyncGenerator[Span, None]:
        for index in range(len(results)):
            yield cast("Span", SimpleNamespace(index=index))

    async with asyncio.timeout(20):
        await runs.hear_all(
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


async def test_an_absent_prefect_is_told_as_it_is_and_the_span_runs_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.patience.patiently.__kwdefaults__", {"patience_s": 0.0})
    monkeypatch.setattr("flows.patience.PAUSE_S", 0.0)
    prefect = FakePrefect(a=httpx.ConnectError("refused"), b=Running())

    with pytest.raises(httpx.ConnectError):
        await hear(gpu_runs(prefect, Files(str(tmp_path))), "a", "b")

    assert prefect.cancelled == set()


async def test_a_failed_span_has_its_siblings_cancelled(tmp_path: Path) -> None:
    prefect = FakePrefect(a=Running(), b=Failed(name="AudioUnreadable", message="no header"), c=Running())

    with pytest.raises(SpanFailed, match="no header") as failure:
        await hear(gpu_runs(prefect, Files(str(tmp_path))), "a", "b", "c")

    assert failure.value.span_code == "audio_unreadable"
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
        await runs.hear_all(broken(), lambda _: {"result": "a"}, lambda _: None)

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
        await gpu_runs(prefect, Files(str(tmp_path))).hear_all(endless(), lambda _: {"result": "a"}, lambda _: None)

    assert ended.is_set()
