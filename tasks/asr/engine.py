"""The faster-whisper engine: one model on one device, transcribing several spans at once.

When memory runs out, the batch is halved, then the model is reloaded as int8, then moved to the CPU. Whatever was given
up is recorded with the result.
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

from storage.domain.errors import ModelMissing, OutOfDeviceMemory
from storage.domain.job_messages import encode, text_of
from storage.domain.records import LanguageMismatch, Options, SpanResult, Stretch, Word
from storage.domain.settings import EngineSettings
from storage.domain.transcript_notes import RanOnCpu, SmallerBatches, SmallerWeights, SteppedDown, SteppedTo
from tasks.asr.base import ENGLISH, Capabilities, OnProgress, ShouldStop, language_to_decode
from tasks.asr.forced_alignment import timed_text
from tasks.asr.transcribe_windows import language_mismatches, transcribe_windows
from tasks.asr.whisper_decode import Decoder
from tasks.audio.decode import Samples
from tasks.models.catalogue import Resolved, hold, is_multilingual
from tasks.models.cgroup_limits import memory_free_bytes
from tasks.models.devices import DevicePlan, fitted, plan_device, prepare_libraries
from tasks.models.lazy_modules import imported_when_used
from tasks.models.weights_memory import small_pages

logger = logging.getLogger(__name__)

DECODING_VERSION = 12  # count up when windows, decoding, checks or word times change
ENGINE_VERSION = (
    f"faster-whisper {version('faster-whisper')}/ctranslate2 {version('ctranslate2')}/hearing {DECODING_VERSION}"
)

T = TypeVar("T")


class Engine(AbstractContextManager["Engine"]):
    """A loaded faster-whisper model; see `AsrEngine`."""

    version = ENGINE_VERSION

    def __init__(self, resolved: Resolved, plan: DevicePlan) -> None:
        self.resolved, self.plan = resolved, plan
        self.given_up: tuple[str, ...] = ()
        self._lock = threading.Lock()
        self._model: Any = None
        self._held = ExitStack()
        self.capabilities = Capabilities(model=resolved.name, multilingual=is_multilingual(resolved.path))

    @classmethod
    def loaded(
        cls,
        resolved: Resolved,
        *,
        device: str = "cpu",
        compute_type: str = "int8",
        num_workers: int = 2,
        cpu_threads: int = 2,
        batch_size: int = 8,
    ) -> Self:
        """Return an engine with its model loaded on the device.

        Raises:
            OutOfDeviceMemory: even the smallest settings do not fit.
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
        engine.load()
        return engine

    @classmethod
    def from_settings(cls, resolved: Resolved, settings: EngineSettings, device: str | None = None) -> Self:
        """Return an engine on the device, planned by `tasks.models.devices.plan_device`."""
        plan = plan_device(settings, device)
        if plan.kind == "cpu" and not settings.batch_size:
            model_bytes = (resolved.path / "model.bin").stat().st_size
            plan = fitted(plan, model_bytes=model_bytes, free_bytes=memory_free_bytes())
        engine = cls(resolved, plan)
        engine.load()
        return engine

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the model; on CUDA only the end of the process surely frees memory."""
        with self._lock:
            self._model = None
            self._held.close()

    @property
    def model(self) -> Any:
        """The faster-whisper model, loaded according to the current plan."""
        with self._lock:
            if self._model is None:
                self._held.close()
                self._held.enter_context(hold(self.resolved.path))
                self._model = load_model(self.resolved, self.plan)
            return self._model

    def with_less(self, work: Callable[[], T]) -> T:
        """Run `work`, and run it again with less memory whenever memory runs out.

        Raises:
            OutOfDeviceMemory: nothing is left to give up.
        """
        attempts: list[str] = []
        while True:
            plan = self.plan
            try:
                return work()
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                attempts.append(f"{plan.device} {plan.compute_type} batch {plan.batch_size}")
                self.step_down(device=plan.device, since=plan, tried="; ".join(attempts))

    def step_down(self, *, device: str | None = None, since: DevicePlan | None = None, tried: str = "") -> None:
        """Use less memory from now on, and record it; does nothing if `since` is outdated.

        `device` ran out of memory; without one, a process died.

        Raises:
            OutOfDeviceMemory: nothing is left to give up.
        """
        with self._lock:
            plan = self.plan
            if since not in (None, plan):
                return  # another thread has just done it
            smaller = with_less(plan)
            if smaller is None:
                raise OutOfDeviceMemory(plan.device, tried or "a process died")
            if (smaller.device, smaller.compute_type) != (plan.device, plan.compute_type):
                self._model = None
            self.plan = smaller
            self.given_up += (encode(SteppedDown(to=given_up(plan, smaller), device=device)),)
            logger.warning("%s", text_of(self.given_up[-1]), extra={"action": "engine.step_down"})

    def restore(self, plan: DevicePlan) -> None:
        """Return to a plan from before `step_down`, and clear what was given up."""
        with self._lock:
            if (plan.device, plan.compute_type) != (self.plan.device, self.plan.compute_type):
                self._model = None
            self.plan, self.given_up = plan, ()

    def load(self) -> None:
        """Load the model into the device's memory; see `AsrEngine.load`."""
        self.with_less(lambda: self.model)

    def languages(self) -> frozenset[str]:
        """Return the languages that the model has tokens for; faster-whisper lists those of large-v3."""
        if not self.capabilities.multilingual:
            return frozenset({ENGLISH})
        model = self.with_less(lambda: self.model)
        tokens: dict[str, int] = model.hf_tokenizer.get_vocab()
        return frozenset(code for code in model.supported_languages if f"<|{code}|>" in tokens)

    def transcribe(
        self,
        pcm: Samples,
        *,
        options: Options,
        language: str | None = None,
        speech: tuple[Stretch, ...] | None = None,
        maybe: tuple[Stretch, ...] = (),
        should_stop: ShouldStop = lambda: False,
        on_progress: OnProgress = lambda _: None,
    ) -> SpanResult:
        """Return the transcription of one span; see `AsrEngine.transcribe`.

        Its utterances may be in several languages.
        """
        from tasks.audio.vad import find_speech

        started = time.perf_counter()
        decode_language = language_to_decode(self, options, language)
        detected_speech = find_speech(pcm) if speech is None else speech

        def work() -> SpanResult:
            span_text = transcribe_windows(
                pcm,
                detected_speech,
                maybe,
                decoder=self._decoder(options),
                language=decode_language,
                batch_size=self.plan.batch_size,
                should_stop=should_stop,
                on_progress=on_progress,
            )
            return SpanResult(
                segments=span_text.segments,
                language=decode_language or span_text.language or ENGLISH,
                model=self.resolved.name,
                fingerprint=self.resolved.fingerprint,
                engine=self.version,
                device=self.plan.device,
                compute_type=self.plan.compute_type,
                cpu_threads=self.plan.cpu_threads,
                batch_size=self.plan.batch_size,
                engine_s=round(time.perf_counter() - started, 3),
                given_up=self.given_up,
                reheard=span_text.reheard,
                languages=span_text.languages,
                mismatches=span_text.mismatches,
                untranscribed=span_text.untranscribed,
                repeats=span_text.repeats,
            )

        return self.with_less(work)

    def language_mismatches(
        self, pcm: Samples, speech: tuple[Stretch, ...], language: str, *, should_stop: ShouldStop = lambda: False
    ) -> tuple[LanguageMismatch, ...]:
        """Return the utterances that clearly sound like another language; see `AsrEngine.language_mismatches`."""
        if not self.capabilities.multilingual:
            return ()
        return self.with_less(
            lambda: language_mismatches(
                pcm,
                speech,
                language,
                decoder=self._decoder(Options()),
                batch_size=self.plan.batch_size,
                should_stop=should_stop,
            )
        )

    def align(
        self, pcm: Samples, text: str, *, language: str | None = None, speech: tuple[Stretch, ...] = ()
    ) -> tuple[Word, ...]:
        """Return the words of a known text with their times in the sound; see `AsrEngine.align`."""
        options = Options()
        spoken = language_to_decode(self, options, language) or ENGLISH

        def work() -> tuple[Word, ...]:
            decoder = self._decoder(options)
            return timed_text(pcm, text, decoder=decoder, language=spoken, speech=speech)

        return self.with_less(work)

    def _decoder(self, options: Options) -> Decoder:
        """Return a decoder that uses all workers.

        On a GPU, which computes batches at once, one does.
        """
        workers = self.plan.num_workers if self.plan.kind == "cpu" else 1
        return Decoder(model=self.model, options=options, workers=workers)

    def can_step_down(self) -> bool:
        """Return whether there is a smaller plan."""
        return with_less(self.plan) is not None


