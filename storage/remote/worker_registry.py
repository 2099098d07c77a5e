"""Which workers are there, what they can do, and which models they should fetch; in the web process's memory."""

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from storage.clock import utc_now

ALIVE_FOR = timedelta(seconds=20)
"""Workers send a beat every 5 seconds; so long after the last one they count as gone."""
HEARD_WITHIN = timedelta(seconds=45)
"""Beats live in memory: so long after its start a web process has heard every worker that can reach it."""
SPEAKERS = "kaldi-native-fbank"
"""A worker whose `versions` name this package can tell speakers apart; it fetches the models when it first does."""
LOST_AFTER = timedelta(seconds=60)
"""A worker that cannot be heard may be at work all the same; so long after its last beat it is taken for dead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelState:
    """A model on a worker's machine; `progress` of its download is 0 to 1."""

    name: str
    fingerprint: str | None
    state: Literal["ready", "downloading", "failed"]
    progress: float | None = None
    warning: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerBeat:
    """What a worker says of itself; `busy` of its `slots` have work.

    `flow_runs` are the ids of the Prefect flow runs that it has in hand; None where it does not say.
    """

    name: str
    pool: str
    host: str
    pid: int
    device: str
    slots: int
    busy: int
    default_model: ModelState | None
    models: tuple[ModelState, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    flow_runs: tuple[str, ...] | None = None
    sent_at: datetime


class Workers:
    """The last beat of each worker, by when it came in (clocks of other machines are not trusted)."""

    def __init__(self, *, now: datetime | None = None) -> None:
        self._lock = threading.Lock()
        self._listens_since = now or utc_now()
        self._beats: dict[str, tuple[datetime, WorkerBeat]] = {}
        self._wanted: dict[str, datetime] = {}

    def beat(self, beat: WorkerBeat, *, now: datetime | None = None) -> tuple[str, ...]:
        """Take a beat in and return the names of models that are wanted and not there yet."""
        now = now or utc_now()
        with self._lock:
            self._beats[beat.name] = (now, beat)
            self._beats = {name: kept for name, kept in self._beats.items() if now - kept[0] < 30 * ALIVE_FOR}
            ready = {model.name for model in _models_of(beat) if model.state == "ready"}
            self._wanted = {name: at for name, at in self._wanted.items() if now - at < ALIVE_FOR}
            return tuple(name for name in self._wanted if name not in ready)

    def gone(self, name: str) -> None:
        """Forget a worker that says good-bye."""
        with self._lock:
            self._beats.pop(name, None)

    def want(self, model: str, *, now: datetime | None = None) -> None:
        """Ask workers to fetch a model; said again while a job waits for it."""
        with self._lock:
            self._wanted[model] = now or utc_now()

    def alive(self, now: datetime | None = None, *, pool: str | None = None) -> list[WorkerBeat]:
        """Return the workers that were heard of lately, by name."""
        now = now or utc_now()
        with self._lock:
            kept = sorted(self._beats.items())
        return [beat for _, (at, beat) in kept if now - at < ALIVE_FOR and (pool is None or beat.pool == pool)]

    def in_hand(self, now: datetime | None = None) -> set[str] | None:
        """Return the flow runs that workers have in hand, or None where that is not known.

        It is not while a worker that nobody has heard yet may be about to say, nor where one does not say. One that
        fell silent without good-bye counts with what it said last, until it has been silent for `LOST_AFTER`.
        """
        now = now or utc_now()
        with self._lock:
            beats = [beat for at, beat in self._beats.values() if now - at < LOST_AFTER]
        if not beats or now - self._listens_since < HEARD_WITHIN or any(beat.flow_runs is None for beat in beats):
            return None
        return {run for beat in beats for run in beat.flow_runs or ()}

    def slots(self, pool: str, now: datetime | None = None) -> int:
        """Return how many flow runs the workers of a pool take at once."""
        return sum(beat.slots for beat in self.alive(now, pool=pool))

    def default_model(self, now: datetime | None = None) -> ModelState | None:
        """Return the model for jobs that name none: one that is ready before one that is still being fetched."""
        states = [beat.default_model for beat in self.alive(now) if beat.default_model]
        order = ("ready", "downloading", "failed")
        return min(states, key=lambda model: order.index(model.state), default=None)

    def tell_speakers_apart(self, now: datetime | None = None) -> bool:
        """Return whether a worker can do what the option `diarize` asks for."""
        return any(SPEAKERS in beat.versions for beat in self.alive(now))

    def has(self, model: str, now: datetime | None = None) -> ModelState | None:
        """Return how it stands with a model: ready somewhere, else being fetched, else failed, else None."""
        states = [state for beat in self.alive(now) for state in _models_of(beat) if state.name == model]
        order = ("ready", "downloading", "failed")
        return min(states, key=lambda state: order.index(state.state), default=None)


def _models_of(beat: WorkerBeat) -> tuple[ModelState, ...]:
    return (*beat.models, beat.default_model) if beat.default_model else beat.models
