"""Search a stream for speech: what the detector finds, and what else may be speech.

Every silence of the detector is judged by `tasks.audio.faint_speech` once its end is known, a long one in parts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from storage.domain.records import Stretch
from tasks.audio.channels import as_ints
from tasks.audio.decode import Samples
from tasks.audio.faint_speech import LONGEST_S, FaintSpeechFinder
from tasks.audio.vad import BLOCK, SpeechFinder


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundSpeech:
    """Speech that the detector found, and what may be speech beside it; both in order."""

    speech: tuple[Stretch, ...] = ()
    maybe: tuple[Stretch, ...] = ()

    @property
    def both(self) -> list[Stretch]:
        return sorted((*self.speech, *self.maybe), key=lambda stretch: stretch.start_s)


class SpeechSearch:
    """Finds speech and what may be speech in a stream, in blocks of any size."""

    def __init__(self, finder: SpeechFinder | None = None) -> None:
        self._finder, self._faint = finder or SpeechFinder(), FaintSpeechFinder()
        self._judged_s = 0.0

    @property
    def open_since_s(self) -> float | None:
        """Start of the speech that is still open, once the silence before it is judged."""
        open_since_s = self._finder.open_since_s
        return open_since_s if open_since_s is not None and open_since_s <= self._judged_s else None

    @property
    def settled_s(self) -> float:
        """Everything before this moment is final."""
        return self._finder.settled_s if self.open_since_s is not None else self._judged_s

    @property
    def length_s(self) -> float:
        return self._finder.length_s

    def push(self, block: Samples) -> FoundSpeech:
        """Process one block, and return what is final."""
        self._faint.push(as_ints(block))
        speech = self._finder.push(block)
        maybe = self._before(speech)
        open_since_s, settled_s = self._finder.open_since_s, self._finder.settled_s
        if open_since_s is not None and open_since_s <= settled_s:
            maybe += self._until(open_since_s)
        else:
            silent_s = min(settled_s, settled_s if open_since_s is None else open_since_s)
            maybe += self._parts(silent_s)
        self._faint.forget_before(self.settled_s)
        return FoundSpeech(speech=tuple(speech), maybe=tuple(maybe))

    def finish(self) -> FoundSpeech:
        """Return the rest at the end of the stream."""
        speech = self._finder.finish()
        maybe = [*self._before(speech), *self._until(self.length_s)]
        return FoundSpeech(speech=tuple(speech), maybe=tuple(maybe))

    def _before(self, speech: Sequence[Stretch]) -> list[Stretch]:
        """Judge the silence before each stretch."""
        maybe: list[Stretch] = []
        for stretch in speech:
            maybe += self._until(stretch.start_s)
            self._judged_s = stretch.end_s
        return maybe

    def _until(self, end_s: float) -> list[Stretch]:
        """Judge the silence up to its end."""
        maybe = self._parts(end_s)
        if end_s > self._judged_s:
            maybe += self._faint.between(self._judged_s, end_s)
            self._judged_s = end_s
        return maybe

    def _parts(self, known_s: float) -> list[Stretch]:
        """Judge the parts of a silence that are long enough by themselves."""
        maybe: list[Stretch] = []
        while known_s - self._judged_s >= LONGEST_S:
            maybe += self._faint.between(self._judged_s, self._judged_s + LONGEST_S)
            self._judged_s += LONGEST_S
        return maybe


def search(pcm: Samples) -> FoundSpeech:
    """Return the speech in float32 mono samples at 16 kHz, and what may be."""
    whole = SpeechSearch()
    parts = [whole.push(pcm[first : first + BLOCK]) for first in range(0, len(pcm), BLOCK)]
    return joined([*parts, whole.finish()])


def joined(parts: Sequence[FoundSpeech]) -> FoundSpeech:
    """Return what was found in the parts of a stream as one."""
    speech = tuple(stretch for part in parts for stretch in part.speech)
    return FoundSpeech(speech=speech, maybe=tuple(stretch for part in parts for stretch in part.maybe))
