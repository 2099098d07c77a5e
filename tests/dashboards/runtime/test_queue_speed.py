"""When a waiting recording will be done, estimated from measured speed."""

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, Self
from uuid import uuid4

import pytest

from dashboards.clients.prefect_runs import CLIP_S
from dashboards.loops.clip_groups import MOST_S
from dashboards.runtime.eta import QueueSpeed
from flows.worker.run_slots import RunSlots
from storage.domain.deployments import run_tags
from storage.domain.records import Job, JobState, Lane
from storage.jobs.queue_order import Place
from tests.dashboards.desk import Desk

SLOTS, AT_ONCE, SPAN_S, SPEED = 3, 4, 60.0, 12.0


@dataclass(kw_only=True)
class Run:
    """A flow run of the gpu pool with its recordings and their seconds, as `RunSlots` sees it."""

    parts: list[tuple[str, float]]
    flow_run: Any
    work_queue_id: str = "interactive"

    @classmethod
    def of(cls, jobs: Sequence[Job], lengths_s: Sequence[float]) -> Self:
        tags = run_tags(jobs, "f", are_clips=_is_clip(jobs[0]))
        parts = [(job.id, length_s) for job, length_s in zip(jobs, lengths_s, strict=True)]
        return cls(parts=parts, flow_run=SimpleNamespace(id=uuid4(), tags=tags))


class Simulated:
    """A queue of two people's recordings whose spans are transcribed by some slots, on a clock of its own.

    Some recordings are cut at a time, and each has a few spans in line. Clips share runs.
    """

    def __init__(self, template: Job, lengths_s: Sequence[float], chance: random.Random) -> None:
        self.now, self.chance = 0.0, chance
        self.speed = QueueSpeed(lambda: self.now)
        self.slots: Any = RunSlots(SLOTS, transcribes=True)
        self.waiting: dict[str, Job] = {}
        for number, length in enumerate(lengths_s):
            lengths: dict[str, Any] = {"duration_s": length, "speech_s": length, "read_s": length}
            job = replace(template, id=f"{number}", owner_id=chance.choice(["ada", "ben"]), done_s=0.0, **lengths)
            self.waiting[job.id] = job
        self.open: dict[str, Job] = {}
        self.uncut: dict[str, deque[float]] = {}
        self.due: list[Run] = []
        self.busy: list[tuple[float, Run]] = []
        self.clip_runs = 0
        self.estimates: list[tuple[str, float, float]] = []
        self.ended: dict[str, float] = {}

    def run(self) -> None:
        while self.waiting or self.open:
            self._hand_out()
            for run in self.slots.chosen(self.due, [run.flow_run.id for _, run in self.busy]):
                self.due.remove(run)
                self._go_on(run)
            self.now, run = min(self.busy, key=lambda each: each[0])
            self.busy.remove((self.now, run))
            job_id, length_s = run.parts.pop(0)
            is_clip = _is_clip(self.open[job_id])
            self._heard(job_id, length_s)
            if run.parts:
                self._go_on(run)
            else:
                self.clip_runs -= is_clip

    def _go_on(self, run: Run) -> None:
        _, length_s = run.parts[0]
        self.busy.append((self.now + length_s / SPEED * self.chance.uniform(0.7, 1.4) + 0.1, run))

    def _hand_out(self) -> None:
        clips = deque(job for job in self.waiting.values() if _is_clip(job))
        while clips and self.clip_runs < 2 * SLOTS:
            together = [clips.popleft()]
            while clips and sum(_length(job) for job in (*together, clips[0])) <= MOST_S:
                together.append(clips.popleft())
            self.due.append(Run.of([self._start(job) for job in together], [_length(job) for job in together]))
            self.clip_runs += 1
        for job in list(self.waiting.values()):
            if not _is_clip(job) and sum(not _is_clip(each) for each in self.open.values()) < AT_ONCE:
                self._start(job)
                whole, rest_s = divmod(_length(job), SPAN_S)
                self.uncut[job.id] = deque([SPAN_S] * int(whole) + [rest_s])
                for _ in range(2 * SLOTS):
                    self._cut(job.id)

    def _start(self, job: Job) -> Job:
        started = self.open[job.id] = replace(self.waiting.pop(job.id), state=JobState.TRANSCRIBING, flow_run_id="run")
        self.speed.note(started)
        return started

    def _cut(self, job_id: str) -> None:
        if self.uncut.get(job_id):
            self.due.append(Run.of([self.open[job_id]], [self.uncut[job_id].popleft()]))

    def _heard(self, job_id: str, length_s: float) -> None:
        job = self.open[job_id] = replace(self.open[job_id], done_s=self.open[job_id].done_s + length_s)
        self._cut(job_id)
        if job.done_s >= _length(job) - 0.01:
            self.ended[job_id] = self.now
            job = replace(self.open.pop(job_id), state=JobState.COMPLETED)
            self._estimate_all()
        self.speed.note(job)

    def _estimate_all(self) -> None:
        waits_s = self.speed.waits_s(places_of(list(self.waiting.values())), at_once=AT_ONCE)
        self.estimates += [(job_id, self.now, wait_s) for job_id, wait_s in waits_s.items()]


def _length(job: Job) -> float:
    return job.duration_s or 0.0


def _is_clip(job: Job) -> bool:
    return _length(job) <= CLIP_S


