"""Estimates the remaining time of running and of waiting jobs from measured speed."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from dashboards.clients.prefect_runs import CLIP_S
from storage.domain.records import Job, JobState, Lane
from storage.jobs.queue_order import UNKNOWN_S, Place

ENOUGH_S = 3.0
WINDOW_S = 60.0
QUEUE_WINDOW_S = 60.0
START_S, QUEUE_ENOUGH_S = 10.0, 10.0
"""Neither the first seconds of a busy time tell its speed, nor do a few seconds after them."""
ROUNDING_S = 1e-6
CLIPS = "clips"


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
        """Return the remaining seconds of a job's transcription, or None if unknown.

        It is unknown where nothing has come for longer than that: others may have gone before.
        """
        with self._lock:
            pace = self._paces.get(job.id)
        whole_s = job.expected_speech_s
        if pace is None or not whole_s:
            return None
        took_s, heard_s = pace.last[0] - pace.began[0], pace.last[1] - pace.began[1]
        if took_s < ENOUGH_S or heard_s <= 0:
            return None
        since_s = (self._clock() if now is None else now) - pace.last[0]
        left_s = (whole_s - job.done_s) * took_s / heard_s - since_s
        return left_s if left_s > 0 else None


@dataclass(slots=True)
class _WorkLeft:
    """What is left of a recording, in seconds of audio, and whose turn it has."""

    job_id: str
    whose: str
    left_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _UnderWay:
    owner_id: str
    lane: Lane
    done_s: float
    whole_s: float
    is_begun: bool


class QueueSpeed:
    """Measures the speed of the queue, and foretells when recordings end; thread-safe.

    Time in which nothing was under way does not count, nor do the first seconds after it, when spans are still being
    cut.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._under_way: dict[str, _UnderWay] = {}
        self._gains: deque[tuple[float, float]] = deque()  # when, and how many seconds of audio
        self._busy_since: float | None = None
        self._known: float | None = None

    def note(self, job: Job) -> None:
        """Record how far a job is."""
        now, whole_s = self._clock(), job.duration_s or UNKNOWN_S
        is_waiting = job.state is JobState.QUEUED and job.flow_run_id is None
        done_s = whole_s * job.progress
        with self._lock:
            before = self._under_way.pop(job.id, None)
            gain_s = done_s - (before.done_s if before else 0.0)
            if not job.state.finished and not is_waiting:
                if not self._under_way and self._busy_since is None:
                    self._busy_since = now
                is_begun = job.state is not JobState.QUEUED
                self._under_way[job.id] = _UnderWay(
                    owner_id=job.owner_id, lane=job.lane, done_s=done_s, whole_s=whole_s, is_begun=is_begun
                )
            if self._busy_since is not None and gain_s > 0 and job.state is not JobState.CANCELLED:
                self._gains.append((now, gain_s))
            if not self._under_way:
                self._rest(now)

    def _rest(self, now: float) -> None:
        """Keep the speed for the next busy time."""
        self._measure(now)
        self._busy_since = None
        self._gains.clear()

    def _measure(self, now: float) -> float | None:
        """Return how many seconds of audio are transcribed in a second."""
        if self._busy_since is None:
            return self._known
        since = max(self._busy_since + START_S, now - QUEUE_WINDOW_S)
        while self._gains and self._gains[0][0] <= since:
            self._gains.popleft()
        if now - since >= QUEUE_ENOUGH_S and self._gains:
            self._known = sum(gain_s for _, gain_s in self._gains) / (now - since)
        return self._known

    def waits_s(self, places: Mapping[str, Place], *, at_once: int) -> dict[str, float]:
        """Return in how many seconds each waiting recording will be done.

        It is empty while the speed is unknown. `places` are in the order of the queue. So many recordings are
        processed `at_once`, clips aside.
        """
        with self._lock:
            speed, under_way = self._measure(self._clock()), dict(self._under_way)
        if speed is None:
            return {}
        ends_s: dict[str, float] = {}
        for lane in Lane:
            line = Line(speed, at_once, began_s=max(ends_s.values(), default=0.0))
            for job_id, each in sorted(under_way.items(), key=lambda item: not item[1].is_begun):
                if each.lane is lane:
                    line.add(job_id, each.owner_id, each.whole_s - each.done_s, is_clip=each.whole_s <= CLIP_S)
            for job_id, place in places.items():
                if place.lane is lane and job_id not in under_way:
                    line.add(job_id, place.owner_id, place.audio_s, is_clip=place.audio_s <= CLIP_S)
            ends_s |= line.ends_s()
        return {job_id: end_s for job_id, end_s in ends_s.items() if job_id not in under_way}


class Line:
    """The recordings of one lane, from which people are served in turn, as workers do.

    Clips come one after the other, and have a turn as a person does. Of longer recordings some are under way at once,
    whoever's they are; those of one person get on equally fast.
    """

    def __init__(self, speed: float, at_once: int, *, began_s: float) -> None:
        self._speed, self._at_once, self._now_s = speed, at_once, began_s
        self._clips: deque[_WorkLeft] = deque()
        self._recordings: deque[_WorkLeft] = deque()
        self._begun: list[_WorkLeft] = []

    def add(self, job_id: str, owner_id: str, left_s: float, *, is_clip: bool) -> None:
        """Add a recording behind the others."""
        if is_clip:
            self._clips.append(_WorkLeft(job_id, CLIPS, left_s))
        else:
            self._recordings.append(_WorkLeft(job_id, owner_id, left_s))

    def ends_s(self) -> dict[str, float]:
        """Return when each recording ends."""
        found: dict[str, float] = {}
        while served := self._served():
            sharing = Counter(work.whose for work in served)
            speeds = [self._speed / len(sharing) / sharing[work.whose] for work in served]
            step_s = min(work.left_s / speed for work, speed in zip(served, speeds, strict=True))
            self._now_s += step_s
            for work, speed in zip(served, speeds, strict=True):
                work.left_s -= step_s * speed
            over = {work.job_id for work in served if work.left_s <= ROUNDING_S}
            found |= dict.fromkeys(over, self._now_s)
            self._forget(over)
        return found

    def _served(self) -> list[_WorkLeft]:
        """Return what is under way now."""
        while self._recordings and len(self._begun) < self._at_once:
            self._begun.append(self._recordings.popleft())
        return [*self._begun, self._clips[0]] if self._clips else self._begun

    def _forget(self, over: Collection[str]) -> None:
        self._begun = [work for work in self._begun if work.job_id not in over]
        if self._clips and self._clips[0].job_id in over:
            self._clips.popleft()
