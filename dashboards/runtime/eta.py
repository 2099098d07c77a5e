"""Estimates the remaining time of running jobs from their measured speed."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from storage.domain.records import Job, JobState

ENOUGH_S = 3.0
WINDOW_S = 60.0


@dataclass(slots=True)
class _Pace:
    attempt: int
    began: tuple[float, float]  # when, and how many seconds of speech were transcribed then
    last: tuple[float, float]
    next_began: tuple[float, float]


class Paces:
    """The recent transcription speed of each running job; thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._paces: dict[str, _Pace] = {}

    def note(self, job: Job, *, now: float | None = None) -> None:
        """Record a job's progress; forget it when transcription ends."""
        point = (self._clock() if now is None else now, job.done_s)
        with self._lock:
            if job.state is not JobState.TRANSCRIBING:
                self._paces.pop(job.id, None)
                return
            pace = self._paces.get(job.id)
            if pace is None or pace.attempt != job.attempt or job.done_s < pace.last[1]:
                self._paces[job.id] = _Pace(job.attempt, point, point, point)
                return
            if job.done_s > pace.last[1]:
                pace.last = point
            if point[0] - pace.next_began[0] > WINDOW_S:
                pace.began, pace.next_began = pace.next_began, point

    def left_s(self, job: Job, *, now: float | None = None) -> float | None:
        """Return the remaining seconds of a job's transcription, or None if unknown."""
        with self._lock:
            pace = self._paces.get(job.id)
        whole_s = job.expected_speech_s
        if pace is None or not whole_s:
            return None
        took_s, heard_s = pace.last[0] - pace.began[0], pace.last[1] - pace.began[1]
        if took_s < ENOUGH_S or heard_s <= 0:
            return None
        since_s = (self._clock() if now is None else now) - pace.last[0]
        return max(0.0, (whole_s - job.done_s) * took_s / heard_s - since_s)
