"""State shared by the flow runs of one process: settings, storage, reporter, engines, cancel flags.

A process that is not resident (a plain `python`, Prefect's own process worker) creates it on first use.
"""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from uuid import UUID
from weakref import WeakValueDictionary

from flows.runs.right_of_way import RightOfWay
from storage.domain.deployments import Deployment
from storage.domain.settings import Settings
from storage.jobs.reports import Reporter

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

    from flows.runs.engine_pool import EnginePool
    from storage.domain.records import Job
    from storage.files.file_store import Files

T = TypeVar("T")

HeadStart = Callable[["Resident", "FlowRun"], Awaitable[Any]]
HEAD_STARTS: dict[str, HeadStart] = {}
"""By flow name: work that begins once this process has the run, while Prefect records that it begins."""


MOST_AHEAD = 16
"""Clips begun before their flow runs that one process remembers; of more, the oldest have run elsewhere."""


class CancelFlag:
    """Raised once by the event loop; read by it and by engine threads."""

    def __init__(self) -> None:
        self._for_threads = threading.Event()
        self._for_loop = asyncio.Event()
        self._others: list[CancelFlag] = []

    def raise_(self) -> None:
        self._for_threads.set()
        self._for_loop.set()
        for other in self._others:
            other.raise_()

    def also_raise(self, other: "CancelFlag") -> None:
        """Raise another flag with this one."""
        self._others.append(other)
        if self.is_raised():
            other.raise_()

    def is_raised(self) -> bool:
        return self._for_threads.is_set()

    async def wait(self) -> None:
        await self._for_loop.wait()


class NamedLocks:
    """Locks by name for tasks of one event loop.

    There is one for each result that is being made, for instance.
    """

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, name: str) -> asyncio.Lock:
        return self._locks.setdefault(name, asyncio.Lock())


class BegunClip(Protocol):
    """A clip that was begun before its flow run was here; see `clip_ahead`."""

    job: "Job"
    flag: CancelFlag
    made: set[int]
    """The spans whose results were made for this clip, and not found."""


class ClipsAhead:
    """The clips that this process began before their flow runs were here."""

    def __init__(self) -> None:
        self._begun: dict[str, BegunClip] = {}
        self._working: set[asyncio.Task[None]] = set()  # asyncio itself keeps no task alive

    def keep(self, clip: BegunClip, work: asyncio.Task[None]) -> None:
        self._working.add(work)
        work.add_done_callback(self._working.discard)
        self._begun[clip.job.id] = clip
        for job_id in list(self._begun)[:-MOST_AHEAD]:
            del self._begun[job_id]

    def of(self, job_id: str) -> BegunClip | None:
        return self._begun.get(job_id)

    @contextmanager
    def continued(self, job_id: str, flag: CancelFlag) -> Iterator[None]:
        """Run the clip's attempt in the block.

        Its flag and its end stop what was begun.
        """
        if begun := self.of(job_id):
            flag.also_raise(begun.flag)
        try:
            yield
        finally:
            if begun := self._begun.pop(job_id, None):
                begun.flag.raise_()


class Resident:
    """The shared state of one process; `loads_engines` is false on the cpu pool.

    So many spans go on at once as there are `slots`; None is no limit.
    """

    def __init__(self, *, name: str, device: str = "cpu", loads_engines: bool = True, slots: int | None = None) -> None:
        self.name, self.device, self.loads_engines = name, device, loads_engines
        self.right_of_way = RightOfWay(slots)
        self.settings = Settings()
        self.engines: EnginePool | None = None
        self.on_transcribed: Callable[[float], None] = lambda _: None  # receives a span's seconds of speech
        self.on_engine_free: Callable[[UUID], None] = lambda _: None  # receives the run that needs the engine no more
        self.locks, self.ahead = NamedLocks(), ClipsAhead()
        self._flags: dict[UUID, CancelFlag] = {}
        self._head_starts: dict[UUID, asyncio.Task[Any]] = {}
        self._lock = threading.Lock()

    @cached_property
    def files(self) -> "Files":
        from storage.files.file_store import Files

        return Files.from_settings(self.settings.storage)

    @cached_property
    def reporter(self) -> Reporter:
        from storage.remote.service_tokens import worker_secret
        from storage.remote.web_client import HttpReporter

        return HttpReporter(self.settings.web.base_url, worker_secret(self.settings).current)

    def engine_pool(self) -> "EnginePool":
        """Return this process's engines.

        Raises:
            RuntimeError: the process serves the cpu pool.
        """
        from flows.runs.engine_pool import EnginePool

        if not self.loads_engines:
            raise RuntimeError(
                f"a worker of the cpu pool loads no engine; send {Deployment.TRANSCRIBE_SPAN} to the gpu pool"
            )
        with self._lock:
            if self.engines is None:
                self.engines = EnginePool(self.settings, device=self.device)
            return self.engines

    def flag(self, flow_run_id: UUID) -> CancelFlag:
        return self._flags.setdefault(flow_run_id, CancelFlag())

    def begin_ahead(self, flow_run: "FlowRun", flow_name: str) -> None:
        """Begin the work of a run whose flow has a head start."""
        if (head_start := HEAD_STARTS.get(flow_name)) is not None:
            self._head_starts[flow_run.id] = asyncio.ensure_future(head_start(self, flow_run))

    def begun_ahead(self, flow_run_id: UUID) -> asyncio.Task[Any] | None:
        return self._head_starts.get(flow_run_id)

    def forget(self, flow_run_id: UUID) -> None:
        if (begun := self._head_starts.pop(flow_run_id, None)) is not None and not begun.done():
            self.flag(flow_run_id).raise_()  # Prefect refused the run
            begun.cancel()
        self._flags.pop(flow_run_id, None)


_current: Resident | None = None


def install(resident: Resident) -> None:
    """Make `resident` the state that flow runs in this process use."""
    global _current  # noqa: PLW0603 - one per process, by nature
    _current = resident


def current() -> Resident:
    if _current is not None:
        return _current
    state = Resident(name=f"process@{socket.gethostname()}")
    install(state)
    return state


async def in_thread(work: Callable[[], T]) -> T:
    """Run blocking `work` in a thread, so that other flow runs of the process continue."""
    return await asyncio.to_thread(work)
