"""Assemble conversations from clips with known speakers, and score diarization."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from benchmarks.speech_material import SOUND
from storage.domain.records import Stretch, Turn
from tasks.audio.decode import SAMPLE_RATE_HZ, Samples
from tasks.audio.vad import find_speech
from tests.tasks.sounds import decoded

FRAME_S = 0.01
COLLAR_S = 0.25
"""Around every start and end in the truth nothing is counted: people do not agree on it either (NIST, md-eval)."""
LEVEL_RMS = 0.06
JOINED_S = 0.3
TURN_S, PAUSE_S, OVERLAP_S = (1.5, 7.0), (0.2, 1.5), (0.5, 1.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One voice: the sound of each clip, and where speech is in it."""

    name: str
    clips: tuple[tuple[Samples, tuple[Stretch, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """Sound of several people and who of them speaks when."""

    samples: Samples
    truth: tuple[Turn, ...]

    @property
    def speakers(self) -> int:
        return len({turn.speaker for turn in self.truth})


def people(folder: Path, same: Sequence[Sequence[str]], *, levelled: bool) -> list[Person]:
    """Return the voices of a folder: a clip is one, except where `same` names clips of one person."""
    paths = {path.stem: path for path in sorted(folder.iterdir()) if path.suffix in SOUND}
    if not paths:
        raise SystemExit(f"no recordings in {folder}")
    known = [[name for name in names if name in paths] for names in same]
    alone = set(paths) - {name for names in known for name in names}
    groups = sorted([*(names for names in known if names), *([name] for name in alone)])
    return [
        Person(name=names[0], clips=tuple(_clip(paths[name], levelled=levelled) for name in names)) for names in groups
    ]


def _clip(path: Path, *, levelled: bool) -> tuple[Samples, tuple[Stretch, ...]]:
    sound = decoded(path)
    even = (sound * (LEVEL_RMS / max(1e-9, float(np.sqrt(np.mean(sound**2)))))).astype(np.float32)
    speech = find_speech(even)  # of a clip by itself, at a good level, whatever it is heard at
    return np.clip(even, -1, 1) if levelled else sound, tuple(speech)


def conversation(
    chosen: Sequence[Person], seconds: float, random: np.random.Generator, *, overlaps: bool = False
) -> Conversation:
    """Return people who take turns of 1.5 to 7 s with pauses of 0.2 to 1.5 s, or now and then over each other."""
    voices = [_pieces(person, random) for person in chosen]
    sound = np.zeros(int((seconds + 60) * SAMPLE_RATE_HZ), dtype=np.float32)
    truth: list[Turn] = []
    at = end = before = 0
    for number in count():
        if end >= seconds * SAMPLE_RATE_HZ and number >= 2 * len(chosen):
            break
        others = [each for each in range(len(chosen)) if each != before] or [before]
        who = number if number < len(chosen) else int(random.choice(others))
        piece, speech = next(voices[who])
        sound[at : at + len(piece)] += piece[: len(sound) - at]
        truth += [
            Turn(start_s=s.start_s + at / SAMPLE_RATE_HZ, end_s=s.end_s + at / SAMPLE_RATE_HZ, speaker=who)
            for s in speech
        ]
        end, before = at + len(piece), who
        gap_s = random.uniform(*PAUSE_S)
        if overlaps and number % 3 == 1:
            gap_s = -min(random.uniform(*OVERLAP_S), 0.5 * len(piece) / SAMPLE_RATE_HZ)
        at = end + int(gap_s * SAMPLE_RATE_HZ)
    return Conversation(samples=np.clip(sound[:end], -1, 1), truth=tuple(joined(truth)))


def _pieces(person: Person, random: np.random.Generator) -> Iterator[tuple[Samples, list[Stretch]]]:
    """Give out what a person says, cut in quiet moments; said again, cut elsewhere, when all was said."""
    while True:
        for place in random.permutation(len(person.clips)):
            sound, speech = person.clips[place]
            first, last = (int(edge * SAMPLE_RATE_HZ) for edge in (speech[0].start_s, speech[-1].end_s))
            while last - first > TURN_S[0] * SAMPLE_RATE_HZ:
                cut = first + int(random.uniform(*TURN_S) * SAMPLE_RATE_HZ)
                cut = last if last - cut < TURN_S[0] * SAMPLE_RATE_HZ else _quietest(sound, cut)
                yield sound[first:cut], _within(speech, first / SAMPLE_RATE_HZ, cut / SAMPLE_RATE_HZ)
                first = cut


def _quietest(sound: Samples, near: int) -> int:
    reach, width = SAMPLE_RATE_HZ // 2, SAMPLE_RATE_HZ // 50
    first = max(0, near - reach)
    energy = np.convolve(sound[first : near + reach] ** 2, np.ones(width), mode="valid")
    return first + int(energy.argmin()) + width // 2


def _within(speech: Sequence[Stretch], start_s: float, end_s: float) -> list[Stretch]:
    cut = [(max(each.start_s, start_s) - start_s, min(each.end_s, end_s) - start_s) for each in speech]
    return [Stretch(start_s=start, end_s=end) for start, end in cut if end > start]


def joined(turns: Sequence[Turn]) -> list[Turn]:
    """Return the turns of each speaker with pauses under 0.3 s closed, in order."""
    found: list[Turn] = []
    for turn in sorted(turns, key=lambda turn: (turn.speaker, turn.start_s)):
        if found and found[-1].speaker == turn.speaker and turn.start_s - found[-1].end_s < JOINED_S:
            turn = Turn(start_s=found.pop().start_s, end_s=turn.end_s, speaker=turn.speaker)  # noqa: PLW2901
        found.append(turn)
    return sorted(found, key=lambda turn: turn.start_s)


def error_rate(truth: Sequence[Turn], found: Sequence[Turn]) -> tuple[float, float]:
    """Return the seconds in error and the seconds of speech: missed, false and confused, speakers mapped at best.

    The diarization error rate is the one over the other; what is said at once counts for each who says it.
    """
    length = int(max([0.0, *(turn.end_s for turn in (*truth, *found))]) / FRAME_S) + 2
    said, heard = _activity(truth, length), _activity(found, length)
    counted = np.ones(length, dtype=bool)
    reach = round(COLLAR_S / FRAME_S)
    for edge_s in (edge for turn in truth for edge in (turn.start_s, turn.end_s)):
        counted[max(0, round(edge_s / FRAME_S) - reach) : round(edge_s / FRAME_S) + reach] = False
    said, heard = said[:, counted], heard[:, counted]
    together = said.astype(np.int64) @ heard.T.astype(np.int64)
    rows, columns = linear_sum_assignment(-together)
    right = int(together[rows, columns].sum())
    wrong = int(np.maximum(said.sum(axis=0), heard.sum(axis=0)).sum()) - right
    return wrong * FRAME_S, int(said.sum()) * FRAME_S


def _activity(turns: Sequence[Turn], length: int) -> NDArray[np.bool_]:
    speakers = sorted({turn.speaker for turn in turns})
    active = np.zeros((len(speakers), length), dtype=bool)
    for turn in turns:
        active[speakers.index(turn.speaker), round(turn.start_s / FRAME_S) : round(turn.end_s / FRAME_S)] = True
    return active
