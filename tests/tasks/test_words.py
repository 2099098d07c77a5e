"""Words on their clock: in order, none lost, inside the sound and the speech that they were heard in."""

from hypothesis import given
from hypothesis import strategies as st

from storage.records import Segment, Stretch, Word
from tasks.windows import Window
from tasks.words import EARLY_S, LATE_S, held_to, in_order, place, sentences

times = st.tuples(st.floats(0, 60), st.floats(0, 3))


def said(start_s: float, length_s: float, text: str = " word") -> Word:
    return Word(start_s=start_s, end_s=start_s + length_s, text=text, probability=1.0)


@given(st.lists(st.lists(times, min_size=1, max_size=8), max_size=8))
def test_words_follow_one_another_and_none_is_lost(parts: list[list[tuple[float, float]]]) -> None:
    segments = [
        Segment(start_s=0.0, end_s=0.0, text="", words=tuple(said(*pair, f" {number}") for pair in part))
        for number, part in enumerate(parts)
    ]
    found = list(in_order(segments))
    edges = [edge for each in found for word in each.words for edge in (word.start_s, word.end_s)]
    assert edges == sorted(edges)
    assert [word.text for each in found for word in each.words] == [
        word.text for each in segments for word in each.words
    ]


@given(st.lists(st.tuples(st.integers(1, 500), st.integers(10, 800)), min_size=1, max_size=6), st.lists(times))
def test_a_word_of_a_window_lies_in_one_of_its_pieces(
    gaps: list[tuple[int, int]], words: list[tuple[float, float]]
) -> None:
    pieces, now = [], 0
    for quiet, spoken in gaps:
        pieces.append(Stretch(start_s=(now + quiet) / 100, end_s=(now + quiet + spoken) / 100))
        now += quiet + spoken
    window = Window(pieces=tuple(pieces))
    for pair in words:
        found = place(said(*pair), window)
        assert found.start_s <= found.end_s
        assert any(piece.start_s - 1e-3 <= found.start_s and found.end_s <= piece.end_s + 1e-3 for piece in pieces)


@given(times, times)
def test_a_word_reaches_little_out_of_the_speech_it_touches(
    word: tuple[float, float], spoken: tuple[float, float]
) -> None:
    speech = Stretch(start_s=spoken[0], end_s=spoken[0] + spoken[1])
    given_word = said(*word)
    found = held_to(given_word, [speech])
    if speech.start_s < given_word.end_s and speech.end_s > given_word.start_s:
        assert found.start_s >= speech.start_s - EARLY_S - 1e-3
        assert found.end_s <= speech.end_s + LATE_S + 1e-3
    else:
        assert found == given_word


@given(st.lists(times, max_size=30))
def test_every_word_is_in_one_sentence(pairs: list[tuple[float, float]]) -> None:
    words = [said(*pair, f" {number}." if number % 5 == 0 else f" {number}") for number, pair in enumerate(pairs)]
    assert [word for sentence in sentences(words) for word in sentence] == words
