"""Which jobs share a flow run."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from dashboards.loops.clip_groups import MOST_CLIPS, Room, gathered
from storage.domain.records import Lane


def job(name: str, length_s: float | None = 5.0, *, lane: Lane = Lane.BATCH, model: str = "auto") -> Any:
    return cast(Any, SimpleNamespace(id=name, duration_s=length_s, lane=lane, options=SimpleNamespace(model=model)))


def named(jobs: list[Any], room: Room) -> list[str]:
    runs = gathered(jobs, room, is_clip=lambda each: each.duration_s is not None and each.duration_s <= 60)
    return [" ".join(each.id for each in run) for run in runs]


TWO_SLOTS = Room(limit=8, jobs=None, slots=2)


def test_a_few_clips_that_somebody_waits_for_have_a_run_each() -> None:
    assert named([job(name, lane=Lane.INTERACTIVE) for name in "abcd"], TWO_SLOTS) == ["a", "b", "c", "d"]


def test_many_clips_share_as_few_runs_as_keep_the_slots_busy() -> None:
    def sizes(count: int, lane: Lane) -> list[int]:
        return [len(run.split()) for run in named([job(f"{n}", lane=lane) for n in range(count)], TWO_SLOTS)]

    assert sizes(30, Lane.INTERACTIVE) == [8, 8, 8, 6]
    assert sizes(20, Lane.BATCH) == [10, 10]
    assert sizes(5, Lane.BATCH) == [4, 1]  # a run costs as much as two clips


@pytest.mark.parametrize(("length_s", "together"), [(1.0, MOST_CLIPS), (5.0, 12), (25.0, 2), (40.0, 1)])
def test_a_run_is_no_longer_than_one_clip_may_be(length_s: float, together: int) -> None:
    runs = named([job(f"{n}", length_s) for n in range(100)], TWO_SLOTS)
    assert [len(run.split()) for run in runs] == [together] * 4


def test_clips_of_other_lanes_and_models_and_longer_recordings_do_not_join() -> None:
    one_slot = Room(limit=8, jobs=None, slots=0)  # its worker is just starting
    mixed = [job("a"), job("long", 600.0), job("b"), job("now", lane=Lane.INTERACTIVE), job("c", model="tiny")]
    runs = named([*mixed, job("d"), job("unknown", None), job("e")], one_slot)
    assert runs == ["a b d e", "long", "now", "c", "unknown"]  # two runs of clips in a lane are enough


def test_clips_leave_room_for_other_lanes_and_longer_recordings() -> None:
    two = {Lane.BATCH: 2}
    busy = Room(limit=5, jobs=None, slots=1, runs=two, clip_runs=two)
    assert named([job("a"), job("long", 600.0), job("now", lane=Lane.INTERACTIVE)], busy) == ["long", "now"]


def test_a_limit_of_recordings_counts_recordings() -> None:
    assert Room(limit=3, jobs=2, slots=1).most_jobs == 2
    assert Room(limit=3, jobs=None, slots=1, runs={Lane.INTERACTIVE: 4}).most_jobs == 0


def test_what_is_in_flight_of_a_later_lane_takes_no_room_from_an_earlier_one() -> None:
    long = [job(lane.value, 3600.0, lane=lane) for lane in Lane]
    of_batch = Room(limit=4, jobs=None, slots=1, runs={Lane.BATCH: 4})
    assert named(long, of_batch) == ["interactive"]
    assert named(long, Room(limit=4, jobs=None, slots=1, runs={Lane.BACKFILL: 4})) == ["interactive", "batch"]
    assert named(long, Room(limit=4, jobs=None, slots=1, runs={Lane.INTERACTIVE: 4})) == []
