"""Samples the load of the web process and its machine, kept for hours."""

import shutil
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil

from storage.domain.clock import utc_now
from storage.domain.records import JobState
from storage.jobs import job_store
from storage.ledger.database import Ledger

EVERY_S = 10.0
KEPT = 2160
"""The number of samples kept: six hours."""
COUNTED_TWICE = ("guest", "guest_nice")
"""Times of virtual machines, which Linux counts as `user` and `nice`, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One sample; shares are 0 to 1 of the machine, `process_bytes` the web process's memory."""

    at: datetime
    cpu: float
    memory: float
    disk: float
    process_bytes: int
    disk_free_bytes: int
    pages: int
    waiting: int
    in_hand: int


class ProcessorMeter:
    """Measures how busy the machine's processors were since the last reading.

    `psutil.cpu_percent` remembers readings by thread, and returns 0 in a thread that has none: in a pool, that is many.
    """

    def __init__(self) -> None:
        self._last = psutil.cpu_times()

    def busy_share(self) -> float:
        """Return the busy share of the processors' time, 0 to 1."""
        now = psutil.cpu_times()
        spent = {name: after - before for name, after, before in zip(now._fields, now, self._last, strict=True)}
        self._last = now
        whole = sum(spent.values()) - sum(spent.get(name, 0.0) for name in COUNTED_TWICE)
        idle = spent["idle"] + spent.get("iowait", 0.0)
        return min(1.0, max(0.0, 1 - idle / whole)) if whole > 0 else 0.0


class Gauges:
    """The samples of the last hours."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._samples: deque[Sample] = deque(maxlen=KEPT)
        self._processors = ProcessorMeter()

    def take(self, ledger: Ledger, folder: Path, *, pages: int) -> Sample:
        """Take a sample of the machine, the disk of `folder`, and open `pages`."""
        with ledger.read() as con:
            counts = job_store.counts(con)
        disk = shutil.disk_usage(folder)
        busy = (JobState.INGESTING, JobState.TRANSCRIBING, JobState.EXPORTING)
        sample = Sample(
            at=utc_now(),
            cpu=self._processors.busy_share(),
            memory=psutil.virtual_memory().percent / 100,
            disk=disk.used / disk.total,
            process_bytes=self._process.memory_info().rss,
            disk_free_bytes=disk.free,
            pages=pages,
            waiting=counts[JobState.QUEUED],
            in_hand=sum(counts[state] for state in busy),
        )
        self._samples.append(sample)
        return sample

    def all(self) -> list[Sample]:
        """Return the samples, oldest first."""
        return list(self._samples)
