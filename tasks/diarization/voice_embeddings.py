"""Find stretches in which one voice speaks, and describe each voice in numbers.

pyannote segmentation 3.0 (https://arxiv.org/abs/2310.13025) tells up to three speakers of ten seconds apart. Windows
overlap, and their speakers are put in one order by where they overlap, so that three tracks run through the recording;
every run of a track is cut into stretches of at most four seconds. Who it is that speaks in one is not decided here:
a track is one person's only as long as nobody else takes it over.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise, permutations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.decode import SAMPLE_RATE_HZ, Samples
from tasks.speaker_models import GRAPHS, session

WINDOW = 10 * SAMPLE_RATE_HZ
HOP = WINDOW // 4
STEP, FIELD = 270, 991  # samples from one frame of the segmentation to the next, and that one frame looks at
FRAMES = 589  # of a window
SPEAKERS = 3
STEP_S = STEP / SAMPLE_RATE_HZ
FIRST_S = (FIELD - STEP) / 2 / SAMPLE_RATE_HZ  # where the first frame begins to stand for what it hears
ACTIVE = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1)], dtype=np.float32)
"""Who speaks in each class of the model's powerset."""
LONGEST_S, JOINED_S, SHORTEST_S, CLEAN_S = 4.0, 0.3, 0.1, 0.4
FEATURE_HOP, FEATURE_WINDOW, FEATURES = 160, 400, 80
FEWEST_FEATURES = 20

Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]
ReadSound = Callable[[int, int], Samples]
"""Returns the samples from one place to another, float32 mono, 16 kHz."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Some seconds of one voice: of which track, how long nobody else speaks, and the voice (192 numbers)."""

    start_s: float
    end_s: float
    track: int
    alone_s: float
    voice: Floats | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """Both models, loaded."""

    segmentation: Any
    embedding: Any

    @classmethod
    def load(cls, folder: Path, threads: int = 1) -> "Models":
        return cls(
            segmentation=session(GRAPHS / "segmentation.onnx", folder, threads),
            embedding=session(GRAPHS / "embedding.onnx", folder, threads),
        )


def stretches(models: Models, read: ReadSound, length: int) -> Iterator[Stretch]:
    """Yield all stretches of a recording of `length` samples, by their starts."""
    active = tracks(models, read, length) > 0.5
    for first, behind, track in runs(active):
        alone = active[first:behind, track] & (active[first:behind].sum(axis=1) == 1)
        sound = read(first * STEP, min(behind * STEP + FIELD - STEP, length))
        alone_s = float(alone.sum()) * STEP_S
        used = alone if alone_s >= CLEAN_S else active[first:behind, track]
        yield Stretch(
            start_s=first * STEP_S + FIRST_S,
            end_s=min(behind * STEP_S + FIRST_S, length / SAMPLE_RATE_HZ),
            track=track,
            alone_s=alone_s,
            voice=_voice(models, sound, used),
        )


def tracks(models: Models, read: ReadSound, length: int) -> Floats:
    """Return how surely each of three speakers is active in each frame, shape (frames, 3)."""
    last = max(0, length - WINDOW)
    starts = [*range(0, last, HOP), last]
    sums = np.zeros((round(last / STEP) + FRAMES, SPEAKERS), dtype=np.float32)
    counts = np.zeros((len(sums), 1), dtype=np.float32)
    for start in starts:
        place = slice(round(start / STEP), round(start / STEP) + FRAMES)
        heard = ACTIVE[_segmented(models, read(start, min(start + WINDOW, length)))]
        known = counts[place, 0] > 0
        before = sums[place][known] / counts[place][known]
        sums[place] += heard[:, _order(before, heard[known])]
        counts[place] += 1
    return sums / counts


def _segmented(models: Models, sound: Samples) -> NDArray[np.int64]:
    window = np.zeros((1, 1, WINDOW), dtype=np.float32)
    window[0, 0, : len(sound)] = sound
    scores: NDArray[np.int64] = models.segmentation.run(None, {"x": window})[0][0].argmax(axis=1)
    return scores


def _order(before: Floats, heard: Floats) -> list[int]:
    """Return in which order the speakers of a window agree best with the tracks before it."""
    together = before.T @ heard
    orders = [list(order) for order in permutations(range(SPEAKERS))]
    return max(orders, key=lambda order: float(together[range(SPEAKERS), order].sum()))


def runs(active: Bools) -> list[tuple[int, int, int]]:
    """Return (first frame, frame behind, track) of every stretch, by their starts.

    Pauses of less than 0.3 s in which nobody speaks are no ends; a run longer than 4 s is cut into equal parts.
    """
    found: list[tuple[int, int, int]] = []
    nobody = np.logical_not(active.any(axis=1))
    for track in range(active.shape[1]):
        edges = np.flatnonzero(np.diff(np.concatenate(([False], active[:, track], [False])).astype(np.int8)))
        whole: list[list[int]] = []
        for first, behind in edges.reshape(-1, 2).tolist():
            if whole and (first - whole[-1][1]) * STEP_S < JOINED_S and nobody[whole[-1][1] : first].all():
                whole[-1][1] = behind
            else:
                whole.append([first, behind])
        for first, behind in whole:
            parts = max(1, int(np.ceil((behind - first) * STEP_S / LONGEST_S)))
            cuts = np.linspace(first, behind, parts + 1).round().astype(int).tolist()
            found += [(a, b, track) for a, b in pairwise(cuts) if (b - a) * STEP_S >= SHORTEST_S]
    return sorted(found)


def _voice(models: Models, sound: Samples, used: Bools) -> Floats | None:
    """Return what the voice is like in the frames that are used, of length 1, or None where they are too few."""
    features = fbank(sound)
    if len(features) < FEWEST_FEATURES:
        return None
    places = (np.arange(len(features)) * FEATURE_HOP + FEATURE_WINDOW // 2 - FIELD // 2) / STEP
    features = features[used[np.clip(places.round().astype(int), 0, len(used) - 1)]]
    if len(features) < FEWEST_FEATURES:
        return None
    centred = (features - features.mean(axis=0)).astype(np.float32)
    voice: Floats = models.embedding.run(None, {"x": centred[np.newaxis]})[0][0]
    return voice / np.float32(np.linalg.norm(voice))


def fbank(sound: Samples) -> Floats:
    """Return Kaldi's log mel filter banks, shape (frames, 80), one frame every 10 ms."""
    import kaldi_native_fbank as kaldi

    options = kaldi.FbankOptions()
    options.frame_opts.dither = 0
    options.frame_opts.samp_freq = SAMPLE_RATE_HZ
    options.mel_opts.num_bins = FEATURES
    computed = kaldi.OnlineFbank(options)
    computed.accept_waveform(SAMPLE_RATE_HZ, sound)
    computed.input_finished()
    frames = [computed.get_frame(index) for index in range(computed.num_frames_ready)]
    return np.array(frames, dtype=np.float32).reshape(-1, FEATURES)
