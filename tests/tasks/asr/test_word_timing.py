"""Word times: ordered, complete, inside the audio and the detected speech."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from storage.domain.records import Segment, Stretch, Word
from tasks.asr.confidence import LONGEST_WORD_S, WindowText
from tasks.asr.word_timing import (
    EARLY_S,
    LATE_S,
    held_to,
    in_order,
    no_longer_than_said,
    place,
    sentences,
    without_echoes,
)
from tasks.audio.windows import Window

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


def hearing(*parts: tuple[str, float, float]) -> WindowText:
    """A hearing of phrases, each with when it begins and how long each of its words takes."""
    words = [
        said(start_s + number * each_s, each_s, f" {word}")
        for text, start_s, each_s in parts
        for number, word in enumerate(text.split())
    ]
    return WindowText(
        text="".join(word.text for word in words).strip(),
        words=tuple(words),
        tokens=len(words),
        avg_logprob=-0.1,
        no_speech_prob=0.0,
        compression_ratio=3.0,
        temperature=0.0,
    )


def test_an_echo_in_no_time_is_dropped() -> None:
    heard = hearing(
        ("They can take the final ticket on", 0, 0.3),
        ("Tuesday, they can take a final ticket on", 2.1, 0.0),
        ("Wednesday.", 2.1, 0.5),
    )
    late = replace(heard, words=(said(-1.0, 0.5, " Tuesday."), *heard.words))
    found = without_echoes(late)
    assert found.text == "Tuesday. They can take the final ticket on Wednesday."
    assert len(found.words) == 9
    assert found.compression_ratio < late.compression_ratio


def test_what_is_said_twice_in_time_stays_and_so_does_what_is_no_echo() -> None:
    twice = hearing(("thank you very much", 0, 0.3), ("thank you very much", 1.2, 0.3))
    assert without_echoes(twice) is twice
    new = hearing(("thank you very much", 0, 0.3), ("see you next week", 1.2, 0.0))
    assert without_echoes(new) is new


def test_a_word_is_no_longer_than_it_can_be_said() -> None:
    after_a_gap, short, last = said(1.0, 2.5, " they"), said(3.5, 0.3, " can"), said(3.8, 4.0, " on")
    found = list(no_longer_than_said([after_a_gap, short, last]))
    assert 2.5 < found[0].start_s < found[0].end_s == after_a_gap.end_s  # what has no text was before it
    assert found[1] == short
    assert (found[2].start_s, found[2].end_s < 4.8) == (last.start_s, True)
    year = said(0.0, 1.8, " 1984")
    assert list(no_longer_than_said([year])) == [year]
    slow = said(0.0, LONGEST_WORD_S, " so")
    assert list(no_longer_than_said([slow])) == [slow]
