"""Events of jobs: what is kept of them for programs that were away."""

import gc
import json
import weakref
from typing import cast

from dashboards.runtime.event_bus import HISTORY, Bus
from storage.domain.records import Job
from tests.waiting import PATIENCE_S


class Words:
    """Stands for a job whose row pages get."""

    def __call__(self) -> dict[str, str]:
        return {"detail": ""}


def test_neither_jobs_nor_rows_are_kept_with_events() -> None:
    bus = Bus()
    before = bus.last_ident()

    def publish(number: int) -> weakref.ref[Words]:
        words = Words()
        bus.publish({"job_id": f"job-{number}", "owner_id": "ada", "row": {"label": "Queued"}}, words=words)
        return weakref.ref(words)

    made = [publish(number) for number in range(3)]
    gc.collect()
    assert [each() for each in made] == [None, None, None]
    told = [json.loads(each.for_programs) for each in bus.since(before, "ada") or []]
    assert [(each["job_id"], "row" in each) for each in told] == [(f"job-{number}", False) for number in range(3)]


def test_so_many_events_are_kept_and_no_more() -> None:
    bus = Bus()
    first = bus.last_ident()
    for number in range(HISTORY):
        bus.publish({"job_id": str(number), "owner_id": "ada"}, readers=frozenset({"bob"}))
    assert len(bus.since(first, None) or []) == HISTORY
    assert len(bus.since(first, "bob") or []) == HISTORY
    assert bus.since(first, "eve") == []
    bus.publish({"job_id": "one more", "owner_id": "ada"})
    assert bus.since(first, None) is None


async def test_who_waits_for_a_job_is_given_it_with_its_event() -> None:
    bus, job = Bus(), cast(Job, object())
    with bus.listen(job_id="j1") as listener:
        bus.publish({"job_id": "j1", "owner_id": "a"}, job=job)
        (news,) = await listener.next_news(wait_s=PATIENCE_S)
    assert news.job is job
