"""Gauges of the workers, from their heartbeats."""

from collections import defaultdict

from prometheus_client import CollectorRegistry, Gauge

from storage.domain.clock import utc_now
from storage.domain.model_names import display_name
from storage.remote.worker_registry import WorkerBeat, Workers

BY_WORKER = ("worker", "host", "pool")
MEASURED = (
    ("free_bytes", "free_bytes", "Free memory of the worker's device"),
    ("spans_per_minute", "spans_per_minute", "Spans transcribed per minute, over the last minutes"),
    ("speech_seconds_per_second", "speech_per_s", "Seconds of speech transcribed per second, over the last minutes"),
    ("draining", "draining", "1 while the worker finishes its runs, to leave"),
)
"""Gauges of single workers: the name's ending, the field of the heartbeat, and what it is."""


def add_workers(registry: CollectorRegistry, workers: Workers) -> None:
    """Add the gauges of all workers."""
    alive = workers.alive()
    _pools(registry, alive)
    for name, attribute, text in MEASURED:
        measured = Gauge(f"transcriber_worker_{name}", text, BY_WORKER, registry=registry)
        for beat in alive:
            if (number := getattr(beat, attribute)) is not None:
                measured.labels(beat.name, beat.host, beat.pool).set(number)
    _speed(registry, alive)
    told_of_silent = "Workers that sent no recent heartbeat and did not sign off"
    silent = Gauge("transcriber_worker_silent", told_of_silent, BY_WORKER, registry=registry)
    for beat in workers.silent():
        silent.labels(beat.name, beat.host, beat.pool).set(1)
    age = Gauge(
        "transcriber_worker_heartbeat_age_seconds", "Time since its last heartbeat", BY_WORKER, registry=registry
    )
    for beat, since in workers.ages(utc_now()):
        age.labels(beat.name, beat.host, beat.pool).set(since.total_seconds())
    told = "How far a worker's clock is ahead of ours, if it is wrong"
    skewed = Gauge("transcriber_worker_clock_ahead_seconds", told, BY_WORKER, registry=registry)
    for beat, ahead in workers.skewed():
        skewed.labels(beat.name, beat.host, beat.pool).set(ahead.total_seconds())


def _pools(registry: CollectorRegistry, alive: list[WorkerBeat]) -> None:
    for what, attribute in (("slots", "slots"), ("busy_slots", "busy")):
        gauge = Gauge(f"transcriber_worker_{what}", f"{what.replace('_', ' ')} by pool", ["pool"], registry=registry)
        for pool in {beat.pool for beat in alive} | {"cpu", "gpu"}:
            gauge.labels(pool).set(sum(getattr(beat, attribute) for beat in alive if beat.pool == pool))


def _speed(registry: CollectorRegistry, alive: list[WorkerBeat]) -> None:
    """Add the speed of workers together, by kind of device and default model."""
    told = "Seconds of speech transcribed per second over the last minutes, by device and default model"
    gauge = Gauge("transcriber_speech_seconds_per_second", told, ["device", "model"], registry=registry)
    speeds: defaultdict[tuple[str, str], float] = defaultdict(float)
    for beat in alive:
        if beat.speech_per_s is not None and beat.default_model is not None:
            speeds[beat.device.partition(":")[0], display_name(beat.default_model.name)] += beat.speech_per_s
    for labels, speed in speeds.items():
        gauge.labels(*labels).set(speed)
