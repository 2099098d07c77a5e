"""Estimates the remaining time of running and of waiting jobs from measured speed."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from storage.domain.records import Job, JobState
from storage.jobs.queue_order import UNKNOWN_S

ENOUGH_S = 3.0
WINDOW_S = 60.0
QUEUE_WINDOW_S = 300.0
QUEUE_ENOUGH_S = 10.0
"""A speed that was measured for less than this says nothing yet."""


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


class QueueSpeed:
    """Seconds of audio a second, of all recordings that are under way; thread-safe.

    Time in which nothing was under way does not count.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._under_way: dict[str, tuple[float, float]] = {}  # how many seconds of audio are done, of how many
        self._gains: deque[tuple[float, float]] = deque()
        self._busy_since: float | None = None
        self._known: float | None = None

    def note(self, job: Job) -> None:
        """Record how far a job is."""
        now, whole_s = self._clock(), job.duration_s or UNKNOWN_S
        is_waiting = job.state is JobState.QUEUED and job.flow_run_id is None
        with self._lock:
            before_s, _ = self._under_way.pop(job.id, (0.0, whole_s))
            done_s = whole_s * job.progress
            if not job.state.finished and not is_waiting:
                if not self._under_way and self._busy_since is None:
                    self._busy_since = now
                self._under_way[job.id] = done_s, whole_s
            if self._busy_since is not None and done_s > before_s and job.state is not JobState.CANCELLED:
                self._gains.append((now, done_s - before_s))
            if not self._under_way:
                self._rest(now)

    def _rest(self, now: float) -> None:
        """Keep the speed for the next busy time."""
        self._measure(now)
        self._busy_since = None
        self._gains.clear()

    def _measure(self, now: float) -> float | None:
        if self._busy_since is None:
            return self._known
        since = max(self._busy_since, now - QUEUE_WINDOW_S)
        while self._gains and self._gains[0][0] < since:
            self._gains.popleft()
        if now - since >= QUEUE_ENOUGH_S and self._gains:
            self._known = sum(gain for _, gain in self._gains) / (now - since)
        return self._known

    def wait_s(self, through_s: float) -> float | None:
        """Return when a waiting recording will be done, in seconds from now.

        It is None while the speed is unknown. `through_s` is the audio of those before it and its own.
        """
        with self._lock:
            speed = self._measure(self._clock())
            left_s = sum(whole_s - done_s for done_s, whole_s in self._under_way.values())
        return (left_s + through_s) / speed if speed else None
