"""What the running web process holds, for routes and pages alike: ledger, files, workers, and the bus.

Streamlit runs the page script again and again, so the holder lives in this imported module. The lifespan of the
app puts it up; tests put up their own with `use`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import anyio.to_thread
from anyio import CapacityLimiter
from duckdb import DuckDBPyConnection
from pydantic import SecretStr

from dashboards import present
from dashboards.background import Background
from dashboards.doors import Doors
from dashboards.events import Bus
from dashboards.gauges import Gauges
from dashboards.lists import Lists
from dashboards.oidc import Provider
from dashboards.paces import Paces
from dashboards.shelf import Shelf, Upload
from dashboards.timings import Timings
from dashboards.writers import Writers
from storage import jobs
from storage.files import Files
from storage.heartbeats import Workers
from storage.ledger import Ledger
from storage.records import Job, JobState
from storage.reports import Started
from storage.search_index import SearchIndex
from storage.settings import Settings
from storage.tokens import operator_token

if TYPE_CHECKING:
    from dashboards.prefect_runs import PrefectRuns

P = ParamSpec("P")
T = TypeVar("T")

LEDGER_THREADS = 12
BLOCKING_THREADS = 8


def _nobody() -> None:
    """There is nobody to wake: the app has not started, or a test wants it so."""


@dataclass(slots=True, kw_only=True)
class Context:
    """The parts of one web process.

    `wake_dispatcher` and `wake_reconciler` make those look at once; `landings` are the uploads whose last byte has come
    and that are being made jobs; `exporting` are the files that are being made, by name; `runs` is the way to Prefect,
    once its client is imported.
    """

    settings: Settings
    ledger: Ledger
    files: Files
    workers: Workers = field(default_factory=Workers)
    bus: Bus = field(default_factory=Bus)
    doors: Doors = field(default_factory=Doors)
    wake_dispatcher: Callable[[], None] = _nobody
    wake_reconciler: Callable[[], None] = _nobody
    adopt: Callable[[Started], Awaitable[None]] | None = None
    writers: Writers = field(default_factory=Writers)
    paces: Paces = field(default_factory=Paces)
    lists: Lists = field(default_factory=Lists)
    landings: dict[str, asyncio.Task[Upload]] = field(default_factory=dict)
    exporting: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    runs: "PrefectRuns | None" = None
    background: Background = field(default_factory=Background)
    gauges: Gauges = field(default_factory=Gauges)
    timings: Timings = field(default_factory=Timings)
    ledger_threads: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(LEDGER_THREADS))
    blocking_threads: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(BLOCKING_THREADS))
    shelf: Shelf = field(init=False)
    search: SearchIndex = field(init=False)
    operator_token: SecretStr = field(init=False)
    provider: Provider = field(init=False)

    def __post_init__(self) -> None:
        self.shelf = Shelf(self.settings.storage.uploads_dir)
        self.search = SearchIndex(self.settings.storage.search_path)
        self.operator_token = operator_token(self.settings)
        self.provider = Provider(self.settings.oidc)


_held: list[Context] = []


def current() -> Context:
    """Return what the process holds now.

    Raises:
        RuntimeError: the app has not started, or has stopped.
    """
    if not _held:
        raise RuntimeError("the web process holds no ledger yet; serve dashboards.app, or put one up with context.use")
    return _held[-1]


def is_up() -> bool:
    """Tell whether the app has started and not stopped yet."""
    return bool(_held)


@contextmanager
def use(context: Context) -> Iterator[Context]:
    """Put `context` up for as long as the block lasts."""
    _held.append(context)
    try:
        yield context
    finally:
        _held.remove(context)
        context.search.close()


def settings() -> Settings:
    return current().settings


def ledger() -> Ledger:
    return current().ledger


def files() -> Files:
    return current().files


def workers() -> Workers:
    return current().workers


def changed(job_id: str, owner_id: str) -> None:
    """Tell the owner's open pages, the dispatcher and the reconciler that a job is no longer as it was.

    Call it after the change is committed, from any thread.
    """
    tell(job_id, owner_id)
    wake()
    current().wake_reconciler()


def announce(job: Job) -> None:
    """The same, saying also how the job is now; dispatcher and reconciler are woken where there is work for them."""
    describe(job)
    if job.state.finished or (job.state is JobState.QUEUED and job.flow_run_id is None):
        wake()
    if job.state is JobState.CANCELLED:
        current().wake_reconciler()


def describe(job: Job) -> None:
    """Tell open pages alone how the job is now; open lists take `row` over as it is, without asking for anything."""
    paces = current().paces
    paces.note(job)
    tell(
        job.id,
        job.owner_id,
        state=job.state.value,
        progress=round(job.progress, 4),
        detail=job.detail,
        attempt=job.attempt,
        parts=job.parts,
        row=present.moving(job, paces.left_s(job)),
    )


def removed(job_id: str, owner_id: str) -> None:
    """Tell everybody that a job has been deleted."""
    tell(job_id, owner_id, state="deleted")


def tell(job_id: str, owner_id: str, **facts: Any) -> None:
    """Tell open pages alone."""
    current().bus.publish({"job_id": job_id, "owner_id": owner_id, **facts})


async def note(job: Job, detail: str) -> None:
    """Leave a line for the reader of a waiting job, unless it says so already or has gone on."""
    if job.detail != detail and (noted := await write(jobs.note, job, detail)):
        describe(noted)


def wake() -> None:
    """Let the dispatcher look at once; from any thread."""
    current().wake_dispatcher()


async def before_start(report: Started) -> None:
    """Make sure that the submission of a job is on record before its flow run's first report is."""
    if adopt := current().adopt:
        await adopt(report)


def kick(idents: Iterable[str]) -> None:
    """Close the websockets of sessions and keys that have ended; call it after ending them, from any thread."""
    current().doors.kick(idents)


async def read(work: Callable[Concatenate[DuckDBPyConnection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `work(con, …)` on a read cursor, in a thread."""
    holder = current()

    def look() -> T:
        with holder.ledger.read() as con:
            return work(con, *args, **kwargs)

    return await anyio.to_thread.run_sync(look, limiter=holder.ledger_threads)


async def write(work: Callable[Concatenate[DuckDBPyConnection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `work(con, …)` in a write transaction, in a thread."""
    holder = current()
    return await anyio.to_thread.run_sync(
        partial(holder.ledger.run, work, *args, **kwargs), limiter=holder.ledger_threads
    )


async def in_ledger(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call something that opens its own reads and writes of the ledger, in a thread of the ledger's pool."""
    return await anyio.to_thread.run_sync(partial(work, *args, **kwargs), limiter=current().ledger_threads)


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call something that waits for disk, network or a child process, in a thread of a pool of its own."""
    return await anyio.to_thread.run_sync(partial(work, *args, **kwargs), limiter=current().blocking_threads)
