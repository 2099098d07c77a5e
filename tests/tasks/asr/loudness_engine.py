"""The smallest engine that implements the contract: it transcribes speech as loud or quiet.

It reads one threshold from its model folder, so that it has something to load, and supports two languages.
"""

import json
import time
from pathlib import Path

import numpy as np

from storage.domain.errors import ModelMissing, OutOfDeviceMemory
from storage.domain.job_messages import encode
from storage.domain.records import LanguageGuess, LanguageMismatch, Options, Segment, SpanResult, Stretch, Word
from storage.domain.settings import EngineSettings
from storage.domain.transcript_notes import SmallerBatches, SteppedDown
from storage.transcripts.word_alignment import shared_out
from tasks.asr.base import (
    ENGLISH,
    Capabilities,
    DecodingStopped,
    OnProgress,
    ShouldStop,
    language_to_decode,
)
from tasks.audio.decode import SAMPLE_RATE_HZ, Samples
from tasks.audio.vad import find_speech
from tasks.models.catalogue import Resolved
from tasks.models.devices import DevicePlan

WORDS = {"en": ("quiet", "loud"), "da": ("stille", "højt")}


def write_model(folder: Path, *, threshold: float = 0.05) -> Resolved:
    """Write a model folder, and return it as a job gets it."""
    folder.mkdir(parents=True)
    (folder / "loudness.json").write_text(json.dumps({"threshold": threshold}))
    return Resolved(name="loudness", path=folder, fingerprint=f"loudness-{threshold:g}")


class LoudnessEngine:
    """An engine that says one word for each stretch of speech."""

    def __init__(self, resolved: Resolved, plan: DevicePlan) -> None:
        self.resolved, self.plan = resolved, plan
        self.version = "loudness 1"
        self.capabilities = Capabilities(model=resolved.name, multilingual=True)
        self.given_up: tuple[str, ...] = ()
        self._threshold: float | None = None

    @classmethod
    def from_settings(cls, resolved: Resolved, settings: EngineSettings, device: str | None = None) -> "LoudnessEngine":
        workers = settings.num_workers or 2
        plan = DevicePlan(
            device=device or "cpu", compute_type="float32", num_workers=workers, cpu_threads=1, batch_size=4
        )
        return cls(resolved, plan)

    def load(self) -> None:
        if self._threshold is None:
            path = self.resolved.path / "loudness.json"
            try:
                self._threshold = float(json.loads(path.read_text())["threshold"])
            except (OSError, ValueError) as error:
                raise ModelMissing(self.resolved.name, f"{path} cannot be read: {error}") from error

    def languages(self) -> frozenset[str]:
        return frozenset(WORDS)

    def transcribe(
        self,
        pcm: Samples,
        *,
        options: Options,
        language: str | None = None,
        speech: tuple[Stretch, ...] | None = None,
        maybe: tuple[Stretch, ...] = (),  # noqa: ARG002 - it is never sure of it
        should_stop: ShouldStop = lambda: False,
        on_progress: OnProgress = lambda _: None,
    ) -> SpanResult:
        started = time.perf_counter()
        told = language_to_decode(self, options, language)
        self.load()
        segments, done_s = [], 0.0
        for stretch in find_speech(pcm) if speech is None else speech:
            if should_stop():
                raise DecodingStopped
            segments.append(self._segment(pcm, stretch, told or ENGLISH))
            done_s += stretch.end_s - stretch.start_s
            on_progress(done_s)
        return SpanResult(
            segments=tuple(segments),
            language=told or ENGLISH,
            languages=() if told else (LanguageGuess(language=ENGLISH, probability=0.5),),
            model=self.resolved.name,
            fingerprint=self.resolved.fingerprint,
            engine=self.version,
            device=self.plan.device,
            compute_type=self.plan.compute_type,
            cpu_threads=self.plan.cpu_threads,
            batch_size=self.plan.batch_size,
            engine_s=round(time.perf_counter() - started, 3),
            given_up=self.given_up,
        )

    def language_mismatches(
        self,
        pcm: Samples,  # noqa: ARG002 - as in the contract
        speech: tuple[Stretch, ...],
        language: str,
        *,
        should_stop: ShouldStop = lambda: False,  # noqa: ARG002
    ) -> tuple[LanguageMismatch, ...]:
        """Call all speech German, whose only language is loudness."""
        if language == "de":
            return ()
        return tuple(
            LanguageMismatch(start_s=each.start_s, end_s=each.end_s, language="de", probability=1.0) for each in speech
        )

    def align(
        self, pcm: Samples, text: str, *, language: str | None = None, speech: tuple[Stretch, ...] = ()
    ) -> tuple[Word, ...]:
        language_to_decode(self, Options(), language)
        stretches = speech or (Stretch(start_s=0.0, end_s=len(pcm) / SAMPLE_RATE_HZ),)
        return tuple(shared_out([f" {word}" for word in text.split()], stretches[0].start_s, stretches[-1].end_s))

    def can_step_down(self) -> bool:
        return self.plan.batch_size > 1

    def step_down(self, *, device: str | None = None) -> None:
        if not self.can_step_down():
            raise OutOfDeviceMemory(self.plan.device, device or "a process died")
        less = self.plan.batch_size // 2
        self.given_up += (
            encode(SteppedDown(to=SmallerBatches(batch_size=less, usual=self.plan.batch_size), device=device)),
        )
        self.plan = DevicePlan(
            device=self.plan.device,
            compute_type=self.plan.compute_type,
            num_workers=self.plan.num_workers,
            cpu_threads=self.plan.cpu_threads,
            batch_size=less,
        )

    def restore(self, plan: DevicePlan) -> None:
        self.plan, self.given_up = plan, ()

    def close(self) -> None:
        self._threshold = None

    def _segment(self, pcm: Samples, stretch: Stretch, language: str) -> Segment:
        sound = pcm[round(stretch.start_s * SAMPLE_RATE_HZ) : round(stretch.end_s * SAMPLE_RATE_HZ)]
        level = float(np.sqrt(np.mean(np.square(sound)))) if len(sound) else 0.0
        threshold = self._threshold or 1.0
        loud = level > threshold
        text = WORDS[language][loud]
        sure = max(level, threshold) / (level + threshold)
        word = Word(start_s=stretch.start_s, end_s=stretch.end_s, text=f" {text}", probability=round(sure, 3))
        return Segment(start_s=stretch.start_s, end_s=stretch.end_s, text=text, words=(word,))
