"""Liveness, readiness and metrics (Prometheus text format)."""

import duckdb
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from dashboards.runtime import context, db
from dashboards.runtime.maintenance import upkeep_gauges
from storage.domain.errors import TranscriberError
from storage.domain.records import JobState
from storage.jobs import job_store, platform_pause

MEASURED = (
    ("free_bytes", "free_bytes", "Free memory of the worker's device"),
    ("spans_per_minute", "spans_per_minute", "Spans transcribed per minute, over the last minutes"),
    ("speech_seconds_per_second", "speech_per_s", "Seconds of speech transcribed per second, over the last minutes"),
    ("draining", "draining", "1 while the worker finishes its runs, to leave"),
)
"""Gauges of single workers: the name's ending, the field of the heartbeat, and what it is."""


async def live(_: Request) -> Response:
    """Report that the event loop runs."""
    return PlainTextResponse("ok")


async def ready(_: Request) -> Response:
    """Report whether the ledger commits, storage answers, and Prefect has answered since the start.

    Nothing is accepted without ledger and storage. When Prefect is away later, jobs are accepted and wait for it. They
    are accepted, too, while the platform is paused for maintenance: it is ready, and `paused` has the reason. With a
    nearly full disk it is ready for all but new recordings, and `disk` says so.
    """
    parts = {
        "ledger": await _ledger_answers(),
        "storage": await _storage_answers(),
        "prefect": context.current().prefect_has_answered,
    }
    status = 200 if all(parts.values()) else 503
    told: dict[str, object] = {"ready": status == 200} | {name: "ok" if ok else "away" for name, ok in parts.items()}
    pause = await db.read(platform_pause.find) if parts["ledger"] else None
    if context.current().disks.low:
        told["disk"] = "nearly full"
    return JSONResponse(told | ({"paused": pause.reason} if pause else {}), status)


async def _ledger_answers() -> bool:
    try:
        await db.in_ledger(context.ledger().check)
    except (duckdb.Error, RuntimeError, TranscriberError):
        return False
    return True


async def _storage_answers() -> bool:
    try:
        await db.in_thread(context.files().exists, "jobs/probe.json")
    except TranscriberError:
        return False
    return True


async def metrics(_: Request) -> Response:
    """Export gauges of jobs, workers, pages, uploads and the ledger, and this process's counters."""
    registry = CollectorRegistry()
    by_state = Gauge("transcriber_jobs", "Jobs by state", ["state"], registry=registry)
    counts = await db.read(job_store.counts)
    for state in JobState:
        by_state.labels(state.value).set(counts[state])
    alive = context.workers().alive()
    for what, attribute in (("slots", "slots"), ("busy_slots", "busy")):
        gauge = Gauge(f"transcriber_worker_{what}", f"{what.replace('_', ' ')} by pool", ["pool"], registry=registry)
        for pool in {beat.pool for beat in alive} | {"cpu", "gpu"}:
            gauge.labels(pool).set(sum(getattr(beat, attribute) for beat in alive if beat.pool == pool))
    for name, attribute, text in MEASURED:
        measured = Gauge(f"transcriber_worker_{name}", text, ["worker", "host", "pool"], registry=registry)
        for beat in alive:
            if (number := getattr(beat, attribute)) is not None:
                measured.labels(beat.name, beat.host, beat.pool).set(number)
    told_of_silent = "Workers that sent no recent heartbeat and did not sign off"
    silent = Gauge("transcriber_worker_silent", told_of_silent, ["worker", "host", "pool"], registry=registry)
    for beat in context.workers().silent():
        silent.labels(beat.name, beat.host, beat.pool).set(1)
    told = "How far a worker's clock is ahead of ours, if it is wrong"
    skewed = Gauge("transcriber_worker_clock_ahead_seconds", told, ["worker", "host", "pool"], registry=registry)
    for beat, ahead in context.workers().skewed():
        skewed.labels(beat.name, beat.host, beat.pool).set(ahead.total_seconds())
    holder = context.current()
    paused = await db.read(platform_pause.find) is not None
    single = {
        "transcriber_paused": ("1 while the platform is paused for maintenance", int(paused)),
        "transcriber_jobs_handed_out": ("Recordings that are running", await db.read(platform_pause.running)),
        "transcriber_sessions_open": ("Sessions and keys with an open websocket", len(holder.doors.idents())),
        "transcriber_answer_cache_bytes": ("Size of the kept answers of the API", holder.answers.size_bytes()),
        "transcriber_uploads": ("Uploads that are kept", await db.in_thread(holder.shelf.count)),
        "transcriber_ledger_wal_bytes": ("Size of the ledger's write-ahead log", holder.ledger.wal_bytes()),
        "transcriber_ledger_checkpoints": ("Checkpoints since the start", holder.ledger.checkpoints.count),
        "transcriber_ledger_checkpoint_seconds": ("Duration of the last one", holder.ledger.checkpoints.last_s),
        "transcriber_search_wal_bytes": ("Size of the search index's write-ahead log", holder.search.wal_bytes()),
    }
    for name, (text, value) in single.items():
        Gauge(name, text, registry=registry).set(value)
    upkeep_gauges.add_backups(registry, holder)
    upkeep_gauges.add_canary(registry, holder)
    upkeep_gauges.add_disks(registry, holder)
    lines = generate_latest(registry) + generate_latest(holder.metrics.registry)
    return Response(lines, media_type=CONTENT_TYPE_PLAIN_0_0_4)


ROUTES = [
    Route("/livez", live),
    Route("/readyz", ready),
    Route("/metrics", metrics),
]
