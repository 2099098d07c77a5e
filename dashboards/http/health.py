"""Liveness, readiness and metrics (Prometheus text format)."""

from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread
import duckdb
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from dashboards.runtime import context, db
from dashboards.runtime.gauges import platform_gauges, upkeep_gauges, worker_gauges
from storage.domain.errors import TranscriberError
from storage.jobs import platform_pause
from storage.remote.part_troubles import PlatformPart

READY_WITHIN_S = 5.0
T = TypeVar("T")


async def live(_: Request) -> Response:
    """Report that the event loop runs."""
    return PlainTextResponse("ok")


async def ready(_: Request) -> Response:
    """Report whether the ledger commits, storage answers, and Prefect has answered since the start.

    Nothing is accepted without ledger and storage. When Prefect is away later, jobs are accepted and wait for it. They
    are accepted, too, while the platform is paused for maintenance: it is ready, and `paused` has the reason. With a
    nearly full disk it is ready for all but new recordings, and `disk` says so.
    """
    reasons = {
        "ledger": await _reason(context.ledger().check),
        "storage": await _reason(lambda: context.files().exists("jobs/probe.json")),
        "prefect": None if context.current().prefect_has_answered else "no answer since the start",
    }
    away = {name: reason for name, reason in reasons.items() if reason}
    told: dict[str, object] = {"ready": not away} | {name: "away" if name in away else "ok" for name in reasons}
    if context.current().parts.reason(PlatformPart.PREFECT) is not None:
        told["prefect"] = "away"
    if away:
        told["reasons"] = away
    if context.current().disks.low:
        told["disk"] = "nearly full"
    pause = None if "ledger" in away else await _soon(lambda: db.look(platform_pause.find))
    return JSONResponse(told | ({"paused": pause.reason} if pause else {}), 503 if away else 200)


async def _soon(work: Callable[[], T]) -> T:
    """Run blocking `work` in a thread that nothing else uses.

    Raises:
        TimeoutError: it did not end in time.
    """
    with anyio.fail_after(READY_WITHIN_S):
        return await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=context.current().probe_threads)


async def _reason(work: Callable[[], object]) -> str | None:
    """Return why something does not work, or None; the answer comes soon."""
    try:
        await _soon(work)
    except TimeoutError:
        return f"no answer within {READY_WITHIN_S:g} s"
    except TranscriberError as error:
        return error.code
    except (duckdb.Error, RuntimeError) as error:
        return type(error).__name__
    return None


async def metrics(_: Request) -> Response:
    """Export gauges of jobs, workers, pages, uploads and the ledger, and this process's counters."""
    registry, holder = CollectorRegistry(), context.current()
    told = await db.read(platform_gauges.facts)
    uploads = await db.in_thread(holder.shelf.count)
    platform_gauges.add_jobs(registry, told)
    platform_gauges.add_process(registry, holder, told, uploads)
    platform_gauges.add_ledger(registry, holder.ledger)
    worker_gauges.add_workers(registry, holder.workers)
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
