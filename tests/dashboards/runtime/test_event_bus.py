"""Events of jobs: what is kept of them for programs that were away."""

import gc
import json
import weakref

from dashboards.runtime.event_bus import HISTORY, Bus


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
