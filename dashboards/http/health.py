"""Whether the process lives, whether it can work, and how much it does (Prometheus text format)."""

import duckdb
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from dashboards import context
from storage import jobs
from storage.errors import TranscriberError
from storage.records import JobState


async def live(_: Request) -> Response:
    """Say that the event loop turns."""
    return PlainTextResponse("ok")


async def ready(_: Request) -> Response:
    """Say whether the ledger and the storage answer; without them nothing can be taken in."""
    parts = {"ledger": await _ledger_answers(), "storage": await _storage_answers()}
    status = 200 if all(parts.values()) else 503
    return JSONResponse({"ready": status == 200} | {name: "ok" if ok else "away" for name, ok in parts.items()}, status)


async def _ledger_answers() -> bool:
    try:
        await context.read(lambda con: con.execute("SELECT 1").fetchall())
    except (duckdb.Error, RuntimeError):
        return False
    return True


async def _storage_answers() -> bool:
    try:
        await context.in_thread(context.files().exists, "jobs/probe.json")
    except TranscriberError:
        return False
    return True


async def metrics(_: Request) -> Response:
    """Count jobs by state, workers and their slots by pool, open pages, uploads, and the ledger's log."""
    registry = CollectorRegistry()
    by_state = Gauge("transcriber_jobs", "Jobs by state", ["state"], registry=registry)
    counts = await context.read(jobs.counts)
    for state in JobState:
        by_state.labels(state.value).set(counts[state])
    alive = context.workers().alive()
    for what, attribute in (("slots", "slots"), ("busy_slots", "busy")):
        gauge = Gauge(f"transcriber_worker_{what}", f"{what.replace('_', ' ')} by pool", ["pool"], registry=registry)
        for pool in {beat.pool for beat in alive} | {"cpu", "gpu"}:
            gauge.labels(pool).set(sum(getattr(beat, attribute) for beat in alive if beat.pool == pool))
    holder = context.current()
    single = {
        "transcriber_sessions_open": ("Sessions and keys with an open websocket", len(holder.doors.idents())),
        "transcriber_uploads": ("Uploads that are kept", await context.in_thread(holder.shelf.count)),
        "transcriber_ledger_wal_bytes": ("Size of the ledger's write-ahead log", holder.ledger.wal_bytes()),
    }
    for name, (text, value) in single.items():
        Gauge(name, text, registry=registry).set(value)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)


ROUTES = [
    Route("/livez", live),
    Route("/readyz", ready),
    Route("/metrics", metrics),
]