def load_model(resolved: Resolved, plan: DevicePlan) -> Any:
    """Load the model from its folder.

    Raises:
        ModelMissing: it holds no model that CTranslate2 can load.
    """
    prepare_libraries()
    with imported_when_used("av"):  # 13 MB for decoding files, which a child process does
        from faster_whisper import WhisperModel

    started = time.perf_counter()
    try:
        with small_pages():
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
"""Messages of CTranslate2's CPU library when an allocation fails, seen under a real memory limit."""


def out_of_memory(error: BaseException) -> bool:
    """Return whether the device or the machine ran out of memory."""
    message = str(error).lower()
    signs = (
        "out of memory",
        "bad_alloc",
        "cannot allocate memory",
        "alloc_failed",
        "failed to allocate",
        *ONEDNN_SIGNS,
    )
    return isinstance(error, MemoryError) or any(sign in message for sign in signs)


def with_less(plan: DevicePlan) -> DevicePlan | None:
    """Return the next smaller plan (half the batch, int8, the CPU), or None."""
    if plan.batch_size > 1:
        return replace(plan, batch_size=plan.batch_size // 2)
    if not plan.compute_type.startswith("int8"):
        return replace(plan, compute_type="int8")
    if plan.kind != "cpu":
        return replace(plan, device="cpu", compute_type="int8", batch_size=4)
    return None


def given_up(plan: DevicePlan, smaller: DevicePlan) -> SteppedTo:
    """Return what was given up, for the job's record."""
    if smaller.device != plan.device:
        return RanOnCpu(usual=plan.device)
    if smaller.compute_type != plan.compute_type:
        return SmallerWeights(compute_type=smaller.compute_type, usual=plan.compute_type)
    return SmallerBatches(batch_size=smaller.batch_size, usual=plan.batch_size)
