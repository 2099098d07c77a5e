"""The container of the running web process's parts: ledger, files, workers, event bus.

Streamlit runs the page script again and again, so the container lives in this imported module. The lifespan of the app
sets it; tests set their own with `use`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from anyio import CapacityLimiter

from dashboards.clients.oidc import Provider
from dashboards.runtime import page_origin
from dashboards.runtime.answer_cache import Answers, KnownKeys
from dashboards.runtime.audiences import Audiences
from dashboards.runtime.background import Background, OwnedTask, SummaryRuns
from dashboards.runtime.eta import Paces, QueueSpeed
from dashboards.runtime.event_bus import Bus
from dashboards.runtime.event_windows import EventWindows
from dashboards.runtime.key_requests import KeyRequests
from dashboards.runtime.limits import Limits
from dashboards.runtime.list_cache import Lists
from dashboards.runtime.machine_load import Gauges
from dashboards.runtime.maintenance.backup_state import BackupState
from dashboards.runtime.maintenance.canary_state import CanaryState
from dashboards.runtime.maintenance.dataset_state import DatasetState
from dashboards.runtime.maintenance.disk_guard import DiskGuard
from dashboards.runtime.maintenance.part_guard import PartGuard
from dashboards.runtime.process_metrics import ProcessMetrics
from dashboards.runtime.request_timings import Timings
from dashboards.runtime.share_visits import ShareVisits
from dashboards.runtime.single_writer import Writers
from dashboards.runtime.websocket_registry import Doors
from storage.domain.settings import Settings
from storage.files.direct_parts import DirectParts
from storage.files.file_store import Files
from storage.files.upload_store import Upload, UploadStore
from storage.jobs.queue_order import Place
from storage.jobs.reports import Started
from storage.ledger import audit_origin
from storage.ledger.database import Ledger
from storage.maintenance.orphans import Swept
from storage.remote.clip_offers import ClipOffers
from storage.remote.service_tokens import RotatingSecret, operator_secret
from storage.remote.worker_registry import Workers
from storage.search.search_index import SearchIndex

if TYPE_CHECKING:
    from dashboards.clients.prefect_runs import PrefectRuns

LEDGER_THREADS = 12
BLOCKING_THREADS = 8
PROBE_THREADS = 4


def _nobody() -> None:
    """Do nothing: the app has not started, or a test wants it so."""


@dataclass(slots=True, kw_only=True)
class Context:
    """The parts of one web process.

    `accepting` is how many recordings are being accepted now. `wake_dispatcher` and `wake_reconciler` make those
    run at once; `landings` are complete uploads that are becoming jobs, by `land`; `downloads` are recordings that
    are being got from addresses; `exporting` are exports in progress, by name; `runs` is the Prefect client, once
    it is imported, and `prefect_has_answered` says whether its server did since the start.
    """

    settings: Settings
    ledger: Ledger
    files: Files
    limits: Limits = field(default_factory=Limits)
    workers: Workers = field(default_factory=Workers)
    clip_offers: ClipOffers = field(default_factory=ClipOffers)
    bus: Bus = field(default_factory=Bus)
    doors: Doors = field(default_factory=Doors)
    wake_dispatcher: Callable[[], None] = _nobody
    wake_reconciler: Callable[[], None] = _nobody
    adopt: Callable[[Started], Awaitable[None]] | None = None
    writers: Writers = field(default_factory=Writers)
    paces: Paces = field(default_factory=Paces)
    queue_speed: QueueSpeed = field(default_factory=QueueSpeed)
    answers: Answers = field(default_factory=Answers)
    known_keys: KnownKeys = field(default_factory=KnownKeys)
    lists: Lists = field(default_factory=Lists)
    accepting: int = 0
    landings: dict[str, asyncio.Task[Upload]] = field(default_factory=dict)
    land: Callable[[Upload], Awaitable[Upload]] | None = None
    downloads: dict[str, OwnedTask] = field(default_factory=dict)
    exporting: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    runs: "PrefectRuns | None" = None
    prefect_has_answered: bool = False
    began: float = field(default_factory=time.monotonic)
    background: Background = field(default_factory=Background)
    summary_runs: SummaryRuns = field(default_factory=SummaryRuns)
    gauges: Gauges = field(default_factory=Gauges)
    timings: Timings = field(default_factory=Timings)
    key_requests: KeyRequests = field(default_factory=KeyRequests)
    metrics: ProcessMetrics = field(default_factory=ProcessMetrics)
    backups: BackupState = field(default_factory=BackupState)
    datasets: DatasetState = field(default_factory=DatasetState)
    orphans: Swept = field(default_factory=Swept)
    orphans_looked_at: datetime | None = None
    canary: CanaryState = field(default_factory=CanaryState)
    disks: DiskGuard = field(default_factory=DiskGuard)
    parts: PartGuard = field(default_factory=PartGuard)
    share_visits: ShareVisits = field(default_factory=ShareVisits)
    security: EventWindows = field(default_factory=EventWindows)
    ledger_threads: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(LEDGER_THREADS))
    blocking_threads: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(BLOCKING_THREADS))
    probe_threads: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(PROBE_THREADS))
    shelf: UploadStore = field(init=False)
    direct_parts: DirectParts | None = field(init=False)
    search: SearchIndex = field(init=False)
    operator: RotatingSecret = field(init=False)
    audiences: Audiences = field(init=False)
    provider: Provider = field(init=False)

    def __post_init__(self) -> None:
        self.shelf = UploadStore(self.settings.storage.uploads_dir)
        self.direct_parts = DirectParts.from_settings(self.settings.storage)
        self.search = SearchIndex(self.settings.storage.search_path)
        self.operator = operator_secret(self.settings)
        self.operator.current()  # made now, so that the command line finds it
        self.audiences = Audiences(self.ledger)
        self.provider = Provider(self.settings.oidc)

    def waits_s(self, places: Mapping[str, Place]) -> dict[str, float]:
        """Return in how many seconds each waiting job will be done; see `QueueSpeed.waits_s`."""
        return self.queue_speed.waits_s(places, at_once=max(1, self.workers.slots("cpu")))


_held: list[Context] = []


def current() -> Context:
    """Return the current context.

    Raises:
        RuntimeError: the app has not started, or has stopped.
    """
    if not _held:
        raise RuntimeError("the web process holds no ledger yet; serve dashboards.app, or put one up with context.use")
    return _held[-1]


def is_up() -> bool:
    """Return whether the app has started and not stopped."""
    return bool(_held)


@contextmanager
def use(context: Context) -> Iterator[Context]:
    """Make `context` the current one while the block runs."""
    _held.append(context)
    try:
        with audit_origin.answered_by(page_origin.of_script):
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
