"""The engine: one faster-whisper model on one device, kept loaded, hearing several spans at once.

Out of memory is no failure yet: the batch is halved, then the model loaded again as int8, then on the CPU; what was
given up is recorded with the result.
"""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from importlib.metadata import version
from types import TracebackType
from typing import Any, Self, TypeVar

from storage.errors import BadRequest, ModelCannot, ModelMissing, OutOfDeviceMemory
from storage.records import Heard, Options, Stretch
from storage.settings import EngineSettings
from tasks.decode import Samples
from tasks.decoding import Decoder
from tasks.devices import DevicePlan, fitted, plan_device, prepare_libraries
from tasks.hearing import Stopped, hear_windows
from tasks.limits import memory_free_bytes
from tasks.models import Resolved, hold, is_multilingual

logger = logging.getLogger(__name__)

HEARING_VERSION = 5  # a change of windows, decoding, checks or word times counts it up
ENGINE_VERSION = (
    f"faster-whisper {version('faster-whisper')}/ctranslate2 {version('ctranslate2')}/hearing {HEARING_VERSION}"
)

T = TypeVar("T")
ShouldStop = Callable[[], bool]
OnProgress = Callable[[float], None]
__all__ = ["ENGINE_VERSION", "Engine", "Stopped", "hear"]


class Engine(AbstractContextManager["Engine"]):
    """A loaded model; `hear` may be called from as many threads as the plan has workers."""

    def __init__(self, resolved: Resolved, plan: DevicePlan) -> None:
        self.resolved, self.plan = resolved, plan
        self.given_up: tuple[str, ...] = ()
        self._lock = threading.Lock()
        self._model: Any = None
        self._held = ExitStack()
        self.multilingual = is_multilingual(resolved.path)

    @classmethod
    def load(
        cls,
        resolved: Resolved,
        *,
        device: str = "cpu",
        compute_type: str = "int8",
        num_workers: int = 2,
        cpu_threads: int = 2,
        batch_size: int = 8,
    ) -> Self:
        """Return an engine with its model in the device's memory.

        Raises:
            OutOfDeviceMemory: not even the smallest settings fit.
            ModelMissing: the folder holds no model that can be loaded.
        """
        plan = DevicePlan(
            device=device,
            compute_type=compute_type,
            num_workers=num_workers,
            cpu_threads=cpu_threads,
            batch_size=batch_size,
        )
        engine = cls(resolved, plan)
        engine.with_less(lambda: engine.model)
        return engine

    @classmethod
    def by_settings(cls, resolved: Resolved, settings: EngineSettings, device: str | None = None) -> Self:
        """Return an engine on the device, used as `tasks.devices.plan_device` says."""
        plan = plan_device(settings, device)
        if plan.kind == "cpu" and not settings.batch_size:
            model_bytes = (resolved.path / "model.bin").stat().st_size
            plan = fitted(plan, model_bytes=model_bytes, free_bytes=memory_free_bytes())
        engine = cls(resolved, plan)
        engine.with_less(lambda: engine.model)
        return engine

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the model. On CUDA the memory is sure to come back only when the process ends."""
        with self._lock:
            self._model = None
            self._held.close()

    @property
    def model(self) -> Any:
        """The faster-whisper model, loaded by the current plan."""
        with self._lock:
            if self._model is None:
                self._held.close()
                self._held.enter_context(hold(self.resolved.path))
                self._model = load_model(self.resolved, self.plan)
            return self._model

    def with_less(self, work: Callable[[], T]) -> T:
        """Run `work`; while it ends for want of memory, run it again with less.

        Raises:
            OutOfDeviceMemory: there is nothing left to give up.
        """
        tried: list[str] = []
        while True:
            plan = self.plan
            try:
                return work()
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                tried.append(f"{plan.device} {plan.compute_type} batch {plan.batch_size}")
                self.step_down(f"{plan.device} had too little memory", since=plan, tried="; ".join(tried))

    def step_down(self, why: str, *, since: DevicePlan | None = None, tried: str = "") -> None:
        """Use less memory from now on, and record it; nothing happens where the plan is no longer `since`.

        Raises:
            OutOfDeviceMemory: there is nothing left to give up.
        """
        with self._lock:
            plan = self.plan
            if since not in (None, plan):
                return  # another thread has just done so
            less = with_less(plan)
            if less is None:
                raise OutOfDeviceMemory(plan.device, tried or why)
            if (less.device, less.compute_type) != (plan.device, plan.compute_type):
                self._model = None
            self.plan = less
            self.given_up += (f"{why}: {given_up(plan, less)}",)
            logger.warning("%s", self.given_up[-1], extra={"action": "engine.step_down"})

    def restore(self, plan: DevicePlan) -> None:
        """Go back to a plan from before `step_down`, and forget what was given up."""
        with self._lock:
            if (plan.device, plan.compute_type) != (self.plan.device, self.plan.compute_type):
                self._model = None
            self.plan, self.given_up = plan, ()


def load_model(resolved: Resolved, plan: DevicePlan) -> Any:
    """Load the model's folder.

    Raises:
        ModelMissing: it holds no model that CTranslate2 can load.
    """
    prepare_libraries()
    from faster_whisper import WhisperModel

    started = time.perf_counter()
    try:
        model = WhisperModel(
            str(resolved.path),
            device=plan.kind,
            device_index=plan.index,
            compute_type=plan.compute_type,
            cpu_threads=plan.cpu_threads,
            num_workers=plan.num_workers,
        )
    except (RuntimeError, OSError) as error:
        if out_of_memory(error) or plan.kind != "cpu":
            raise
        raise ModelMissing(resolved.name, f"{resolved.path} cannot be loaded: {error}") from error
    logger.info(
        "model %s on %s in %.2f s",
        resolved.name,
        plan.device,
        time.perf_counter() - started,
        extra={"action": "engine.load"},
    )
    return model


ONEDNN_SIGNS = ("could not create a memory", "could not create a primitive")
"""What CTranslate2's library on the CPU says where an allocation fails; seen under a real limit of memory."""


