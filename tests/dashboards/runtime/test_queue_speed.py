"""When a waiting recording will be done, estimated from measured speed."""

import random
from dataclasses import replace
from typing import Any

import pytest

from dashboards.runtime.eta import QueueSpeed
from storage.domain.records import Job, JobState
from tests.dashboards.desk import Desk

SLOTS, SPAN_S, SPEED = 3, 60.0, 12.0


class Simulated:
    """A queue of recordings whose spans are transcribed in order by some slots, on a clock of its own."""

    def __init__(self, template: Job, lengths_s: list[float], chance: random.Random) -> None:
        self.now, self.chance = 0.0, chance
        self.speed = QueueSpeed(lambda: self.now)
        self.waiting = [
            replace(template, id=f"{number}", duration_s=length, speech_s=length, read_s=length, done_s=0.0)
            for number, length in enumerate(lengths_s)
        ]
        self.open: list[Job] = []
        self.spans: list[tuple[str, float]] = []
        self.estimates: list[tuple[str, float, float]] = []
        self.ended: dict[str, float] = {}

    def run(self) -> None:
        busy: list[tuple[float, str, float]] = []
        while self.waiting or self.open:
            while self.waiting and len(self.open) < 2 * SLOTS:
                self._start(self.waiting.pop(0))
            while self.spans and len(busy) < SLOTS:
                job_id, length_s = self.spans.pop(0)
                busy.append((self.now + length_s / SPEED * self.chance.uniform(0.7, 1.4) + 0.3, job_id, length_s))
            busy.sort()
            self.now, job_id, length_s = busy.pop(0)
            self._heard(job_id, length_s)

    def _start(self, job: Job) -> None:
        started = replace(job, state=JobState.TRANSCRIBING, flow_run_id="run")
        self.open.append(started)
        self.speed.note(started)
        left_s = job.duration_s or 0.0
        while left_s > 0:
            self.spans.append((job.id, min(SPAN_S, left_s)))
            left_s -= SPAN_S

    def _heard(self, job_id: str, length_s: float) -> None:
        place = next(place for place, job in enumerate(self.open) if job.id == job_id)
        job = self.open[place] = replace(self.open[place], done_s=self.open[place].done_s + length_s)
        if job.done_s >= (job.duration_s or 0.0) - 0.01:
            self.ended[job.id] = self.now
            job = replace(self.open.pop(place), state=JobState.COMPLETED)
            self._estimate_all()
        self.speed.note(job)

    def _estimate_all(self) -> None:
        through_s = 0.0
        for job in self.waiting:
            through_s += job.duration_s or 0.0
            wait_s = self.speed.wait_s(through_s)
            if wait_s is not None:
                self.estimates.append((job.id, self.now, wait_s))


@pytest.mark.parametrize("seed", range(5))
def test_nine_estimates_in_ten_are_right_within_a_factor_of_one_and_a_half(desk: Desk, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    lengths_s = [10.0 * 360.0 ** chance.random() for _ in range(80)]  # from 10 seconds to an hour
    queue = Simulated(desk.job(desk.user()), lengths_s, chance)
    queue.run()
    ratios = [wait_s / (queue.ended[job_id] - at) for job_id, at, wait_s in queue.estimates]
    right = sum(1 / 1.5 <= ratio <= 1.5 for ratio in ratios)
    assert len(ratios) > 1000
    assert right >= 0.9 * len(ratios)


def test_an_idle_night_makes_nobody_slow(desk: Desk) -> None:
    now = 0.0
    speed = QueueSpeed(lambda: now)
    assert speed.wait_s(100.0) is None
    length: dict[str, Any] = {"duration_s": 200.0, "speech_s": 100.0, "read_s": 200.0}
    job = replace(desk.job(desk.user()), state=JobState.TRANSCRIBING, flow_run_id="run", **length)
    speed.note(replace(job, done_s=0.0))
    now = 20.0
    speed.note(replace(job, done_s=50.0))
    assert speed.wait_s(100.0) == (100.0 + 100.0) / 5.0
    now = 40.0
    speed.note(replace(job, done_s=100.0, state=JobState.COMPLETED))
    now = 40_000.0
    assert speed.wait_s(100.0) == 100.0 / 5.0
