"""Find speech in a stream: Silero VAD v6, as faster-whisper ships it, with its state carried from block to block.

The thresholds are faster-whisper's; https://github.com/snakers4/silero-vad is the model's own home.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.records import Stretch
from tasks.decode import SAMPLE_RATE_HZ, Samples

FRAME = 512  # samples that one probability stands for: 32 ms
CONTEXT = 64  # samples of the frame before that the model also sees
FRAME_S = FRAME / SAMPLE_RATE_HZ
THRESHOLD = 0.5
NEGATIVE_THRESHOLD = 0.35
SHORTEST_SILENCE_S = 0.1
SHORTEST_SPEECH_S = 0.1


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
    """Speech probabilities of a stream, one for each 32 ms; a block's tail waits for the next block."""

    def __init__(self) -> None:
        self._h = np.zeros((1, 1, 128), dtype=np.float32)
        self._c = np.zeros((1, 1, 128), dtype=np.float32)
        self._context = np.zeros(CONTEXT, dtype=np.float32)
        self._waiting = np.zeros(0, dtype=np.float32)

    def push(self, block: Samples) -> NDArray[np.float32]:
        """Return the probabilities of all whole frames up to the end of `block` (float32 mono, 16 kHz)."""
        samples = np.concatenate((self._waiting, block))
        whole = len(samples) // FRAME * FRAME
        self._waiting = samples[whole:].copy()
        if not whole:
            return np.zeros(0, dtype=np.float32)
        frames = samples[:whole].reshape(-1, FRAME)
        contexts = np.vstack((self._context, frames[:-1, -CONTEXT:]))
        self._context = frames[-1, -CONTEXT:].copy()
        feed = {"input": np.hstack((contexts, frames)), "h": self._h, "c": self._c}
        found, self._h, self._c = _session().run(None, feed)
        return np.asarray(found, dtype=np.float32).reshape(-1)

    def finish(self) -> NDArray[np.float32]:
        """Return the probability of the last, unfinished frame, filled up with silence."""
        if not len(self._waiting):
            return np.zeros(0, dtype=np.float32)
        return self.push(np.zeros(FRAME - len(self._waiting), dtype=np.float32))


class SpeechFinder:
    """Speech stretches of a stream; a stretch is given out once the silence behind it is certain."""

    def __init__(self) -> None:
        self._voice = Voice()
        self._frames = 0
        self._samples = 0
        self._start: int | None = None  # frame at which the open stretch began
        self._silent_from: int | None = None  # frame at which it may have ended

    @property
    def open_since_s(self) -> float | None:
        """Start of a stretch that has not ended yet, or None in silence."""
        return None if self._start is None else self._start * FRAME_S

    @property
    def settled_s(self) -> float:
        """Everything before this moment is decided."""
        return self._frames * FRAME_S - SHORTEST_SILENCE_S - FRAME_S

    @property
    def length_s(self) -> float:
        return self._samples / SAMPLE_RATE_HZ

    def push(self, block: Samples) -> list[Stretch]:
        """Read one block and return the stretches that ended in it."""
        self._samples += len(block)
        return self._ended(self._voice.push(block))

    def finish(self) -> list[Stretch]:
        """Return what is left when the stream has ended."""
        ended = self._ended(self._voice.finish())
        if self._start is not None:
            last = self._stretch(self._start, self._silent_from or self._frames)
            self._start = self._silent_from = None
            ended += last
        return ended

    def _ended(self, probabilities: NDArray[np.float32]) -> list[Stretch]:
        ended: list[Stretch] = []
        for probability in probabilities.tolist():
            frame = self._frames
            self._frames += 1
            if probability >= THRESHOLD:
                self._silent_from = None
                if self._start is None:
                    self._start = frame
            elif self._start is not None and (probability < NEGATIVE_THRESHOLD or self._silent_from is not None):
                self._silent_from = frame if self._silent_from is None else self._silent_from
                if (frame + 1 - self._silent_from) * FRAME_S >= SHORTEST_SILENCE_S:
                    ended += self._stretch(self._start, self._silent_from)
                    self._start = self._silent_from = None
        return ended

    def _stretch(self, first: int, behind: int) -> list[Stretch]:
        end_s = min(behind * FRAME_S, self.length_s)
        if end_s - first * FRAME_S < SHORTEST_SPEECH_S:
            return []
        return [Stretch(start_s=round(first * FRAME_S, 3), end_s=round(end_s, 3))]


def find_speech(pcm: Samples) -> tuple[Stretch, ...]:
    """Return the speech in float32 mono samples at 16 kHz, in seconds from the first sample."""
    finder = SpeechFinder()
    return (*finder.push(pcm), *finder.finish())
