"""Events wait while Prefect is away, and are sent in order, once."""

import time
from collections.abc import Iterator
from typing import Any, cast

import httpx
import pytest

from dashboards.clients.prefect_runs import PrefectRuns
from dashboards.runtime import context
from dashboards.runtime.limits import Limits
from storage.accounts import prefect_outbox
from storage.domain.records import JobState
from storage.domain.settings import Settings
from tests.dashboards.site import Site, running
from tests.factories import job_in
from tests.waiting import PATIENCE_S


class FarPrefect:
    """Stands for a server elsewhere: it takes events, is away, or refuses them."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.error: httpx.HTTPError | None = None

    async def emit(self, events: list[dict[str, Any]]) -> None:
        if self.error:
            raise self.error
        self.taken += [event["event"] for event in events]


@pytest.fixture
def site(settings: Settings) -> Iterator[Site]:
    with running(settings, Limits(prefect_look_every_s=0.02)) as started:
        yield started


def left() -> int:
    with context.ledger().read() as con:
        return len(prefect_outbox.waiting(con, limit=100))


def until_left(count: int) -> None:
    end = time.monotonic() + PATIENCE_S
    while left() != count:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_events_wait_for_prefect_and_a_refusal_stops_nothing(site: Site) -> None:
    far, user = FarPrefect(), site.user()
    while context.current().runs is None:  # the app sets it a moment after its start, over ours
        time.sleep(0.01)
    context.current().runs = cast("PrefectRuns", far)
    request = httpx.Request("POST", "http://prefect/api/events")
    far.error = httpx.ConnectError("nobody answers", request=request)
    for state in (JobState.COMPLETED, JobState.CANCELLED):
        job_in(context.ledger(), context.files(), user, state, name=f"{state}.wav")
    time.sleep(0.1)
    assert (left(), far.taken) == (2, [])
    far.error = None
    until_left(0)
    assert far.taken == ["transcriber.job.completed", "transcriber.job.cancelled"]
    far.error = httpx.HTTPStatusError("no", request=request, response=httpx.Response(422, request=request))
    job_in(context.ledger(), context.files(), user, JobState.FAILED)
    until_left(0)
    assert len(far.taken) == 2
