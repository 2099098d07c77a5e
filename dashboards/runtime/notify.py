"""Notify open pages and background loops of changes to jobs and sessions."""

from collections.abc import Callable, Collection, Iterable
from typing import Any

from duckdb import DuckDBPyConnection

from dashboards.presenters import job_row
from dashboards.runtime import db
from dashboards.runtime.context import current
from storage.domain import translation
from storage.domain.job_messages import HeldBack, JobMessage, encode, text_of
from storage.domain.records import Job, JobState, Lane
from storage.jobs import job_store, queue_order
from storage.jobs.reports import Started

TOLD_AT_ONCE = 100


def announce(job: Job) -> None:
    """Send the job's state to open pages, and wake background loops if needed.

    Call it after the change is committed, from any thread.
    """
    describe(job)
    if job.state.finished or (job.state is JobState.QUEUED and job.flow_run_id is None):
        wake()
    is_back = job.state is JobState.QUEUED and job.flow_run_id is None and job.attempt > 1
    if is_back or job.state is JobState.CANCELLED:
        current().wake_reconciler()  # flow runs have to stop


def describe(job: Job) -> None:
    """Send the job's state to open pages; lists use `row` unchanged."""
    paces = current().paces
    paces.note(job)
    current().queue_speed.note(job)
    current().metrics.job(job)
    left_s = paces.left_s(job)

    def words() -> dict[str, Any]:
        return {"detail": text_of(job.detail), "row": job_row.moving(job, left_s)}

    facts: dict[str, Any] = {
        "state": job.state.value,
        "progress": round(job.progress, 4),
        "attempt": job.attempt,
        "parts": job.parts,
    }
    with translation.speaking(translation.ENGLISH):  # whoever changed the job: programs hear of it, too
        tell(job.id, job.owner_id, words=words, job=job, **facts, **words())


def removed(job_id: str, owner_id: str) -> None:
    """Notify everybody that a job was deleted."""
    tell(job_id, owner_id, state="deleted")


def tell(
    job_id: str,
    owner_id: str,
    *,
    also: Iterable[str] = (),
    words: Callable[[], dict[str, Any]] | None = None,
    job: Job | None = None,
    **facts: Any,
) -> None:
    """Notify open pages only.

    They are the owner's, those of the readers that it is shared with, and `also` those of others. `words` makes the
    facts that are texts again, for pages in another language. `job` spares whoever waits for it a look into the ledger.
    """
    readers = frozenset({*current().audiences.of(job_id), *also})
    current().bus.publish({"job_id": job_id, "owner_id": owner_id, **facts}, readers=readers, words=words, job=job)


async def note(job: Job, detail: JobMessage) -> None:
    """Set the status line of a waiting job, unless it is unchanged."""
    if job.detail != encode(detail) and (noted := await db.write(job_store.note, job, detail)):
        describe(noted)


async def note_all(detail: JobMessage | None, **which: Any) -> None:
    """Set or clear the status line of waiting jobs, of some `models` or a `lane`.

    Pages are told of the first ones.
    """
    told = encode(detail) if detail else ""
    if not await db.read(queue_order.is_untold, told, **which):
        return
    noted = await db.write(queue_order.note_all, told, **which)
    for job in await db.read(_jobs, noted[:TOLD_AT_ONCE]):
        describe(job)


async def note_held_back(each: int, *, models: Collection[str], without: Collection[Lane]) -> None:
    """Have waiting jobs say that the limit for one person holds them, while it does."""
    detail = encode(HeldBack(each=each))
    found = await db.read(queue_order.mistold, detail, each=each, models=models, without=without)
    if found:
        await db.write(queue_order.tell_right, detail, found)
    for job in await db.read(_jobs, found[:TOLD_AT_ONCE]):
        describe(job)


def _jobs(con: DuckDBPyConnection, job_ids: Iterable[str]) -> list[Job]:
    return [job_store.get(con, job_id) for job_id in job_ids]


def wake() -> None:
    """Wake the dispatcher; from any thread."""
    current().wake_dispatcher()


async def before_start(report: Started) -> None:
    """Record a job's submission before its flow run's first report is applied."""
    if adopt := current().adopt:
        await adopt(report)


def kick(idents: Iterable[str]) -> None:
    """Close the websockets of ended sessions and keys; from any thread, after ending them."""
    current().doors.kick(idents)
