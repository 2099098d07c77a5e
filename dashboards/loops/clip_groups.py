"""Which waiting jobs share a flow run: short recordings, when many of them wait. Pure."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

from storage.domain.records import Job, Lane

MOST_CLIPS = 16
MOST_S = 60.0
"""Seconds of sound in one flow run, so that it takes a slot for no longer than one recording may."""
RUNS_A_SLOT = 2
LEAST_OF_A_BATCH = 4
"""Clips that share a run outside of the interactive lane: nobody waits for one, and a run costs as much as two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How many flow runs may be in flight.

    There may be so many more `jobs`, if that is limited. `runs` and `clip_runs` (those of clips) are in flight, by
    lane. What waits in a later lane takes no room from an earlier one: a batch of long recordings would hold all of it
    for hours. `slots` are those of gpu workers.
    """

    limit: int
    jobs: int | None
    slots: int
    runs: Mapping[Lane, int] = field(default_factory=dict)
    clip_runs: Mapping[Lane, int] = field(default_factory=dict)

    @property
    def most_jobs(self) -> int:
        """How many waiting jobs to look at."""
        most = max(0, self.left(next(iter(Lane)), self.runs)) * MOST_CLIPS
        return most if self.jobs is None else min(most, self.jobs)

    @property
    def full(self) -> set[Lane]:
        """The lanes of which nothing may be started."""
        return {lane for lane in Lane if self.left(lane, self.runs) <= 0}

    def left(self, lane: Lane, in_flight: Mapping[Lane, int]) -> int:
        """Return how many more runs of a lane may be in flight beside these."""
        lanes = tuple(Lane)
        return self.limit - sum(in_flight.get(each, 0) for each in lanes[: lanes.index(lane) + 1])

    @property
    def clip_runs_a_lane(self) -> int:
        """How many runs of clips keep the slots busy; they need no more than these."""
        return RUNS_A_SLOT * max(1, self.slots)

    def size_of(self, lane: Lane, waiting: int) -> int:
        """Return how many of the waiting clips of a lane share a run."""
        if lane is Lane.INTERACTIVE:
            return ceil(waiting / self.clip_runs_a_lane)
        return max(LEAST_OF_A_BATCH, ceil(waiting / max(1, self.slots)))


def gathered(jobs: Sequence[Job], room: Room, *, is_clip: Callable[[Job], bool]) -> list[list[Job]]:
    """Return jobs by the flow run that they share, in their order.

    Clips of one lane and model share a run when more of them wait than runs keep the slots busy. Recordings that are no
    clips have a run each.
    """
    clips = {job.id: (job.lane, job.options.model) for job in jobs if is_clip(job)}
    sizes = {kind: room.size_of(kind[0], count) for kind, count in Counter(clips.values()).items()}
    runs: list[list[Job]] = []
    latest: dict[tuple[Lane, str], list[Job]] = {}
    in_flight, of_clips = Counter(room.runs), Counter(room.clip_runs)
    for job in jobs:
        kind = clips.get(job.id)
        if kind is not None and _fits(job, latest.get(kind, ()), sizes[kind]):
            latest[kind].append(job)
        elif room.left(job.lane, in_flight) > 0 and (kind is None or of_clips[job.lane] < room.clip_runs_a_lane):
            runs.append([job])
            in_flight[job.lane] += 1
            if kind is not None:
                latest[kind] = runs[-1]
                of_clips[job.lane] += 1
    return runs


def _fits(clip: Job, group: Sequence[Job], size: int) -> bool:
    length_s = sum(each.duration_s or 0.0 for each in [clip, *group])
    return 0 < len(group) < min(size, MOST_CLIPS) and length_s <= MOST_S
