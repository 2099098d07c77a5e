"""Tell which stretches are of the same voice: average linkage over cosine distances, and from it how many speak."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from storage.records import Turn
from tasks.local_speakers import STEP_S, Floats, Stretch

SAME_VOICE = 0.54
"""Clusters of voices that are on average no further apart are one person's; docs/decisions/0007-speakers.md."""
SURE_S = 1.0
"""Stretches with less of a voice alone are not asked who speaks here: their voices are too noisy."""
SPEAKS_S = 2.0
"""Whoever is heard for less, alone and in sure stretches, is nobody new."""
MOST = 8000
"""So many stretches are compared with each other, the longest: a third of a gigabyte of distances."""
JOINED_S, SHORTEST_S = 0.3, 0.2

Ints = NDArray[np.int64]


def turns(stretches: Sequence[Stretch], speakers: int | None) -> list[Turn]:
    """Return who speaks when; `speakers` is how many there are, if that is known."""
    heard = [stretch for stretch in stretches if stretch.voice is not None]
    if not heard:
        return joined((stretch, 0) for stretch in stretches)
    voices = np.stack([stretch.voice for stretch in heard if stretch.voice is not None])
    centres = _centres(voices, np.array([stretch.alone_s for stretch in heard]), speakers)
    numbers = (voices @ centres.T).argmax(axis=1).tolist()
    known = list(zip(heard, numbers, strict=True))
    unheard = [stretch for stretch in stretches if stretch.voice is None]
    return joined([*known, *((stretch, _beside(stretch, known)) for stretch in unheard)])


def _centres(voices: Floats, alone_s: NDArray[np.float64], speakers: int | None) -> Floats:
    """Return what each speaker's voice is like on average, shape (speakers, 192)."""
    sure = np.argsort(-alone_s, kind="stable")[:MOST]
    sure = np.sort(sure[: max(1, int((alone_s[sure] >= SURE_S).sum()), speakers or 0)])
    found = _clusters(voices[sure], speakers)
    weights = alone_s[sure] + STEP_S
    spoken_s = np.bincount(found, weights=weights)
    kept = np.arange(len(spoken_s)) if speakers else np.flatnonzero(spoken_s >= min(SPEAKS_S, spoken_s.max()))
    centres = np.stack([weights[found == each] @ voices[sure][found == each] for each in kept])
    return np.asarray(centres / np.linalg.norm(centres, axis=1, keepdims=True), dtype=np.float32)


def _clusters(voices: Floats, speakers: int | None) -> Ints:
    """Return the number of each voice's cluster, from 0."""
    from scipy.cluster.hierarchy import fcluster, linkage

    if len(voices) < 2:
        return np.zeros(len(voices), dtype=np.int64)
    tree = linkage(voices, method="average", metric="cosine")
    found: Ints = fcluster(tree, speakers, "maxclust") if speakers else fcluster(tree, SAME_VOICE, "distance")
    return found - 1


def _beside(stretch: Stretch, known: Iterable[tuple[Stretch, int]]) -> int:
    """Return who speaks nearest to a stretch that is too short to say itself."""
    return min(known, key=lambda pair: abs(pair[0].start_s - stretch.start_s))[1]


def joined(numbered: Iterable[tuple[Stretch, int]]) -> list[Turn]:
    """Return the turns of each speaker, with pauses under 0.3 s closed and what is shorter than 0.2 s left out."""
    found: list[Turn] = []
    for stretch, speaker in sorted(numbered, key=lambda pair: (pair[1], pair[0].start_s)):
        start_s, end_s = stretch.start_s, stretch.end_s
        if found and found[-1].speaker == speaker and start_s - found[-1].end_s < JOINED_S:
            before = found.pop()
            start_s, end_s = before.start_s, max(before.end_s, end_s)
        found.append(Turn(start_s=start_s, end_s=end_s, speaker=speaker))
    return [turn for turn in found if turn.end_s - turn.start_s >= SHORTEST_S]
