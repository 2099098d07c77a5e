"""Exports of a job's current transcript in any format; a worker makes missing ones.

A file's name contains everything that its bytes depend on, so an existing file is never stale. However many clients ask
for a missing one, a single flow run makes it.
"""

import asyncio
import time
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import httpx

from dashboards.clients.prefect_runs import DeploymentMissing, PrefectRun, PrefectRuns
from dashboards.runtime import context, db
from storage.domain import names
from storage.domain.errors import ExportFailed, ExportPending, NotFound, NotStored, TimesNotMeasured
from storage.domain.records import CueLimits, ExportFormat, Job
from storage.transcripts import transcript_store

GIVE_UP_S = 300.0
LOOK_EVERY_S, LOOK_FAR_EVERY_S = 0.1, 1.0
ASK_EVERY_S = 2.0
ANOTHER_TRY_S = 10
"""Pause before a run that ended without its file is started again."""


async def made(job: Job, fmt: ExportFormat, cues: CueLimits) -> str:
    """Return the storage name of an export of the current transcript, made if missing.

    Raises:
        NotFound: there is no transcript yet.
        ExportPending: it is not ready within half a minute; the export continues.
        ExportFailed: the worker could not make it.
        TimesNotMeasured: the format has times, and the transcript has not.
    """
    stored_as = await db.read(transcript_store.stored_as, job.id)
    if stored_as is None:
        raise NotFound("file", f"{job.id}.{fmt}")
    name = names.export_name(job.id, stored_as, fmt, cues)
    if await db.in_thread(context.files().exists, name):
        return name
    head = await db.read(transcript_store.head, job.id) if fmt.spec.timed else None
    if head is not None and not head.timed:
        raise TimesNotMeasured(job.name)
    making = _making(job, name, stored_as, fmt, cues)
    try:
        async with asyncio.timeout(_wait_s()):
            await asyncio.shield(making)
    except TimeoutError:
        raise ExportPending(fmt, _why()) from None
    return name


def _making(job: Job, name: str, stored_as: str, fmt: ExportFormat, cues: CueLimits) -> asyncio.Task[None]:
    """Return the one task that makes this file.

    Raises:
        ExportPending: too many others are in progress.
    """
    holder = context.current()
    if name in holder.exporting:
        return holder.exporting[name]
    if len(holder.exporting) >= holder.limits.exports_at_once:
        raise ExportPending(fmt, "many others are being made")
    told: dict[str, Any] = {"stored_as": stored_as, "formats": [fmt.value], "settings": asdict(cues)}
    task = asyncio.create_task(_make(job, name, told, fmt), name=f"export {name}")
    holder.exporting[name] = task

    def over(done: asyncio.Task[None]) -> None:
        holder.exporting.pop(name, None)
        if not done.cancelled():
            done.exception()  # a waiting request has it; otherwise the next one will

    task.add_done_callback(over)
    return task


async def _make(job: Job, name: str, told: dict[str, Any], fmt: ExportFormat) -> None:
    """Start the run and wait for its file."""
    runs = context.current().runs
    if runs is None:
        raise ExportPending(fmt, "the Prefect server is not reached yet")
    try:
        run = await runs.export(job, told, key=name)
        if run.ended:  # an old run: the file was deleted since, or the run failed
            run = await runs.export(job, told, key=f"{name}:{int(time.time()) // ANOTHER_TRY_S}")
        await _wait(runs, run, name, fmt)
    except httpx.HTTPError as error:
        raise ExportPending(fmt, "the Prefect server does not answer") from error
    except DeploymentMissing as error:
        raise ExportPending(fmt, "the Prefect server has not been told of the deployments yet") from error


async def _wait(runs: PrefectRuns, run: PrefectRun, name: str, fmt: ExportFormat) -> None:
    """Wait until the file exists, checking its run from time to time for failure."""
    files, clock = context.files(), asyncio.get_running_loop().time
    look_every_s = LOOK_FAR_EVERY_S if "://" in files.url else LOOK_EVERY_S
    until_s, ask_at_s = clock() + GIVE_UP_S, clock() + ASK_EVERY_S
    while not await db.in_thread(files.exists, name):
        if run.ended:
            raise ExportFailed(fmt, run.message or f"its run ended as {run.state} without it")
        if clock() > until_s:
            raise ExportPending(fmt, _why())
        await asyncio.sleep(look_every_s)
        if clock() > ask_at_s:
            run = (await runs.by_id([run.id])).get(run.id, run)
            ask_at_s = clock() + ASK_EVERY_S


def _wait_s() -> float:
    holder = context.current()
    somebody = holder.workers.alive(pool="cpu")
    return holder.limits.export_wait_s if somebody else holder.limits.export_wait_for_nobody_s


def _why() -> str:
    if not context.workers().alive(pool="cpu"):
        return "no worker of the cpu pool is there to make it"
    return "the workers are busy"


async def read(job: Job, fmt: ExportFormat, cues: CueLimits) -> bytes:
    """Return a file's bytes; see `made`."""
    stored_as = await db.read(transcript_store.stored_as, job.id)
    if stored_as is not None:
        with suppress(NotStored):
            return await db.in_thread(context.files().read, names.export_name(job.id, stored_as, fmt, cues))
    name = await made(job, fmt, cues)
    try:
        return await db.in_thread(context.files().read, name)
    except NotStored:  # swept with many others of the job in between
        return await db.in_thread(context.files().read, await made(job, fmt, cues))
