"""Clustering of voices into speakers, and their number."""

import numpy as np
import pytest

from storage.domain.records import Turn
from tasks.audio.loudness import gains
from tasks.diarization.clustering import turns
from tasks.diarization.voice_embeddings import VoiceStretch

RANDOM = np.random.default_rng(3)
VOICES = np.linalg.qr(RANDOM.standard_normal((192, 8)))[0].T  # eight voices that have nothing in common


def stretch(start_s: float, who: int | None, *, length_s: float = 3.0, spread: float = 0.4) -> VoiceStretch:
    """Return three seconds of a voice, never twice the same."""
    voice = None
    if who is not None:
        away = RANDOM.standard_normal(192)
        mixed = VOICES[who] + spread * away / np.linalg.norm(away)
        voice = (mixed / np.linalg.norm(mixed)).astype(np.float32)
    return VoiceStretch(start_s=start_s, end_s=start_s + length_s, track=0, alone_s=length_s, voice=voice)


def talk(*who: int, length_s: float = 3.0) -> list[VoiceStretch]:
    return [stretch(4.0 * place, each, length_s=length_s) for place, each in enumerate(who)]


def in_order(found: list[Turn]) -> list[int]:
    """Return the speakers in order, counted by who speaks first."""
    numbers: dict[int, int] = {}
    ordered = sorted(found, key=lambda turn: turn.start_s)
    return [numbers.setdefault(turn.speaker, len(numbers)) for turn in ordered]


@pytest.mark.parametrize("who", [(0,), (0, 0, 0, 0), (0, 1, 0, 1), (0, 1, 2, 3, 4, 5, 6, 7, 0, 3)])
def test_as_many_speakers_are_found_as_there_are_voices(who: tuple[int, ...]) -> None:
    assert in_order(turns(talk(*who), None)) == list(who)


def test_a_given_count_is_obeyed() -> None:
    three = talk(0, 1, 2, 0, 1, 2)
    assert len({turn.speaker for turn in turns(three, 2)}) == 2
    assert len({turn.speaker for turn in turns(talk(0, 0, 0, 0), 2)}) == 2


def test_a_voice_of_a_second_and_a_half_is_no_new_speaker() -> None:
    said = [*talk(0, 1, 0, 1), stretch(20.0, 2, length_s=1.5)]
    assert len({turn.speaker for turn in turns(said, None)}) == 2
    assert len({turn.speaker for turn in turns([*said, stretch(24.0, 2, length_s=1.5)], None)}) == 3


def test_a_stretch_too_short_to_say_who_it_is_goes_to_who_speaks_beside_it() -> None:
    said = [*talk(0, 1, 0), stretch(11.2, None, length_s=0.4)]
    assert in_order(turns(said, None)) == [0, 1, 0]


def test_nobody_is_found_where_nobody_speaks() -> None:
    assert turns([], None) == []


def test_pauses_inside_a_turn_are_closed() -> None:
    said = [stretch(0.0, 0), stretch(3.2, 0), stretch(7.0, 0)]
    assert [(turn.start_s, turn.end_s) for turn in turns(said, None)] == [(0.0, 6.2), (7.0, 10.0)]


def test_a_quiet_voice_is_lifted_and_the_room_is_not() -> None:
    levels = np.array([0.1] * 50 + [0.0005] * 50 + [0.0] * 50 + [0.001] * 200)
    lifted = levels * gains(levels)
    assert lifted[20:40] == pytest.approx(0.06, rel=0.05)
    assert lifted[70] > 0.005
    assert lifted[100:150].max() == 0
    assert lifted[250:300].max() < 0.0035  # a room that nobody speaks in