def out_of_memory(error: BaseException) -> bool:
    """Return whether the device, or the machine, had too little memory."""
    said = str(error).lower()
    signs = (
        "out of memory",
        "bad_alloc",
        "cannot allocate memory",
        "alloc_failed",
        "failed to allocate",
        *ONEDNN_SIGNS,
    )
    return isinstance(error, MemoryError) or any(sign in said for sign in signs)


def with_less(plan: DevicePlan) -> DevicePlan | None:
    """Return the next smaller plan: half the batch, then int8, then the CPU; None at the end."""
    if plan.batch_size > 1:
        return replace(plan, batch_size=plan.batch_size // 2)
    if not plan.compute_type.startswith("int8"):
        return replace(plan, compute_type="int8")
    if plan.kind != "cpu":
        return replace(plan, device="cpu", compute_type="int8", batch_size=4)
    return None


def given_up(plan: DevicePlan, less: DevicePlan) -> str:
    """Return what was given up, for the job's record."""
    if less.device != plan.device:
        return f"heard on the CPU instead of {plan.device}"
    if less.compute_type != plan.compute_type:
        return f"{less.compute_type} instead of {plan.compute_type}"
    return f"batches of {less.batch_size} windows instead of {plan.batch_size}"


def _knows(model: Any, language: str) -> bool:
    """Return whether a multilingual model has a token for this language; faster-whisper lists those of large-v3."""
    return language in model.supported_languages and model.hf_tokenizer.token_to_id(f"<|{language}|>") is not None


def hear(
    engine: Engine,
    pcm: Samples,
    *,
    options: Options,
    language: str | None = None,
    speech: tuple[Stretch, ...] | None = None,
    should_stop: ShouldStop = lambda: False,
    on_progress: OnProgress = lambda _: None,
) -> Heard:
    """Return what is said in one span; times are seconds from the span's start.

    With no `language`, a model that knows several finds that of each utterance.

    `pcm` is float32 mono at 16 kHz. `speech` is where there is speech in it, from the span's start, if the caller
    knows (a plan does: `tasks.stitch.speech_of`); else it is looked for here. Without a `language` a multilingual
    model finds it out. `should_stop` is asked between batches; `on_progress` gets the seconds of speech heard so far.

    Raises:
        Stopped: `should_stop` said so.
        OutOfDeviceMemory: the device is too small even with the smallest settings.
        BadRequest: the model does not know the language.
        ModelCannot: it is to translate and knows no other language than English.
    """
    from tasks.speech import find_speech

    started = time.perf_counter()
    found = find_speech(pcm) if speech is None else speech
    if options.task == "translate" and not engine.multilingual:
        raise ModelCannot(engine.resolved.name, "translate")
    told = language if engine.multilingual else "en"
    if told is not None and engine.multilingual and not _knows(engine.model, told):
        raise BadRequest("language", f"{told} is no language code that the model knows, such as en, de or ja")

    def work() -> Heard:
        found_text = hear_windows(
            pcm,
            found,
            decoder=Decoder(model=engine.model, options=options),
            language=told,
            batch_size=engine.plan.batch_size,
            should_stop=should_stop,
            on_progress=on_progress,
        )
        return Heard(
            segments=found_text.segments,
            language=told or (found_text.languages[0].language if found_text.languages else "en"),
            model=engine.resolved.name,
            fingerprint=engine.resolved.fingerprint,
            engine=ENGINE_VERSION,
            device=engine.plan.device,
            compute_type=engine.plan.compute_type,
            cpu_threads=engine.plan.cpu_threads,
            batch_size=engine.plan.batch_size,
            engine_s=round(time.perf_counter() - started, 3),
            given_up=engine.given_up,
            reheard=found_text.reheard,
            languages=found_text.languages,
            mismatches=found_text.mismatches,
            untranscribed=found_text.untranscribed,
        )

    return engine.with_less(work)
