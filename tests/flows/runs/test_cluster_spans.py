"""Which lanes a Dask cluster transcribes, and what is said while it cannot be reached."""

import asyncio
from collections.abc import AsyncGenerator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed, Failed

from flows.flows.transcribe_recording import spans_of, transcribe_recording
from flows.runs import cluster_spans
from flows.runs.cluster_spans import ClusterSpans, transcribe_span_on_cluster
from flows.runs.process_state import CancelFlag
from flows.runs.run_outcomes import Stopped
from storage.domain.errors import (
    PASSING,
    BadRequest,
    ClusterUnreachable,
    DaskMissing,
    SpanFailed,
    SpanPutOff,
    TranscriberError,
)
from storage.domain.records import Lane, Span
from storage.domain.settings import ClusterSettings
from tests.flows.conftest import free_port
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.usefixtures("packages")
NOWHERE = "tcp://127.0.0.1:1"


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the extra `dask` seem installed: with it, Prefect's server and workers start later, so tests have it not."""
    monkeypatch.setattr(cluster_spans, "find_spec", lambda _: object())


def settings(**given: Any) -> ClusterSettings:
    return ClusterSettings(**{"dask_scheduler": NOWHERE} | given)


def chosen(lane: Lane, **given: Any) -> ClusterSpans | None:
    here = SimpleNamespace(settings=SimpleNamespace(cluster=settings(**given)))
    return spans_of(cast("Any", here), CancelFlag(), cast("Any", SimpleNamespace(lane=lane)))


def cluster(address: str = NOWHERE) -> ClusterSpans:
    return ClusterSpans(address=address, flag=CancelFlag(), connect_within="0.1s")


async def two_spans() -> AsyncGenerator[Span, None]:
    for index in range(2):
        yield cast("Span", SimpleNamespace(index=index))


async def transcribe(spans: ClusterSpans) -> list[int]:
    transcribed: list[int] = []
    async with asyncio.timeout(PATIENCE_S):
        await spans.transcribe_all(two_spans(), lambda _: {}, lambda span: transcribed.append(span.index))
    return transcribed


def test_the_cluster_gets_the_lanes_that_settings_name() -> None:
    assert (chosen(Lane.BACKFILL) or cluster("")).address == NOWHERE
    assert chosen(Lane.BATCH) is None
    assert chosen(Lane.BATCH, dask_lanes="batch, backfill")
    assert chosen(Lane.BACKFILL, dask_scheduler="") is None


def test_without_a_cluster_no_lane_takes_the_long_way() -> None:
    assert settings(dask_scheduler=None).lanes == frozenset()


def test_a_lane_that_does_not_exist_is_refused() -> None:
    with pytest.raises(BadRequest, match=r"'night' is no lane; write interactive, batch, backfill"):
        settings(dask_lanes="backfill, night")


def test_a_worker_without_the_packages_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_spans, "find_spec", lambda _: None)
    with pytest.raises(DaskMissing, match="install the extra `dask` there"):
        chosen(Lane.BACKFILL)


async def test_a_scheduler_that_is_away_puts_the_recording_off() -> None:
    pytest.importorskip("prefect_dask", reason="the extra `dask` is not installed")
    address = f"tcp://127.0.0.1:{free_port()}"
    with pytest.raises(ClusterUnreachable, match=f"the Dask scheduler at {address} does not answer") as raised:
        await transcribe(cluster(address))
    assert type(raised.value) in PASSING  # the job waits, and its attempts are not counted


def test_task_and_flow_can_be_copied_to_a_cluster() -> None:
    """Their annotations go along, and `State[Any]` is a class that no other process finds."""
    for each in (transcribe_span_on_cluster, transcribe_recording):
        assert each.fn.__annotations__["return"] == "State[Any] | None"


class PlayedRunner:
    """A cluster that ends every span in the same way."""

    def __init__(self, end: State[Any] | Exception) -> None:
        self.end, self.client = end, None

    def submit(self, *_: object) -> Any:
        ended: Future[Any] = Future()
        if isinstance(self.end, Exception):
            ended.set_exception(self.end)
        else:
            ended.set_result(self.end)
        return SimpleNamespace(wrapped_future=ended, add_done_callback=ended.add_done_callback)


def play(monkeypatch: pytest.MonkeyPatch, end: State[Any] | Exception) -> ClusterSpans:
    @asynccontextmanager
    async def started(_: str, **__: Any) -> AsyncGenerator[PlayedRunner, None]:
        yield PlayedRunner(end)

    monkeypatch.setattr(cluster_spans, "started", started)
    return cluster()


async def test_spans_that_complete_are_told_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sorted(await transcribe(play(monkeypatch, Completed()))) == [0, 1]


@pytest.mark.parametrize(
    ("end", "error", "transient"),
    [
        (Failed(name="AudioUnreadable", message="no"), SpanFailed, False),
        (Failed(name="StorageUnreachable", message="read-only"), SpanPutOff, True),
        (RuntimeError("KilledWorker"), SpanPutOff, True),
    ],
)
async def test_a_span_fails_as_on_the_gpu_pool(
    monkeypatch: pytest.MonkeyPatch, end: State[Any] | Exception, error: type[TranscriberError], transient: bool
) -> None:
    with pytest.raises(error) as raised:
        await transcribe(play(monkeypatch, end))
    assert raised.value.transient is transient


async def test_a_cancelled_span_stops_the_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Stopped):
        await transcribe(play(monkeypatch, Cancelled()))


async def test_a_raised_flag_stops_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    spans = play(monkeypatch, Completed())
    monkeypatch.setattr(PlayedRunner, "submit", lambda *_: SimpleNamespace(add_done_callback=lambda _: None))
    spans.flag.raise_()
    with pytest.raises(Stopped):
        await transcribe(spans)
