"""What the flow runs of one resident process share: settings, storage, the way to the ledger, engines, cancel flags.

A process that nobody made resident (a plain `python`, Prefect's own process worker) gets one when it first asks.
"""

import asyncio
import socket
import threading
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from storage.reports import Reporter
from storage.settings import Settings

if TYPE_CHECKING:
    from flows.engines import Engines
    from storage.files import Files

T = TypeVar("T")


class CancelFlag:
    """Raised once by the event loop, looked at by it and by engine threads."""

    def __init__(self) -> None:
        self._for_threads = threading.Event()
        self._for_loop = asyncio.Event()

    def raise_(self) -> None:
        self._for_threads.set()
        self._for_loop.set()

    def is_raised(self) -> bool:
        return self._for_threads.is_set()

    async def wait(self) -> None:
        await self._for_loop.wait()


class Resident:
    """The process as its flow runs see it; `may_hear` is false on the cpu pool, where no engine is ever loaded."""

    def __init__(self, *, name: str, device: str = "cpu", may_hear: bool = True) -> None:
        self.name, self.device, self.may_hear = name, device, may_hear
        self.settings = Settings()
        self.engines: Engines | None = None
        self._flags: dict[UUID, CancelFlag] = {}
        self._lock = threading.Lock()

    @cached_property
    def files(self) -> "Files":
        from storage.files import Files

        return Files.from_settings(self.settings.storage)

    @cached_property
    def reporter(self) -> Reporter:
        from storage.client import HttpReporter
        from storage.tokens import worker_token

        return HttpReporter(self.settings.web.base_url, worker_token(self.settings))

    def hearing(self) -> "Engines":
        """Return this process's engines.

        Raises:
            RuntimeError: the process serves the cpu pool.
        """
        from flows.engines import Engines

        if not self.may_hear:
            raise RuntimeError("a worker of the cpu pool loads no engine; send transcribe-span to the gpu pool")
        with self._lock:
            if self.engines is None:
                self.engines = Engines(self.settings, device=self.device)
            return self.engines

    def flag(self, flow_run_id: UUID) -> CancelFlag:
        return self._flags.setdefault(flow_run_id, CancelFlag())

    def forget(self, flow_run_id: UUID) -> None:
        self._flags.pop(flow_run_id, None)


_current: Resident | None = None


def install(resident: Resident) -> None:
    """Make `resident` the one that flow runs in this process find."""
    global _current  # noqa: PLW0603 - one a process, by its nature
    _current = resident


def current() -> Resident:
    if _current is not None:
        return _current
    made = Resident(name=f"process@{socket.gethostname()}")
    install(made)
    return made


async def in_thread(work: Callable[[], T]) -> T:
    """Run blocking `work` beside the event loop, so that the process's other flow runs go on."""
    return await asyncio.to_thread(work)
