"""The worker registry and its heartbeats."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from storage.domain.clock import utc_now
from storage.domain.records import from_json, to_json
from storage.remote.worker_registry import ALIVE_FOR, HEARD_WITHIN, LOST_AFTER, ModelState, WorkerBeat, Workers
from tests.factories import heartbeat

NOW = utc_now()
READY = ModelState(name="tiny", fingerprint="f00d", state="ready")
COMING = ModelState(name="small", fingerprint=None, state="downloading", progress=0.4)


def beat(name: str = "gpu-1", **more: Any) -> WorkerBeat:
    values: dict[str, Any] = {"slots": 2, "busy": 1, "default_model": READY, "sent_at": NOW - timedelta(days=3)}
    return heartbeat(**(values | {"name": name} | more))


def test_a_worker_is_alive_until_it_has_been_silent_for_long() -> None:
    workers = Workers()
    workers.beat(beat(), now=NOW)
    assert [one.name for one in workers.alive(NOW + ALIVE_FOR * 0.9)] == ["gpu-1"]
    assert workers.alive(NOW + ALIVE_FOR) == []


def test_runs_in_hand_are_unknown_until_every_worker_had_time_to_speak() -> None:
    workers = Workers(now=NOW)
    workers.beat(beat(flow_runs=("a",)), now=NOW)
    assert workers.in_hand(NOW + HEARD_WITHIN * 0.9) is None
    assert workers.in_hand(NOW + HEARD_WITHIN) == {"a"}
    workers.beat(beat("old", flow_runs=None), now=NOW)
    assert workers.in_hand(NOW + HEARD_WITHIN) is None


def test_a_silent_worker_keeps_its_runs_for_a_while_unless_it_said_good_bye() -> None:
    workers, late = Workers(now=NOW), NOW + LOST_AFTER
    workers.beat(beat("a", flow_runs=("1",)), now=NOW)
    workers.beat(beat("b", flow_runs=("2",)), now=late)
    assert workers.in_hand(late - ALIVE_FOR * 0.1) == {"1", "2"}
    assert workers.in_hand(late) == {"2"}
    workers.gone("b")
    assert workers.in_hand(late) is None


def test_slots_are_counted_by_pool() -> None:
    workers = Workers()
    for name, pool, slots in (("a", "gpu", 2), ("b", "gpu", 3), ("c", "cpu", 4)):
        workers.beat(beat(name, pool=pool, slots=slots), now=NOW)
    workers.beat(beat("a", slots=1), now=NOW)
    assert (workers.slots("gpu", NOW), workers.slots("cpu", NOW), workers.slots("tpu", NOW)) == (4, 4, 0)
    workers.gone("b")
    assert workers.slots("gpu", NOW) == 1


def test_a_ready_model_comes_before_one_that_is_being_fetched() -> None:
    workers = Workers()
    assert workers.default_model(NOW) is None
    workers.beat(beat("a", default_model=COMING), now=NOW)
    assert workers.default_model(NOW) == COMING
    workers.beat(beat("b", default_model=READY), now=NOW)
    assert workers.default_model(NOW) == READY


def test_it_is_known_how_a_model_stands() -> None:
    workers = Workers()
    workers.beat(beat(models=(COMING,)), now=NOW)
    assert workers.has("small", NOW) == COMING
    assert workers.has("tiny", NOW) == READY
    assert workers.has("large", NOW) is None


def test_a_model_in_a_folder_is_found_by_its_name_too() -> None:
    workers = Workers()
    path = replace(READY, name="/srv/models/mine")
    workers.beat(beat(models=(READY, path)), now=NOW)
    assert workers.has("/srv/models/mine", NOW) == path
    assert workers.has("mine", NOW) == path
    assert workers.has("tiny", NOW) == READY


def test_wanted_models_are_asked_for_until_they_are_there() -> None:
    workers = Workers()
    workers.want("small", now=NOW)
    workers.want("tiny", now=NOW)
    assert workers.beat(beat(models=(COMING,)), now=NOW) == ("small",)
    there = ModelState(name="small", fingerprint="cafe", state="ready")
    assert workers.beat(beat(models=(there,)), now=NOW) == ()


def test_a_wish_that_is_not_repeated_is_dropped() -> None:
    workers = Workers()
    workers.want("small", now=NOW)
    assert workers.beat(beat(), now=NOW + ALIVE_FOR) == ()


def test_a_beat_survives_the_way_over_http() -> None:
    sent = beat(models=(READY, COMING), versions={"ctranslate2": "4.8.5"})
    assert from_json(WorkerBeat, to_json(sent)) == sent


def test_diarization_needs_a_worker_that_supports_it() -> None:
    workers = Workers(now=NOW)
    workers.beat(beat("gpu-1", versions={"prefect": "3.8.8"}), now=NOW)
    assert not workers.tell_speakers_apart(NOW)
    workers.beat(beat("gpu-2", versions={"kaldi-native-fbank": "1.23.0"}), now=NOW)
    assert workers.tell_speakers_apart(NOW)
