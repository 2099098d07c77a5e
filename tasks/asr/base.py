"""The contract of a speech recognition engine, as the pipeline and flows use it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from storage.domain.errors import BadRequest, ModelCannot
from storage.domain.model_names import translates
from storage.domain.records import LanguageMismatch, Options, SpanResult, Stretch, Word
from tasks.audio.decode import Samples
from tasks.models.catalogue import Resolved
from tasks.models.devices import DevicePlan

ENGLISH = "en"
ShouldStop = Callable[[], bool]
OnProgress = Callable[[float], None]


class DecodingStopped(Exception):
    """The caller asked to stop, and the span was left unfinished on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a model can do, known without loading it; without `multilingual`, English only."""

    model: str
    multilingual: bool

    def check(self, options: Options) -> None:
        """Refuse options that the model does not support.

        Raises:
            ModelCannot: translation was requested and the model was not trained for it.
        """
        if options.task == "translate" and not (self.multilingual and translates(self.model)):
            raise ModelCannot(self.model, "translate")


class AsrEngine(Protocol):
    """One model on one device; `transcribe` may run in `plan.num_workers` threads at once.

    `version` names the code and libraries, for the names of results. `plan` is how the device and its memory are used,
    and `given_up` lists what the engine had to give up for lack of memory.
    """

    @property
    def resolved(self) -> Resolved: ...

    @property
    def version(self) -> str: ...

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def plan(self) -> DevicePlan: ...

    @property
    def given_up(self) -> tuple[str, ...]: ...

    def load(self) -> None:
        """Load the model into the device's memory, unless it is loaded.

        Raises:
            ModelMissing: it cannot be loaded.
            OutOfDeviceMemory: even the smallest plan does not fit.
        """
        ...

    def languages(self) -> frozenset[str]:
        """Return the codes of the languages that the model supports; loads it if necessary."""
        ...

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
        """Return the transcription of one span, with a time and a probability for each word.

        `pcm` is float32 mono at 16 kHz; times are seconds from its start. `speech` is the detected speech, if the
        caller has it; otherwise it is detected. `maybe` is what may be speech beside it, of which only words that are
        sure count. Without `language`, a multilingual model detects it. `should_stop` is polled, and `on_progress`
        receives the seconds of speech done so far.

        Raises:
            DecodingStopped: `should_stop` returned true.
            OutOfDeviceMemory: even the smallest plan does not fit the device.
            BadRequest: the model does not support the language.
            ModelCannot: translation was requested and the model cannot translate.
        """
        ...

    def language_mismatches(
        self, pcm: Samples, speech: tuple[Stretch, ...], language: str, *, should_stop: ShouldStop = lambda: False
    ) -> tuple[LanguageMismatch, ...]:
        """Return the utterances that clearly sound like a language other than the given one.

        They are not transcribed; an English-only engine finds none.

        Raises:
            DecodingStopped: `should_stop` returned true.
            OutOfDeviceMemory: even the smallest plan does not fit the device.
        """
        ...

    def align(
        self, pcm: Samples, text: str, *, language: str | None = None, speech: tuple[Stretch, ...] = ()
    ) -> tuple[Word, ...]:
        """Return the words of a known text with their times in the sound.

        `pcm` is as for `transcribe`, of at most 28 s; times are seconds from its start. Together the words spell the
        text. Returns none if the text is too long for so much sound.

        Raises:
            OutOfDeviceMemory: even the smallest plan does not fit the device.
            BadRequest: the model does not support the language.
        """
        ...

    def can_step_down(self) -> bool:
        """Return whether there is a smaller plan."""
        ...

    def step_down(self, *, device: str | None = None) -> None:
        """Use less memory from now on, and record what was given up.

        `device` ran out of memory; without one, a process died.

        Raises:
            OutOfDeviceMemory: nothing is left to give up.
        """
        ...

    def restore(self, plan: DevicePlan) -> None:
        """Return to an earlier plan, and clear what was given up."""
        ...

    def close(self) -> None:
        """Release the model; `load` brings it back."""
        ...


def language_to_decode(engine: AsrEngine, options: Options, language: str | None) -> str | None:
    """Return the language to decode a span in, or None for detection, after checking support.

    Raises:
        BadRequest, ModelCannot: as `AsrEngine.transcribe`.
    """
    engine.capabilities.check(options)
    if not engine.capabilities.multilingual:
        return ENGLISH
    if language is not None and language not in engine.languages():
        raise BadRequest(
            "language", f"the model does not support {language}; give a language code such as en, de or ja"
        )
    return language
