"""Cluster voice embeddings by average linkage over cosine distances.

The clusters also give the number of speakers.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from storage.domain.records import Turn
from tasks.diarization.voice_embeddings import STEP_S, Floats, VoiceStretch

SAME_VOICE = 0.54
"""Clusters with at most this average distance are one speaker; docs/decisions/0007-speakers.md."""
SURE_S = 1.0
"""Stretches with less of a voice alone are too noisy to define a speaker."""
SPEAKS_S = 2.0
"""A voice with less speech, alone and in reliable stretches, is not a new speaker."""
MOST = 8000
"""The number of longest stretches to compare: a third of a gigabyte of distances."""
JOINED_S, SHORTEST_S = 0.3, 0.2

Ints = NDArray[np.int64]


def turns(stretches: Sequence[VoiceStretch], speakers: int | None) -> list[Turn]:
    """Return the speaker turns; `speakers` is their number, if known."""
    embedded = [stretch for stretch in stretches if stretch.voice is not None]
    if not embedded:
        return joined((stretch, 0) for stretch in stretches)
    voices = np.stack([stretch.voice for stretch in embedded if stretch.voice is not None])
    centres = _centres(voices, np.array([stretch.alone_s for stretch in embedded]), speakers)
    numbers = (voices @ centres.T).argmax(axis=1).tolist()
    assigned = list(zip(embedded, numbers, strict=True))
    too_short = [stretch for stretch in stretches if stretch.voice is None]
    return joined([*assigned, *((stretch, _beside(stretch, assigned)) for stretch in too_short)])


def _centres(voices: Floats, alone_s: NDArray[np.float64], speakers: int | None) -> Floats:
    """Return the mean embedding of each speaker, shape (speakers, 192)."""
    reliable = np.argsort(-alone_s, kind="stable")[:MOST]
    reliable = np.sort(reliable[: max(1, int((alone_s[reliable] >= SURE_S).sum()), speakers or 0)])
    clusters = _clusters(voices[reliable], speakers)
    weights = alone_s[reliable] + STEP_S
    spoken_s = np.bincount(clusters, weights=weights)
    speakers_kept = np.arange(len(spoken_s)) if speakers else np.flatnonzero(spoken_s >= min(SPEAKS_S, spoken_s.max()))
    centres = np.stack([weights[clusters == each] @ voices[reliable][clusters == each] for each in speakers_kept])
    return np.asarray(centres / np.linalg.norm(centres, axis=1, keepdims=True), dtype=np.float32)


def _clusters(voices: Floats, speakers: int | None) -> Ints:
    """Return the cluster number of each embedding, from 0."""
    from scipy.cluster.hierarchy import fcluster, linkage

    if len(voices) < 2:
        return np.zeros(len(voices), dtype=np.int64)
    tree = linkage(voices, method="average", metric="cosine")
    clusters: Ints = fcluster(tree, speakers, "maxclust") if speakers else fcluster(tree, SAME_VOICE, "distance")
    return clusters - 1


def _beside(stretch: VoiceStretch, assigned: Iterable[tuple[VoiceStretch, int]]) -> int:
    """Return the speaker nearest to a stretch that is too short to have an embedding."""
    return min(assigned, key=lambda pair: abs(pair[0].start_s - stretch.start_s))[1]


def joined(numbered: Iterable[tuple[VoiceStretch, int]]) -> list[Turn]:
    """Return each speaker's turns, without pauses under 0.3 s and turns under 0.2 s."""
    merged: list[Turn] = []
    for stretch, speaker in sorted(numbered, key=lambda pair: (pair[1], pair[0].start_s)):
        start_s, end_s = stretch.start_s, stretch.end_s
        if merged and merged[-1].speaker == speaker and start_s - merged[-1].end_s < JOINED_S:
            previous = merged.pop()
            start_s, end_s = previous.start_s, max(previous.end_s, end_s)
        merged.append(Turn(start_s=start_s, end_s=end_s, speaker=speaker))
    return [turn for turn in merged if turn.end_s - turn.start_s >= SHORTEST_S]
