"""Which due flow runs a worker takes."""

from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

from flows.worker.run_slots import QUICK, URGENT, RunSlots


def due(*tags: str) -> Any:
    return SimpleNamespace(flow_run=SimpleNamespace(id=uuid4(), tags=list(tags)))


def taken(slots: RunSlots, entries: list[Any], own: set[UUID]) -> list[Any]:
    """Take runs, as a worker does."""
    chosen = slots.chosen(entries, own)
    own |= {entry.flow_run.id for entry in chosen}
    return chosen


def test_an_interactive_recording_begins_beside_a_batch_that_holds_all_slots() -> None:
    slots, own = RunSlots(4, transcribes=False), set[UUID]()
    batch, urgent, quick = [due("batch") for _ in range(6)], [due(URGENT) for _ in range(3)], due(QUICK)
    assert taken(slots, batch, own) == batch[:4]
    assert taken(slots, [*urgent, *batch[4:], quick], own) == [quick, *urgent[:2]]
    assert len(own) == slots.most - 1
    own -= {entry.flow_run.id for entry in batch[:2]}
    assert taken(slots, [urgent[2], *batch[4:]], own) == [urgent[2]]  # the batch gets its slots back last


def test_a_device_has_no_slots_beside_its_own() -> None:
    slots = RunSlots(1, transcribes=True)
    assert slots.most == 1
    assert slots.chosen([due(URGENT)], {uuid4()}) == []
