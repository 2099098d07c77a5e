"""Registry of live workers, their capabilities and wanted models; in memory."""

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.metadata import version as installed
from typing import Literal

from storage.domain.clock import utc_now
from storage.domain.model_names import display_name

ALIVE_FOR = timedelta(seconds=12)
"""A worker is not alive after this long without its 5-second heartbeat; everything says so within 15 s."""
FORGOTTEN_AFTER = timedelta(minutes=10)
"""A silent worker is spoken of for this long."""
HEARD_WITHIN = timedelta(seconds=45)
"""Grace period after a restart, until every live worker has sent a heartbeat."""
SPEAKERS = "kaldi-native-fbank"
"""A worker with this package in its `versions` supports diarization."""
LOST_AFTER = timedelta(seconds=60)
"""A silent worker may still be working; after this long it is considered dead."""

OWN_VERSION = installed("whisper-transcriber")
"""A worker of another version is refused: its flows, reports and names of results may differ."""
SKEWED = timedelta(seconds=10)
"""A worker's clock that differs from ours by more is reported; the time on the network is well below."""


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
    """A worker's heartbeat; `busy` of its `slots` have work.

    `flow_runs` are the ids of its current Prefect flow runs; None if unknown. A `draining` worker finishes them and
    leaves. `free_bytes` is what is free of its device's memory. `spans_per_minute` and `speech_per_s` (seconds of
    speech per second) are over the last minutes. `version` is that of Whisper Transcriber.
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
    version: str = ""
    draining: bool = False
    free_bytes: int | None = None
    spans_per_minute: float | None = None
    speech_per_s: float | None = None


class Workers:
    """The latest heartbeat of each worker, by arrival time (remote clocks are not trusted).

    A worker with a token of its own has the name TOKEN/NAME here, which no other token can have.
    """

    def __init__(self, *, now: datetime | None = None) -> None:
        self._lock = threading.Lock()
        self._listens_since = now or utc_now()
        self._beats: dict[str, tuple[datetime, WorkerBeat]] = {}
        self._wanted: dict[str, datetime] = {}

    def beat(self, beat: WorkerBeat, *, now: datetime | None = None) -> tuple[str, ...]:
        """Record a heartbeat, and return the wanted models that the worker lacks."""
        now = now or utc_now()
        with self._lock:
            self._beats[beat.name] = (now, beat)
            self._beats = {name: kept for name, kept in self._beats.items() if now - kept[0] < FORGOTTEN_AFTER}
            ready = {model.name for model in _models_of(beat) if model.state == "ready"}
            self._wanted = {name: at for name, at in self._wanted.items() if now - at < ALIVE_FOR}
            return tuple(name for name in self._wanted if name not in ready)

    def ages(self, now: datetime) -> list[tuple[WorkerBeat, timedelta]]:
        """Return how long ago each known worker sent its last heartbeat."""
        with self._lock:
            return [(beat, max(timedelta(0), now - at)) for at, beat in self._beats.values()]

    def gone(self, name: str) -> None:
        """Remove a worker that signed off."""
        with self._lock:
            self._beats.pop(name, None)

    def want(self, model: str, *, now: datetime | None = None) -> None:
        """Ask workers to download a model; repeated while a job waits for it."""
        with self._lock:
            self._wanted[model] = now or utc_now()

    def alive(self, now: datetime | None = None, *, pool: str | None = None) -> list[WorkerBeat]:
        """Return the workers with a recent heartbeat, by name."""
        now = now or utc_now()
        with self._lock:
            kept = sorted(self._beats.items())
        return [beat for _, (at, beat) in kept if now - at < ALIVE_FOR and (pool is None or beat.pool == pool)]

    def silent(self, now: datetime | None = None) -> list[WorkerBeat]:
        """Return the workers that neither sent a recent heartbeat nor signed off, by name."""
        now = now or utc_now()
        with self._lock:
            kept = sorted(self._beats.items())
        return [beat for _, (at, beat) in kept if ALIVE_FOR <= now - at < FORGOTTEN_AFTER]

    def skewed(self, now: datetime | None = None) -> list[tuple[WorkerBeat, timedelta]]:
        """Return the live workers with a wrong clock, and how far ahead it is."""
        now = now or utc_now()
        with self._lock:
            kept = sorted(self._beats.items())
        found = [(beat, beat.sent_at - at) for _, (at, beat) in kept if now - at < ALIVE_FOR]
        return [(beat, ahead) for beat, ahead in found if abs(ahead) >= SKEWED]

    def heard_at(self, name: str) -> datetime | None:
        """Return when a worker's last heartbeat arrived, by our clock."""
        with self._lock:
            return self._beats[name][0] if name in self._beats else None

    def in_hand(self, now: datetime | None = None) -> set[str] | None:
        """Return the flow runs that workers are executing, or None if that is unknown.

        It is unknown while a worker may not have reported yet, or if one does not report them. A worker that fell
        silent without signing off counts with its last report, until it has been silent for `LOST_AFTER`.
        """
        now = now or utc_now()
        with self._lock:
            beats = [beat for at, beat in self._beats.values() if now - at < LOST_AFTER]
        if not beats or now - self._listens_since < HEARD_WITHIN or any(beat.flow_runs is None for beat in beats):
            return None
        return {run for beat in beats for run in beat.flow_runs or ()}

    def slots(self, pool: str, now: datetime | None = None) -> int:
        """Return how many flow runs a pool's workers run; draining ones take no more."""
        return sum(beat.slots for beat in self.alive(now, pool=pool) if not beat.draining)

    def ready_for(self, fingerprint: str, now: datetime | None = None) -> list[str]:
        """Return the names of the gpu workers that take runs and have this model.

        Those with a free slot come first, and the faster ones of them; a full one may have got one since it said so.
        """
        takes_runs = [beat for beat in self.alive(now, pool="gpu") if beat.slots and not beat.draining]
        ready = [beat for beat in takes_runs if any(_is_ready(model, fingerprint) for model in _models_of(beat))]
        ready.sort(key=lambda beat: (beat.busy >= beat.slots, -(beat.speech_per_s or 0.0)))
        return [beat.name for beat in ready]

    def default_model(self, now: datetime | None = None) -> ModelState | None:
        """Return the default model: a ready one before one that is still downloading."""
        states = [beat.default_model for beat in self.alive(now) if beat.default_model]
        order = ("ready", "downloading", "failed")
        return min(states, key=lambda model: order.index(model.state), default=None)

    def tell_speakers_apart(self, now: datetime | None = None) -> bool:
        """Return whether a worker supports diarization."""
        return any(SPEAKERS in beat.versions for beat in self.alive(now))

    def has(self, model: str, now: datetime | None = None) -> ModelState | None:
        """Return a model's best state: ready, else downloading, else failed, else None.

        A model in a folder is found by its path, or by its name, which is what readers and programs are shown.
        """
        reported = [state for beat in self.alive(now) for state in _models_of(beat)]
        states = [state for state in reported if state.name == model]
        states = states or [state for state in reported if display_name(state.name) == model]
        order = ("ready", "downloading", "failed")
        return min(states, key=lambda state: order.index(state.state), default=None)


def own_name(name: str) -> str:
    """Return what a worker calls itself, and Prefect calls it: its name without its token's."""
    return name.rpartition("/")[2]


def _is_ready(model: ModelState, fingerprint: str) -> bool:
    return model.state == "ready" and model.fingerprint == fingerprint


def _models_of(beat: WorkerBeat) -> tuple[ModelState, ...]:
    return (*beat.models, beat.default_model) if beat.default_model else beat.models
