"""What is said of workers that fell silent or are missing."""

from dataclasses import replace
from datetime import timedelta

import pytest

from storage.domain.clock import utc_now
from storage.remote import worker_troubles
from storage.remote.worker_registry import ALIVE_FOR, FORGOTTEN_AFTER, WorkerBeat, Workers
from storage.remote.worker_troubles import troubles
from tests.factories import heartbeat

NOW = utc_now()


def beat(pool: str) -> WorkerBeat:
    return heartbeat(pool, name=f"{pool}-alder", host="alder", sent_at=NOW)


def test_nothing_is_wrong_with_a_worker_of_each_pool() -> None:
    workers = Workers(now=NOW)
    assert troubles(workers, NOW) == [worker_troubles.none_of("cpu"), worker_troubles.none_of("gpu")]
    for pool in ("cpu", "gpu"):
        workers.beat(beat(pool), now=NOW)
    assert troubles(workers, NOW) == []


def test_a_worker_that_falls_silent_is_named_in_time_until_it_is_forgotten() -> None:
    workers = Workers(now=NOW)
    workers.beat(beat("gpu"), now=NOW)
    assert timedelta(seconds=10) < ALIVE_FOR < timedelta(seconds=15)  # two heartbeats may be late, and pages be drawn
    workers.beat(replace(beat("cpu"), sent_at=NOW + ALIVE_FOR), now=NOW + ALIVE_FOR)
    said = troubles(workers, NOW + ALIVE_FOR)
    assert said == [worker_troubles.silent("gpu-alder", "alder"), worker_troubles.none_of("gpu")]
    assert "gpu-alder on alder sent no heartbeat for 12 s" in said[0]
    workers.beat(replace(beat("cpu"), sent_at=NOW + FORGOTTEN_AFTER), now=NOW + FORGOTTEN_AFTER)
    assert troubles(workers, NOW + FORGOTTEN_AFTER) == [worker_troubles.none_of("gpu")]


@pytest.mark.parametrize(
    ("ahead_s", "said"), [(-3600, "1 h 0 min slow"), (75, "1 min 15 s fast"), (8, None), (-8, None)]
)
def test_a_worker_with_a_wrong_clock_is_named(ahead_s: float, said: str | None) -> None:
    workers = Workers(now=NOW)
    for pool in ("cpu", "gpu"):
        workers.beat(replace(beat(pool), sent_at=NOW + timedelta(seconds=ahead_s)), now=NOW)
    found = troubles(workers, NOW)
    assert len(found) == (2 if said else 0)
    assert all(said in one and "the clock of alder" in one for one in found if said)
    assert workers.heard_at("gpu-alder") == NOW


def test_a_worker_that_signed_off_is_not_called_silent() -> None:
    workers = Workers(now=NOW)
    for pool in ("cpu", "gpu"):
        workers.beat(beat(pool), now=NOW)
    workers.gone("gpu-alder")
    later = NOW + ALIVE_FOR / 2
    assert troubles(workers, later) == [worker_troubles.none_of("gpu")]
