"""How the web process and its machine are doing, sampled now and then and kept for some hours, in memory."""

import shutil
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil

from storage import jobs
from storage.clock import utc_now
from storage.ledger import Ledger
from storage.records import JobState

EVERY_S = 10.0
KEPT = 2160
"""Six hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One look; shares are 0 to 1 of the machine, `process_bytes` is what the web process itself holds."""

    at: datetime
    cpu: float
    memory: float
    disk: float
    process_bytes: int
    disk_free_bytes: int
    pages: int
    waiting: int
    in_hand: int


class Gauges:
    """The samples of the last hours."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._samples: deque[Sample] = deque(maxlen=KEPT)
        psutil.cpu_percent()  # the first answer is about nothing; the next ones are about the time in between

    def take(self, ledger: Ledger, folder: Path, *, pages: int) -> Sample:
        """Look once, and keep it; `folder` is on the disk that may fill up, `pages` how many are open."""
        with ledger.read() as con:
            counts = jobs.counts(con)
        disk = shutil.disk_usage(folder)
        busy = (JobState.INGESTING, JobState.TRANSCRIBING, JobState.EXPORTING)
        sample = Sample(
            at=utc_now(),
            cpu=psutil.cpu_percent() / 100,
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
