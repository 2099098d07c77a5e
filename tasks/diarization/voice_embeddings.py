"""Find stretches with a single voice, and compute an embedding for each.

pyannote segmentation 3.0 (https://arxiv.org/abs/2310.13025) separates up to three speakers within ten seconds. Windows
overlap, and their speakers are matched by their overlaps, so that three tracks run through the recording; every run of
a track is cut into stretches of at most four seconds. Which person speaks in a stretch is not decided here: a track
belongs to one person only until somebody else takes it over.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise, permutations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.audio.decode import SAMPLE_RATE_HZ, Samples
from tasks.diarization.speaker_models import GRAPHS, session

WINDOW = 10 * SAMPLE_RATE_HZ
HOP = WINDOW // 4
STEP, FIELD = 270, 991  # samples between frames of the segmentation, and the receptive field of a frame
FRAMES = 589  # of a window
SPEAKERS = 3
STEP_S = STEP / SAMPLE_RATE_HZ
FIRST_S = (FIELD - STEP) / 2 / SAMPLE_RATE_HZ  # the time that the first frame starts to represent
ACTIVE = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1)], dtype=np.float32)
"""The active speakers in each class of the model's powerset."""
LONGEST_S, JOINED_S, SHORTEST_S, CLEAN_S = 4.0, 0.3, 0.1, 0.4
FEATURE_HOP, FEATURE_WINDOW, FEATURES = 160, 400, 80
FEWEST_FEATURES = 20

Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]
ReadSound = Callable[[int, int], Samples]
"""Returns the samples between two indices, float32 mono, 16 kHz."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceStretch:
    """A few seconds of one voice: its track, how long it speaks alone, its embedding.

    The embedding has 192 numbers.
    """

    start_s: float
    end_s: float
    track: int
    alone_s: float
    voice: Floats | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerModels:
    """Both models, loaded."""

    segmentation: Any
    embedding: Any

    @classmethod
    def load(cls, folder: Path, threads: int = 1) -> "SpeakerModels":
        return cls(
            segmentation=session(GRAPHS / "segmentation.onnx", folder, threads),
            embedding=session(GRAPHS / "embedding.onnx", folder, threads),
        )


def stretches(models: SpeakerModels, read: ReadSound, length: int) -> Iterator[VoiceStretch]:
    """Yield all stretches of a recording of `length` samples, ordered by start."""
    active = tracks(models, read, length) > 0.5
    for first, behind, track in runs(active):
        alone = active[first:behind, track] & (active[first:behind].sum(axis=1) == 1)
        sound = read(first * STEP, min(behind * STEP + FIELD - STEP, length))
        alone_s = float(alone.sum()) * STEP_S
        used = alone if alone_s >= CLEAN_S else active[first:behind, track]
        yield VoiceStretch(
            start_s=first * STEP_S + FIRST_S,
            end_s=min(behind * STEP_S + FIRST_S, length / SAMPLE_RATE_HZ),
            track=track,
            alone_s=alone_s,
            voice=_voice(models, sound, used),
        )


def tracks(models: SpeakerModels, read: ReadSound, length: int) -> Floats:
    """Return the activity of each of three speakers in each frame, shape (frames, 3)."""
    last = max(0, length - WINDOW)
    starts = [*range(0, last, HOP), last]
    sums = np.zeros((round(last / STEP) + FRAMES, SPEAKERS), dtype=np.float32)
    counts = np.zeros((len(sums), 1), dtype=np.float32)
    for start in starts:
        place = slice(round(start / STEP), round(start / STEP) + FRAMES)
        activity = ACTIVE[_segmented(models, read(start, min(start + WINDOW, length)))]
        covered = counts[place, 0] > 0
        earlier = sums[place][covered] / counts[place][covered]
        sums[place] += activity[:, _order(earlier, activity[covered])]
        counts[place] += 1
    return sums / counts


def _segmented(models: SpeakerModels, sound: Samples) -> NDArray[np.int64]:
    window = np.zeros((1, 1, WINDOW), dtype=np.float32)
    window[0, 0, : len(sound)] = sound
    scores: NDArray[np.int64] = models.segmentation.run(None, {"x": window})[0][0].argmax(axis=1)
    return scores


def _order(earlier: Floats, activity: Floats) -> list[int]:
    """Return the order of a window's speakers that best matches the earlier tracks."""
    agreement = earlier.T @ activity
    orders = [list(order) for order in permutations(range(SPEAKERS))]
    return max(orders, key=lambda order: float(agreement[range(SPEAKERS), order].sum()))


def runs(active: Bools) -> list[tuple[int, int, int]]:
    """Return (first frame, frame after the last, track) of every stretch, ordered by start.

    A pause of less than 0.3 s in which nobody speaks does not end a stretch; one longer than 4 s is cut into equal
    parts.
    """
    stretches_found: list[tuple[int, int, int]] = []
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
            stretches_found += [(a, b, track) for a, b in pairwise(cuts) if (b - a) * STEP_S >= SHORTEST_S]
    return sorted(stretches_found)


def _voice(models: SpeakerModels, sound: Samples, used: Bools) -> Floats | None:
    """Return the normalised embedding of the used frames, or None if they are too few."""
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
