"""What telling pages and programs of jobs leaves in memory."""

import gc
import sys

import pytest

from dashboards.runtime import context, notify
from dashboards.runtime.event_bus import Bus
from storage.domain.records import JobState
from tests.dashboards.site import Site
from tests.factories import job_in

pytestmark = pytest.mark.shared_site


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.COMPLETED])
def test_nothing_keeps_a_job_that_was_announced(site: Site, state: JobState, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context.current(), "bus", Bus())  # a listener keeps news until it looks
    jobs = [
        job_in(context.ledger(), context.files(), site.user("ada"), state, name=f"{number}.wav") for number in range(4)
    ]
    gc.collect()
    before = [sys.getrefcount(each) for each in jobs]
    list(map(notify.announce, jobs))
    gc.collect()
    assert [sys.getrefcount(each) for each in jobs] == before
