"""The engines of one process: loaded on demand, shared, unloaded to make room."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from storage.domain.errors import ModelMissing, OutOfDeviceMemory
from storage.domain.job_messages import decode
from storage.domain.settings import EngineSettings, Settings
from storage.domain.transcript_notes import SteppedDown
from tasks.asr.base import AsrEngine
from tasks.asr.language_check import multilingual_model
from tasks.asr.selected_engine import SelectedEngine
from tasks.models import device_memory, devices
from tasks.models.catalogue import Resolved
from tasks.models.devices import DevicePlan
from tasks.models.model_choice import resolve

log = logging.getLogger(__name__)

WORKING_SHARE = 0.5
"""Beside its weights an engine needs about half of their size to work with; then it decodes fewer windows at once."""
TRIM_AFTER_S, TRIM_EVERY_S = 30.0, 60.0
EngineOn = Callable[[Resolved, EngineSettings, str | None], AsrEngine]


@dataclass(slots=True)
class _Slot:
    """The slot of one model: `users` borrow its engine, a `kept` engine stays when idle.

    `usual` is the plan from before the engine was stepped down for runs whose process died.
    """

    engine: AsrEngine | None = None
    users: int = 0
    kept: bool = False
    idle_since: float = 0.0
    usual: DevicePlan | None = None
    loading: threading.Lock = field(default_factory=threading.Lock)


class EnginePool:
    """Engines on one device, by model fingerprint: replaced files make another model."""

    def __init__(
        self,
        settings: Settings,
        *,
        device: str,
        clock: Callable[[], float] = time.monotonic,
        engine_on: EngineOn = SelectedEngine.from_settings,
        free_bytes: Callable[[str], int | None] = device_memory.free_bytes,
        find: Callable[..., Resolved] = resolve,
    ) -> None:
        self._settings, self._device, self._clock, self._engine_on = settings, device, clock, engine_on
        self._free_bytes, self._find = free_bytes, find
        self._slots: dict[str, _Slot] = {}
        self._lock, self._one_load = threading.Lock(), threading.Lock()
        self._trimmed_at = 0.0

    @contextlib.contextmanager
    def borrow(self, model: str, fingerprint: str, *, deaths: int = 0) -> Iterator[AsrEngine]:
        """Lend the model's engine; earlier `deaths` of the run's process reduce its memory.

        Raises:
            ModelMissing: the model is not here and cannot be fetched, or its bytes differ from the job's.
            OutOfDeviceMemory: the device is too small for it.
        """
        with self._lock:
            slot = self._slots.setdefault(fingerprint, _Slot())
            slot.users += 1
        try:
            with slot.loading:
                engine = slot.engine = slot.engine or self._load(model, fingerprint)
                _step_down_for_deaths(slot, engine, deaths)
            yield engine
        finally:
            with self._lock:
                slot.users -= 1
                if not slot.users:
                    _restore_plan(slot)
                slot.idle_since = self._clock()

    @contextlib.contextmanager
    def borrow_multilingual(self) -> Iterator[AsrEngine | None]:
        """Lend the engine of the smallest multilingual model here, or None without one or room."""
        found = multilingual_model(self._settings.model_dir)
        with contextlib.ExitStack() as stack:
            engine = None
            try:
                if found is not None:
                    engine = stack.enter_context(self.borrow(found.name, found.fingerprint))
            except (ModelMissing, OutOfDeviceMemory) as error:
                log.info("the language is not checked: %s", error)
            yield engine

    def _load(self, model: str, fingerprint: str) -> AsrEngine:
        resolved = self._resolve(model)
        if resolved.fingerprint != fingerprint:
            raise ModelMissing(model, f"the one here is {resolved.fingerprint}, the job wants {fingerprint}")
        with self._one_load:  # two at a time would both count on the same memory
            self._make_room(_size_of(resolved))
            return self._engine_on(resolved, self._settings.engine, self._device)

    def _make_room(self, model_bytes: int) -> None:
        """Unload idle engines, least recently used first, until another model fits beside the rest.

        The model that stays loaded is unloaded last, and loaded again when a run needs it. What a device does not tell
        is not known, and nothing is unloaded.
        """
        free = self._free_bytes(self._device)
        lacking = 0 if free is None else round((1 + WORKING_SHARE) * model_bytes) - free
        while lacking > 0 and (engine := self._take_least_recent()) is not None:
            engine.close()
            lacking -= _size_of(engine.resolved)
            log.info("unloaded %s, which was idle, to make room for another model", engine.resolved.name)

    def _take_least_recent(self) -> AsrEngine | None:
        """Take the engine out of the idle slot whose turn it is to be unloaded."""
        with self._lock:
            idle = [slot for slot in self._slots.values() if slot.engine is not None and not slot.users]
            slot = min(idle, key=lambda each: (each.kept, each.idle_since), default=None)
            if slot is None:
                return None
            engine, slot.engine, slot.usual = slot.engine, None, None
            return engine

    def _resolve(self, model: str) -> Resolved:
        return self._find(model, settings=self._settings.engine, model_dir=self._settings.model_dir)

    def warm(self, model: str) -> None:
        """Load the model that stays loaded from now on."""
        fingerprint = self._resolve(model).fingerprint
        with self.borrow(model, fingerprint) as engine:
            engine.load()
        with self._lock:
            for key, slot in self._slots.items():
                slot.kept = key == fingerprint

    def unload_idle(self) -> bool:
        """Unload engines that were idle for a while.

        Returns whether the process should be replaced instead: CUDA frees memory reliably only when it ends.
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

    def trim_heap(self) -> bool:
        """Trim the heap after work, and now and then during it; return whether it did.

        Windows of ever other lengths leave free blocks between used ones, so that a busy process would grow.
        """
        with self._lock:
            now, slots = self._clock(), self._slots.values()
            is_busy = any(slot.users for slot in slots)
            last_used = now if is_busy else max((slot.idle_since for slot in slots), default=0.0)
            is_due = now - last_used >= TRIM_AFTER_S or now - self._trimmed_at >= TRIM_EVERY_S
            if last_used <= self._trimmed_at or not is_due:
                return False
            self._trimmed_at = now
        devices.trim_heap()
        return True

    def _idle_s(self, slot: _Slot) -> float:
        return 0.0 if slot.users or slot.kept else self._clock() - slot.idle_since


def _size_of(resolved: Resolved) -> int:
    """Return the size of a model's files, about that of its weights in memory."""
    return sum(path.stat().st_size for path in resolved.path.rglob("*") if path.is_file())


def _step_down_for_deaths(slot: _Slot, engine: AsrEngine, deaths: int) -> None:
    """Step the engine down once for each process that died, as far as possible."""
    while len(engine.given_up) < deaths and engine.can_step_down():
        slot.usual = slot.usual or engine.plan
        engine.step_down()


def _restore_plan(slot: _Slot) -> None:
    """Restore the usual plan, unless memory itself ran out."""
    usual, slot.usual = slot.usual, None
    if usual and slot.engine and all(_is_for_a_death(note) for note in slot.engine.given_up):
        slot.engine.restore(usual)


def _is_for_a_death(note: str) -> bool:
    message = decode(note)
    return isinstance(message, SteppedDown) and message.device is None
