"""Which due flow runs a worker takes."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

from flows.worker.run_slots import (
    LEFT_FOR,
    MOST_REMEMBERED,
    QUICK,
    URGENT,
    RunSlots,
    ServiceTurns,
    not_begun_elsewhere,
)
from storage.domain.clock import utc_now
from storage.domain.deployments import CLIP_TAG
from storage.domain.records import Lane


def due(*tags: str) -> Any:
    queue = next((lane for lane in Lane if lane in tags), Lane.INTERACTIVE)
    return SimpleNamespace(work_queue_id=queue, flow_run=SimpleNamespace(id=uuid4(), tags=list(tags)))


def span(owner: str, job: str, *more: str) -> Any:
    return due(URGENT, f"owner:{owner}", f"job:{job}", "model:f", *more)


def taken(slots: RunSlots, entries: list[Any], own: set[UUID]) -> list[Any]:
    """Take runs, as a worker does."""
    chosen = slots.chosen(entries, own)
    own |= {entry.flow_run.id for entry in chosen}
    return chosen


def one_by_one(entries: list[Any]) -> list[Any]:
    """Return the order in which a worker of one slot takes runs."""
    slots, left, found = RunSlots(1, transcribes=True), list(entries), []
    while left:
        (entry,) = slots.chosen(left, set())
        left.remove(entry)
        found.append(entry)
    return found


def test_an_interactive_recording_begins_beside_a_batch_that_holds_all_slots() -> None:
    slots, own = RunSlots(4, transcribes=False), set[UUID]()
    batch, urgent, quick = [due("batch") for _ in range(6)], [due(URGENT) for _ in range(3)], due(QUICK)
    assert taken(slots, batch, own) == batch[:4]
    assert taken(slots, [*urgent, *batch[4:], quick], own) == [quick, *urgent[:2]]
    assert len(own) == slots.most - 1
    own -= {entry.flow_run.id for entry in batch[:2]}
    assert taken(slots, [urgent[2], *batch[4:]], own) == [urgent[2]]  # the batch gets its slots back last


def test_interactive_recordings_alone_have_no_more_than_all_slots() -> None:
    slots, urgent = RunSlots(2, transcribes=False), [due(URGENT) for _ in range(4)]
    assert slots.chosen(urgent, set()) == urgent[:2]


def test_an_interactive_span_begins_beside_batches_that_use_the_same_model() -> None:
    slots, own = RunSlots(2, transcribes=True), set[UUID]()
    batch = [due("batch", "model:f") for _ in range(3)]
    other, urgent = due(URGENT, "model:another"), [span("ada", "1") for _ in range(3)]
    assert taken(slots, batch, own) == batch[:2]
    assert taken(slots, [other, batch[2]], own) == []  # a second model might not fit beside it
    assert taken(slots, [*urgent, batch[2]], own) == urgent[:2]
    own.remove(batch[0].flow_run.id)
    own.remove(batch[1].flow_run.id)
    assert taken(slots, [other, urgent[2], batch[2]], own) == []
    own.remove(urgent[0].flow_run.id)
    assert taken(slots, [other, urgent[2], batch[2]], own) == [other]


def test_none_goes_before_a_recording_that_waits_for_the_slot_of_another_model() -> None:
    slots, own = RunSlots(1, transcribes=True), set[UUID]()
    batch, urgent = due("batch", "model:f"), span("ada", "1")
    other = due(URGENT, "owner:ben", "job:2", "model:another")
    assert taken(slots, [batch], own) == [batch]
    assert taken(slots, [other, urgent], own) == []  # a batch that gives way again and again would keep its slot
    own.clear()
    assert taken(slots, [other, urgent], own) == [other]


def test_people_are_served_in_turn_and_their_recordings_too() -> None:
    ada, ben = [span("ada", "1") for _ in range(4)], span("ben", "2")
    second = span("ada", "3")
    assert one_by_one([*ada, second, ben]) == [ada[0], ben, second, *ada[1:]]


def test_all_clips_have_one_turn_together() -> None:
    clips = [span("ada", str(number), CLIP_TAG) for number in range(3)]
    ada, ben = [span("ada", "long") for _ in range(2)], [span("ben", "talk") for _ in range(2)]
    assert one_by_one([*clips, *ada, *ben]) == [clips[0], ada[0], ben[0], clips[1], ada[1], ben[1], clips[2]]


def test_lanes_come_one_after_the_other() -> None:
    batch, urgent = [due("batch", "owner:ada", "job:1")], [span("ben", "2") for _ in range(2)]
    assert one_by_one([*urgent, *batch]) == [*urgent, *batch]


def test_turns_of_long_ago_are_forgotten() -> None:
    turns = ServiceTurns()
    for number in range(MOST_REMEMBERED):
        turns.note([f"owner:{number}", f"job:{number}"])
    assert turns.last(["owner:0", "job:0"]) == (0, 0)
    number = MOST_REMEMBERED - 1
    assert turns.last([f"owner:{number}", f"job:{number}"]) == (MOST_REMEMBERED, MOST_REMEMBERED)


def test_a_run_that_another_worker_began_is_left_to_it_for_a_moment() -> None:
    mine, its, anybodys = due("begun:gpu-1"), due("begun:gpu-2"), due()
    now, entries = utc_now(), [mine, its, anybodys]
    for entry in entries:
        entry.flow_run.created = now
    assert not_begun_elsewhere(entries, "gpu-1", now) == [mine, anybodys]
    assert not_begun_elsewhere(entries, "gpu-1", now + LEFT_FOR - timedelta(seconds=1)) == [mine, anybodys]
    assert not_begun_elsewhere(entries, "gpu-1", now + LEFT_FOR) == entries


def test_a_run_that_needs_the_engine_no_more_leaves_its_slot_to_the_next() -> None:
    slots, own, (first, second, third) = (
        RunSlots(1, transcribes=True),
        set[UUID](),
        [span("ada", "a") for _ in range(3)],
    )
    assert taken(slots, [first], own) == [first]
    assert slots.chosen([second], own) == []
    slots.free(first.flow_run.id)
    assert taken(slots, [second, third], own) == [second]
    assert slots.chosen([third], own) == []
    own.remove(first.flow_run.id)
    assert slots.chosen([third], own) == []  # the slot was given away once, not twice
    own.remove(second.flow_run.id)
    assert slots.chosen([third], own) == [third]


def test_runs_are_not_asked_for_while_none_would_be_taken() -> None:
    slots, own = RunSlots(2, transcribes=True), set[UUID]()
    assert not slots.takes_none(own)
    taken(slots, [span("ada", "a")], own)
    assert not slots.takes_none(own)
    taken(slots, [span("ada", "a")], own)
    assert slots.takes_none(own)
    slots.free(next(iter(own)))
    assert not slots.takes_none(own)


def test_runs_are_asked_for_while_an_interactive_one_may_go_before() -> None:
    slots, own = RunSlots(1, transcribes=True), set[UUID]()
    taken(slots, [due("batch", "model:f")], own)
    assert not slots.takes_none(own)
    quick, urgent = RunSlots(1, transcribes=False), set[UUID]()
    taken(quick, [due(URGENT)], urgent)
    assert not quick.takes_none(urgent)