def places_of(jobs: Sequence[Job]) -> dict[str, Place]:
    return {
        job.id: Place(number=number, owner_id=job.owner_id, lane=job.lane, audio_s=_length(job))
        for number, job in enumerate(jobs)
    }


@pytest.mark.parametrize("seed", range(5))
def test_nine_estimates_in_ten_are_right_within_a_factor_of_one_and_a_half(desk: Desk, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    lengths_s = [10.0 * 360.0 ** chance.random() for _ in range(80)]  # from 10 seconds to an hour
    lengths_s += [chance.uniform(3, 10) for _ in range(80)]
    chance.shuffle(lengths_s)
    queue = Simulated(desk.job(desk.user()), lengths_s, chance)
    queue.run()
    ratios = [wait_s / (queue.ended[job_id] - at) for job_id, at, wait_s in queue.estimates]
    right = sum(1 / 1.5 <= ratio <= 1.5 for ratio in ratios)
    assert len(ratios) > 1000
    assert right >= 0.9 * len(ratios)


class Measured:
    """A queue whose speed was measured with one recording: 10 seconds of audio a second."""

    def __init__(self, desk: Desk) -> None:
        self.now = 0.0
        self.speed = QueueSpeed(lambda: self.now)
        self._template = desk.job(desk.user())
        first = self.job("first", 600.0, done_s=0.0)
        for self.now in range(0, 61, 5):
            self.speed.note(replace(first, done_s=10.0 * self.now))
        self.speed.note(replace(first, done_s=600.0, state=JobState.COMPLETED))

    def job(self, job_id: str, length_s: float, **fields: Any) -> Job:
        lengths: dict[str, Any] = {"duration_s": length_s, "speech_s": length_s, "read_s": length_s}
        under_way: dict[str, Any] = {"state": JobState.TRANSCRIBING, "flow_run_id": "run"} if "done_s" in fields else {}
        return replace(self._template, id=job_id, **lengths | under_way | fields)

    def waits_s(self, *jobs: Job, at_once: int = 2) -> dict[str, Any]:
        found = self.speed.waits_s(places_of(jobs), at_once=at_once)
        return {job_id: pytest.approx(wait_s) for job_id, wait_s in found.items()}


def test_clips_do_not_wait_for_long_recordings(desk: Desk) -> None:
    queue = Measured(desk)
    queue.speed.note(queue.job("long", 1000.0, done_s=0.0))
    told = queue.waits_s(queue.job("clip", 20.0), queue.job("another", 30.0), queue.job("next", 500.0))
    assert told == {"clip": 20 / (10 / 2), "another": 50 / (10 / 2), "next": 105.0}


def test_people_are_served_in_turn(desk: Desk) -> None:
    queue = Measured(desk)
    for number in range(3):
        queue.speed.note(queue.job(f"long {number}", 1000.0, done_s=0.0, owner_id="ada"))
    assert queue.waits_s(queue.job("talk", 90.0, owner_id="ben"), at_once=4) == {"talk": 90 / (10 / 2)}
    assert queue.waits_s(queue.job("talk", 90.0, owner_id="ada"), at_once=4) == {"talk": 90 / (10 / 4)}


def test_recordings_that_are_under_way_together_get_on_equally_fast(desk: Desk) -> None:
    queue = Measured(desk)
    for each in (queue.job("half", 1000.0, done_s=500.0), queue.job("all", 900.0, done_s=0.0)):
        queue.speed.note(each)
    told = queue.waits_s(queue.job("third", 100.0), queue.job("fourth", 400.0))
    assert told == {"third": 120.0, "fourth": 190.0}  # "half" ends after 100 s, "all" with the last one after 190 s


def test_a_batch_waits_for_all_that_is_interactive(desk: Desk) -> None:
    queue = Measured(desk)
    queue.speed.note(queue.job("batch", 200.0, done_s=0.0, lane=Lane.BATCH))
    told = queue.waits_s(queue.job("mine", 100.0), queue.job("files", 200.0, lane=Lane.BATCH))
    assert told == {"mine": 10.0, "files": 50.0}


def test_an_idle_night_makes_nobody_slow(desk: Desk) -> None:
    queue = Measured(desk)
    before = queue.waits_s(queue.job("next", 100.0))
    queue.now += 40_000.0
    assert queue.waits_s(queue.job("next", 100.0)) == before == {"next": 10.0}


def test_nothing_is_said_before_a_speed_was_measured(desk: Desk) -> None:
    now = 0.0
    speed = QueueSpeed(lambda: now)
    lengths: dict[str, Any] = {"duration_s": 200.0, "speech_s": 200.0, "read_s": 200.0}
    job = replace(desk.job(desk.user()), state=JobState.TRANSCRIBING, flow_run_id="run", **lengths)
    waiting = {"next": Place(number=0, owner_id="ada", lane=Lane.INTERACTIVE, audio_s=100.0)}
    for at, done_s in ((0.0, 0.0), (5.0, 10.0), (15.0, 60.0)):
        now = at
        speed.note(replace(job, done_s=done_s))
        assert speed.waits_s(waiting, at_once=1) == {}
    now = 20.0
    speed.note(replace(job, done_s=85.0))
    assert speed.waits_s(waiting, at_once=1) == {"next": (200.0 - 85.0 + 100.0) / 7.5}  # the beginning does not count
