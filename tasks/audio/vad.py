"""Detect speech in a stream with Silero VAD v6, carrying its state across blocks.

The model is the one that faster-whisper ships, with faster-whisper's thresholds
(https://github.com/snakers4/silero-vad). It receives levelled audio (`tasks.audio.gain_control`). Its probabilities
differ in their last bits between processors, so the bounds of a stretch move to the quietest moments nearby, which
integer arithmetic decides: one frame's uncertain decision rarely shows.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.domain.records import Stretch
from tasks.audio.channels import as_ints
from tasks.audio.decode import SAMPLE_RATE_HZ, Samples
from tasks.audio.gain_control import FRAME, GainControl, Levelled

CONTEXT = 64  # samples of the previous frame that the model also receives
BLOCK = 10 * SAMPLE_RATE_HZ  # processed at once, to bound memory
FRAME_S = FRAME / SAMPLE_RATE_HZ
THRESHOLD = 0.5
NEGATIVE_THRESHOLD = 0.35
SHORTEST_SILENCE = SHORTEST_SPEECH = 4  # frames: 0.13 s
REACH = 16  # frames within which a bound moves to a quiet frame
WIDE = 8  # this many silent frames separate two stretches even with only one quiet frame between them


@cache
def _session() -> Any:
    import onnxruntime

    package = find_spec("faster_whisper")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("faster_whisper")
    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    model = Path(package.submodule_search_locations[0]) / "assets" / "silero_vad_v6.onnx"
    return onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"], sess_options=options)


class Voice:
    """Speech probabilities of a stream, one for each frame of 32 ms."""

    def __init__(self) -> None:
        self._h = np.zeros((1, 1, 128), dtype=np.float32)
        self._c = np.zeros((1, 1, 128), dtype=np.float32)
        self._context = np.zeros(CONTEXT, dtype=np.float32)

    def probabilities(self, samples: Samples) -> NDArray[np.float32]:
        """Return the probabilities of the next whole frames (float32 mono, 16 kHz)."""
        if not len(samples):
            return np.zeros(0, dtype=np.float32)
        frames = samples.reshape(-1, FRAME)
        contexts = np.vstack((self._context, frames[:-1, -CONTEXT:]))
        self._context = frames[-1, -CONTEXT:].copy()
        feed = {"input": np.hstack((contexts, frames)), "h": self._h, "c": self._c}
        probabilities, self._h, self._c = _session().run(None, feed)
        return np.asarray(probabilities, dtype=np.float32).reshape(-1)


@dataclass(slots=True)
class _OpenStretch:
    """A stretch that starts at a quiet frame; `behind` starts the silence after it."""

    start: int
    behind: int | None = None


class SpeechFinder:
    """Finds speech in a stream; returns a stretch once the silence after it is certain.

    `voice` gives the speech probability of levelled frames.
    """

    def __init__(self, voice: Voice | None = None) -> None:
        self._gain, self._voice = GainControl(), voice or Voice()
        self._samples = self._frames = 0
        self._quiet: deque[int] = deque(maxlen=3 * REACH)  # the latest quiet frames
        self._start: int | None = None  # frame at which the detector first found speech
        self._silent_from: int | None = None  # frame at which that speech may have ended
        self._found: _OpenStretch | None = None  # a stretch that is open, or that following speech may still extend

    @property
    def open_since_s(self) -> float | None:
        """Start of the stretch that is still open, or None in silence."""
        if self._found is not None:
            return _moment_s(self._found.start)
        return None if self._start is None else _moment_s(self._quiet_before(self._start))

    @property
    def settled_s(self) -> float:
        """Everything before this moment is final."""
        return (self._frames - REACH - SHORTEST_SILENCE - SHORTEST_SPEECH) * FRAME_S

    @property
    def length_s(self) -> float:
        return self._samples / SAMPLE_RATE_HZ

    def push(self, block: Samples) -> list[Stretch]:
        """Process one block and return the stretches that ended in it."""
        self._samples += len(block)
        return list(self._ended(self._gain.push(as_ints(block))))

    def finish(self) -> list[Stretch]:
        """Return the remaining stretches at the end of the stream."""
        ended = list(self._ended(self._gain.finish()))
        if self._found is not None:
            if self._found.behind is None:
                self._found.behind = self._silent_from or self._frames
            ended.append(self._stretch(self._found))
        self._found = self._start = self._silent_from = None
        return ended

    def _ended(self, levelled: Levelled) -> Iterator[Stretch]:
        probabilities = self._voice.probabilities(levelled.samples)
        for probability, quiet in zip(probabilities.tolist(), levelled.quiet.tolist(), strict=True):
            frame = self._frames
            self._frames += 1
            if quiet:
                self._quiet.append(frame)
            if probability >= THRESHOLD:
                self._silent_from = None
                self._start = frame if self._start is None else self._start
            elif self._start is not None and probability < NEGATIVE_THRESHOLD and self._silent_from is None:
                self._silent_from = frame
            yield from self._begun(frame)
            yield from self._over(frame)

    def _begun(self, frame: int) -> Iterator[Stretch]:
        """Open a stretch once there is enough speech: extend the previous one or return it."""
        if self._start is None or self._silent_from is not None or frame + 1 - self._start < SHORTEST_SPEECH:
            return
        if self._found is not None and self._found.behind is not None:
            if self._belongs(self._found.behind, self._start):
                self._found.behind = None
                return
            yield self._stretch(self._found)
            self._found = None
        if self._found is None:
            self._found = _OpenStretch(self._quiet_before(self._start))

    def _over(self, frame: int) -> Iterator[Stretch]:
        """Close a stretch after enough silence, and return it once nothing can extend it."""
        if self._silent_from is not None and frame + 1 - self._silent_from >= SHORTEST_SILENCE:
            if self._found is not None and self._found.behind is None:
                self._found.behind = self._silent_from
            self._start = self._silent_from = None
        if self._found is None or self._found.behind is None:
            return
        last = self._found.behind + REACH
        if frame >= last and (self._start is None or self._start > last):
            yield self._stretch(self._found)
            self._found = None

    def _belongs(self, behind: int, start: int) -> bool:
        """Return whether a silence is too short to separate two stretches."""
        quiet_frames = sum(behind <= quiet <= start for quiet in self._quiet)
        return quiet_frames == 0 or (quiet_frames == 1 and start - behind < WIDE)

    def _quiet_before(self, start: int) -> int:
        return next((quiet for quiet in reversed(self._quiet) if start - REACH <= quiet <= start), start)

    def _stretch(self, open_stretch: _OpenStretch) -> Stretch:
        assert open_stretch.behind is not None  # noqa: S101
        behind = open_stretch.behind
        end = next((quiet for quiet in self._quiet if behind <= quiet <= behind + REACH), behind)
        return Stretch(start_s=_moment_s(open_stretch.start), end_s=min(_moment_s(end), round(self.length_s, 3)))


def _moment_s(frame: int) -> float:
    return round(frame * FRAME_S, 3)


def find_speech(pcm: Samples) -> tuple[Stretch, ...]:
    """Return the speech in float32 mono samples at 16 kHz, in seconds."""
    finder = SpeechFinder()
    stretches = [stretch for first in range(0, len(pcm), BLOCK) for stretch in finder.push(pcm[first : first + BLOCK])]
    return (*stretches, *finder.finish())
