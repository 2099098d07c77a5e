"""Cut a recording into spans: in the longest silence near the target length.

A cut never goes through speech, unless nobody pauses for a whole span. Then it goes to the quietest moment and the two
spans overlap there, so that each side contains the words at the seam whole; `tasks.assembly.stitch` then keeps every
word once. The overlap also starts and ends where it is quietest, since models drop what starts in mid-sentence.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

from storage.domain.records import Span, Stretch
from tasks.audio.windows import Quietest

KEEP_S = 1.0  # silence kept at each end of a span
CLEAR_SILENCE_S = 1.5  # silences of at least this length are equally good to cut in; the latest wins
SHORTEST_CUT_SILENCE_S = 0.25
NEAREST_S, FURTHEST_S = 1.0, 3.0  # how far each side continues beyond a cut through speech
FIRST_AIM_S = 30.0
GROWTH = 1 / 2  # target length, as a fraction of all the spans before
AIM = 0.85  # target, as a fraction of the longest span, which leaves room to wait for a better silence
EARLIEST_CUT = 0.6  # fraction of the target before which no cut is made


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """A span's place in the recording, its speech, and the silence before it."""

    start_s: float
    end_s: float
    speech: tuple[Stretch, ...]
    silence_before_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """The target and the maximum length of a span, in seconds."""

    aim_s: float
    limit_s: float

    @property
    def earliest_s(self) -> float:
        return EARLIEST_CUT * self.aim_s


def span_lengths(before_s: float, span_max_s: float) -> Lengths:
    """Return the lengths for a span that follows `before_s` seconds of spans.

    The first spans are short, so that their words come soon and a short recording keeps several workers busy. Only the
    audio decides, neither the number of workers nor the length in a header.
    """
    aim_s = min(AIM * span_max_s, max(FIRST_AIM_S, before_s * GROWTH))
    return Lengths(aim_s=aim_s, limit_s=aim_s / AIM)


class Cutter:
    """Cuts while the recording is read; the blocks' size does not change the cuts."""

    def __init__(self, span_max_s: float, quietest: Quietest) -> None:
        self._span_max_s, self._quietest = span_max_s, quietest
        self._cut_s = 0.0  # length of all the spans so far
        self._ended: list[Stretch] = []
        self._free_from_s = 0.0  # the earliest start of the next span
        self._silent_since_s: float | None = 0.0  # end of the speech before the cut; None: the cut was forced

    def needed_from_s(self, *, open_since_s: float | None, settled_s: float) -> float:
        """Return the moment before which samples are no longer needed."""
        speech = self._speech(open_since_s)
        first_s = speech[0].start_s if speech else settled_s
        return max(self._free_from_s, first_s - KEEP_S, 0.0)

    def push(self, ended: Iterable[Stretch], *, open_since_s: float | None, settled_s: float) -> list[Bounds]:
        """Add the speech found up to `settled_s`, and return the spans that are now final."""
        self._ended += ended
        finished: list[Bounds] = []
        while speech := self._speech(open_since_s):
            start_s = self._start_s(speech)
            lengths = span_lengths(self._cut_s, self._span_max_s)
            if start_s + lengths.limit_s > settled_s:
                break
            finished.append(self._cut(speech, start_s, lengths))
            self._cut_s += finished[-1].end_s - finished[-1].start_s
        return finished

    def finish(self, ended: Iterable[Stretch], *, duration_s: float) -> list[Bounds]:
        """Return the remaining spans at the end of the recording; trailing silence makes none."""
        finished = self.push(ended, open_since_s=None, settled_s=duration_s)
        if speech := self._speech(None):
            end_s = min(duration_s, speech[-1].end_s + KEEP_S)
            finished.append(self._bounds(speech, self._start_s(speech), end_s))
            self._ended = []
        return finished

    def _speech(self, open_since_s: float | None) -> list[Stretch]:
        """Return speech that is in no span yet, including the stretch that is still open."""
        self._ended = [stretch for stretch in self._ended if stretch.end_s > self._free_from_s]
        open_stretch = [] if open_since_s is None else [Stretch(start_s=open_since_s, end_s=inf)]
        return [
            Stretch(start_s=max(stretch.start_s, self._free_from_s), end_s=stretch.end_s)
            for stretch in (*self._ended, *open_stretch)
        ]

    def _start_s(self, speech: list[Stretch]) -> float:
        return max(self._free_from_s, speech[0].start_s - KEEP_S, 0.0)

    def _cut(self, speech: list[Stretch], start_s: float, lengths: Lengths) -> Bounds:
        limit_s = start_s + lengths.limit_s
        earliest_s = start_s + lengths.earliest_s
        silence = best_silence(speech, earliest_s, start_s + lengths.aim_s, limit_s)
        if silence is None:
            middle_s = self._quietest(earliest_s, limit_s - FURTHEST_S)
            bounds = self._bounds(speech, start_s, self._quietest(middle_s + NEAREST_S, middle_s + FURTHEST_S))
            self._free_from_s = self._quietest(middle_s - FURTHEST_S, middle_s - NEAREST_S)
            self._silent_since_s = None
            return bounds
        end_s = silence.start_s + min(KEEP_S, (silence.end_s - silence.start_s) / 2)
        bounds = self._bounds(speech, start_s, end_s)
        self._free_from_s, self._silent_since_s = end_s, silence.start_s
        return bounds

    def _bounds(self, speech: list[Stretch], start_s: float, end_s: float) -> Bounds:
        before_s = 0.0 if self._silent_since_s is None else speech[0].start_s - self._silent_since_s
        return Bounds(
            start_s=start_s,
            end_s=end_s,
            speech=tuple(
                Stretch(start_s=stretch.start_s, end_s=min(stretch.end_s, end_s))
                for stretch in speech
                if stretch.start_s < end_s
            ),
            silence_before_s=before_s,
        )


def best_silence(speech: list[Stretch], earliest_s: float, aim_s: float, limit_s: float) -> Stretch | None:
    """Return the silence to cut in: past `earliest_s`, known no further than `limit_s`."""
    best: tuple[float, Stretch] | None = None
    for index, stretch in enumerate(speech):
        following_s = speech[index + 1].start_s if index + 1 < len(speech) else inf
        silence = Stretch(start_s=stretch.end_s, end_s=min(following_s, limit_s))
        length_s = silence.end_s - silence.start_s
        if silence.end_s <= earliest_s or length_s < SHORTEST_CUT_SILENCE_S:
            continue
        goodness = min(length_s, CLEAR_SILENCE_S) - abs(silence.start_s - aim_s) / aim_s
        if best is None or goodness > best[0]:
            best = (goodness, silence)
    return best[1] if best else None


def cuts(speech: Iterable[Stretch], *, duration_s: float, span_max_s: float, quietest: Quietest) -> list[Bounds]:
    """Return the spans of a recording whose speech is known as a whole."""
    return Cutter(span_max_s, quietest).finish(speech, duration_s=duration_s)


def speech_of(span: Span) -> tuple[Stretch, ...]:
    """Return the speech in a span, in seconds from the span's start."""
    return _from_start(span, span.speech)


def maybe_of(span: Span) -> tuple[Stretch, ...]:
    """Return what may be speech in a span, in seconds from the span's start."""
    return _from_start(span, span.maybe)


def _from_start(span: Span, stretches: Iterable[Stretch]) -> tuple[Stretch, ...]:
    return tuple(
        Stretch(start_s=round(stretch.start_s - span.start_s, 3), end_s=round(stretch.end_s - span.start_s, 3))
        for stretch in stretches
    )
