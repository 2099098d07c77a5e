"""The engines of one resident process: loaded when first borrowed, shared by all its flow runs, unloaded when idle."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from storage.errors import ModelMissing
from storage.settings import Settings
from tasks.choice import resolve
from tasks.devices import DevicePlan
from tasks.engine import Engine, with_less
from tasks.models import Resolved

log = logging.getLogger(__name__)

DIED = "a process died while it heard this"


@dataclass(slots=True)
class _Slot:
    """One model's place: `users` borrow its engine now, a `kept` one stays when idle.

    `usual` is the plan of an engine that was stepped down for the sake of runs that had lost their process.
    """

    engine: Engine | None = None
    users: int = 0
    kept: bool = False
    idle_since: float = 0.0
    usual: DevicePlan | None = None
    loading: threading.Lock = field(default_factory=threading.Lock)


class Engines:
    """Engines on one device, by the model's fingerprint: one whose files are replaced is another model."""

    def __init__(self, settings: Settings, *, device: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._device, self._clock = settings, device, clock
        self._slots: dict[str, _Slot] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def borrow(self, model: str, fingerprint: str, *, deaths: int = 0) -> Iterator[Engine]:
        """Lend the model's engine; `deaths` of the run's processes so far make it use less memory than it would.

        Raises:
            ModelMissing: the model is not on this machine and cannot be fetched, or is another one by its bytes.
            OutOfDeviceMemory: the device is too small for it.
        """
        with self._lock:
            slot = self._slots.setdefault(fingerprint, _Slot())
            slot.users += 1
        try:
            with slot.loading:
                engine = slot.engine = slot.engine or self._load(model, fingerprint)
                _spare(slot, engine, deaths)
            yield engine
        finally:
            with self._lock:
                slot.users -= 1
                if not slot.users:
                    _spare_no_more(slot)
                slot.idle_since = self._clock()

    def _load(self, model: str, fingerprint: str) -> Engine:
        resolved = self._resolve(model)
        if resolved.fingerprint != fingerprint:
            raise ModelMissing(model, f"the one here is {resolved.fingerprint}, the job wants {fingerprint}")
        return Engine.by_settings(resolved, self._settings.engine, self._device)

    def _resolve(self, model: str) -> Resolved:
        return resolve(model, settings=self._settings.engine, model_dir=self._settings.model_dir)

    def warm(self, model: str) -> None:
        """Load the model that is to stay loaded from now on."""
        fingerprint = self._resolve(model).fingerprint
        with self.borrow(model, fingerprint) as engine:
            engine.with_less(lambda: engine.model)
        with self._lock:
            for key, slot in self._slots.items():
                slot.kept = key == fingerprint

    def unload_idle(self) -> bool:
        """Let go of engines that nobody has borrowed for a while.

        Return whether the process should be replaced instead: CUDA gives memory back for sure only when it ends.
        """
        after_s = 60 * self._settings.engine.model_idle_minutes
        if not after_s:
            return False
        with self._lock:
            idle = [key for key, slot in self._slots.items() if self._idle_s(slot) > after_s]
            if any(self._slots[key].engine for key in idle) and self._device.startswith("cuda"):
                return not any(slot.users for slot in self._slots.values())
            gone = [engine for key in idle if (engine := self._slots.pop(key).engine)]
        for engine in gone:
            engine.close()
            log.info("unloaded %s after %g minutes without work", engine.resolved.name, after_s / 60)
        return False

    def _idle_s(self, slot: _Slot) -> float:
        return 0.0 if slot.users or slot.kept else self._clock() - slot.idle_since


def _spare(slot: _Slot, engine: Engine, deaths: int) -> None:
    """Step the engine down once for each process that died under a run, as far as it goes."""
    while len(engine.given_up) < deaths and with_less(engine.plan) is not None:
        slot.usual = slot.usual or engine.plan
        engine.step_down(DIED)


def _spare_no_more(slot: _Slot) -> None:
    """Let runs that lost no process have all that there is, unless memory itself has turned out to be short."""
    usual, slot.usual = slot.usual, None
    if usual and slot.engine and all(note.startswith(DIED) for note in slot.engine.given_up):
        slot.engine.restore(usual)
