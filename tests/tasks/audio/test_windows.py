"""Windows: all speech once, bounded length, invertible times."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.domain.records import Stretch
from tasks.audio.windows import PAD_S, WINDOW_S, Window, behind, narrower, pack, quietest_in
from tests.tasks.sounds import RATE_HZ, silence, tone

pieces = st.lists(st.tuples(st.integers(10, 1500), st.integers(10, 8000)), max_size=40)


def speech_of(parts: list[tuple[int, int]]) -> tuple[list[Stretch], float]:
    found, now = [], 0
    for quiet, spoken in parts:
        found.append(Stretch(start_s=(now + quiet) / 100, end_s=(now + quiet + spoken) / 100))
        now += quiet + spoken
    return found, now / 100 + 1


def middle(start_s: float, end_s: float) -> float:
    return (start_s + end_s) / 2


@given(pieces)
def test_every_bit_of_speech_is_in_one_window(parts: list[tuple[int, int]]) -> None:
    speech, duration_s = speech_of(parts)
    windows = pack(speech, duration_s=duration_s, quietest=middle)
    heard = [piece for window in windows for piece in window.pieces]
    assert all(before.end_s <= after.start_s + 1e-9 for before, after in itertools.pairwise(heard))
    for stretch in speech:
        inside_s = sum(
            max(0.0, min(piece.end_s, stretch.end_s) - max(piece.start_s, stretch.start_s)) for piece in heard
        )
        assert inside_s == pytest.approx(stretch.end_s - stretch.start_s, abs=0.011)


@given(pieces)
def test_no_window_is_longer_than_the_models(parts: list[tuple[int, int]]) -> None:
    speech, duration_s = speech_of(parts)
    windows = pack(speech, duration_s=duration_s, quietest=middle)
    assert all(window.length_s <= WINDOW_S + 1e-6 for window in windows)
    assert all(piece.start_s >= 0 and piece.end_s <= duration_s for window in windows for piece in window.pieces)


@given(pieces, st.floats(1.0, 20.0))
def test_narrower_windows_hold_the_same_sound(parts: list[tuple[int, int]], length_s: float) -> None:
    speech, duration_s = speech_of(parts)
    for window in pack(speech, duration_s=duration_s, quietest=middle):
        found = narrower(window, length_s, middle)
        assert sum(part.length_s for part in found) == pytest.approx(window.length_s)
        assert all(part.length_s <= length_s for part in found)


def test_a_moment_of_a_window_is_a_moment_of_the_span() -> None:
    window = Window(pieces=(Stretch(start_s=2.0, end_s=5.0), Stretch(start_s=20.0, end_s=24.0)))
    assert window.length_s == 7.0
    assert window.to_span_s(1.0, window.piece_at(1.0)) == 3.0
    assert window.to_span_s(4.5, window.piece_at(4.5)) == 21.5
    assert window.to_span_s(9.0, window.piece_at(9.0)) == 24.0


def test_who_speaks_after_a_second_of_silence_gets_a_window() -> None:
    speech = [Stretch(start_s=10.0, end_s=14.0), Stretch(start_s=15.5, end_s=20.0)]
    first, second = pack(speech, duration_s=50.0, quietest=middle)
    assert first.length_s == pytest.approx(4.0 + 2 * PAD_S)
    assert second.length_s == pytest.approx(4.5 + 2 * PAD_S)


def test_a_single_word_shares_a_window_with_its_neighbour() -> None:
    speech = [Stretch(start_s=10.0, end_s=14.0), Stretch(start_s=15.5, end_s=15.9)]
    (window,) = pack(speech, duration_s=50.0, quietest=middle)
    assert window.length_s == pytest.approx(4.4 + 4 * PAD_S, abs=0.02)


def test_speech_with_short_pauses_makes_windows_of_about_ten_seconds() -> None:
    speech = [Stretch(start_s=4.0 * n, end_s=4.0 * n + 3.6) for n in range(10)]
    lengths = [window.length_s for window in pack(speech, duration_s=41.0, quietest=middle)]
    assert all(7.0 < length_s < 17.0 for length_s in lengths)


def test_speech_without_a_pause_is_split_where_it_is_quietest() -> None:
    pcm = np.concatenate([tone(19.0), silence(0.2), tone(20.8)])
    first, second = pack([Stretch(start_s=0.0, end_s=40.0)], duration_s=40.0, quietest=quietest_in(pcm))
    assert 19.0 <= first.end_s == second.start_s <= 19.2
    assert len(first.samples(pcm)) + len(second.samples(pcm)) == 40 * RATE_HZ


def test_windows_part_at_wide_silences() -> None:
    ends = (4.0, 8.0, 12.0, 16.0, 22.0, 26.0, 30.0, 34.0)
    speech = [Stretch(start_s=end - 3.8, end_s=end) for end in ends]
    first, second = pack(speech, duration_s=35.0, quietest=middle)
    assert first.end_s < 17.0
    assert second.start_s > 17.0


def test_stretches_part_in_the_pause_and_not_where_a_late_detector_tells_of_it() -> None:
    pcm = np.concatenate([tone(9.4), silence(0.1), tone(10.5)])
    speech = [Stretch(start_s=0.0, end_s=9.76), Stretch(start_s=9.89, end_s=20.0)]
    first, second = pack(speech, duration_s=20.0, quietest=quietest_in(pcm), window_s=15.0)
    assert 9.4 <= first.end_s == second.start_s <= 9.5


@pytest.mark.parametrize(("at_s", "starts_s"), [(3.0, [3.0, 20.0]), (6.0, [20.0]), (2.5, []), (23.5, []), (30.0, [])])
def test_what_lies_behind_a_moment_is_neither_all_nor_nothing(at_s: float, starts_s: list[float]) -> None:
    window = Window(pieces=(Stretch(start_s=2.0, end_s=5.0), Stretch(start_s=20.0, end_s=24.0)))
    part = behind(window, at_s)
    assert [piece.start_s for piece in (part.pieces if part else ())] == starts_s
