"""Cues: every word in exactly one, in order, without overlap, inside the limits."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.records import CueLimits, Segment, Word
from tasks.cues import Cue, cues, text_of, width

LIMITS = CueLimits()
letters = st.text("abcdefghij", min_size=1, max_size=14)
marks = st.sampled_from(["", "", "", ",", ".", "?"])
timing = st.tuples(st.integers(0, 250), st.integers(0, 120))
spoken = st.lists(st.tuples(letters, marks, timing), min_size=1, max_size=120)


def said(parts: list[tuple[str, str, tuple[int, int]]]) -> list[Segment]:
    words, now = [], 0
    for text, mark, (gap, length) in parts:
        start, end = now + gap, now + gap + length
        words.append(Word(start_s=start / 100, end_s=end / 100, text=f" {text}{mark}", probability=0.9))
        now = end
    return [segment(words)]


def segment(words: list[Word], speaker: str | None = None) -> Segment:
    return Segment(
        start_s=words[0].start_s, end_s=words[-1].end_s, text=text_of(words), words=tuple(words), speaker=speaker
    )


def sentence(text: str, *, start_s: float = 0.0, word_s: float = 0.3, speaker: str | None = None) -> Segment:
    words = [
        Word(
            start_s=start_s + number * (word_s + 0.05),
            end_s=start_s + number * (word_s + 0.05) + word_s,
            text=f" {part}",
            probability=0.9,
        )
        for number, part in enumerate(text.split())
    ]
    return segment(words, speaker)


@given(spoken)
def test_every_word_is_in_exactly_one_cue(parts: list[tuple[str, str, tuple[int, int]]]) -> None:
    segments = said(parts)
    found = cues(segments, LIMITS)
    assert [word for cue in found for word in cue.words] == list(segments[0].words)
    assert " ".join(cue.text.replace("\n", " ") for cue in found) == segments[0].text


@given(spoken)
def test_cues_keep_order_and_never_overlap(parts: list[tuple[str, str, tuple[int, int]]]) -> None:
    found = cues(said(parts), LIMITS)
    assert all(cue.start_s <= cue.end_s for cue in found)
    assert all(before.end_s <= after.start_s for before, after in itertools.pairwise(found))


@given(spoken, st.integers(16, 60), st.integers(1, 3))
def test_lines_hold_their_limits(
    parts: list[tuple[str, str, tuple[int, int]]], line_width: int, line_count: int
) -> None:
    limits = CueLimits(max_line_width=line_width, max_line_count=line_count)
    for cue in cues(said(parts), limits):
        lines = cue.text.split("\n")
        assert len(lines) <= line_count
        assert all(width(line) <= line_width for line in lines)


@given(spoken)
def test_no_cue_stays_longer_than_its_limit(parts: list[tuple[str, str, tuple[int, int]]]) -> None:
    assert all(cue.end_s - cue.start_s <= LIMITS.max_duration_s + 0.001 for cue in cues(said(parts), LIMITS))


@given(spoken)
def test_a_cue_is_short_only_where_the_next_one_comes(parts: list[tuple[str, str, tuple[int, int]]]) -> None:
    found = cues(said(parts), LIMITS)
    for cue, following in zip(found, [*found[1:], None], strict=True):
        room_s = following.start_s - LIMITS.min_gap_s - cue.start_s if following else LIMITS.max_duration_s
        wished_s = max(LIMITS.min_duration_s, width(cue.text) / LIMITS.max_chars_per_s)
        assert cue.end_s - cue.start_s >= min(wished_s, room_s, LIMITS.max_duration_s) - 0.002


def lines_of(found: list[Cue]) -> list[str]:
    return [cue.text for cue in found]


def test_it_breaks_after_a_sentence() -> None:
    found = cues([sentence("We checked our answer at three. On Friday she will show my late contract.")], LIMITS)
    assert lines_of(found) == ["We checked our answer at three.", "On Friday she will show my late contract."]


def test_a_line_breaks_after_a_comma_or_before_a_conjunction() -> None:
    text = "my fellow citizens of the world, ask what together we can do"
    assert lines_of(cues([sentence(text)], LIMITS)) == ["my fellow citizens of the world,\nask what together we can do"]
    text = "they went to the old harbour and they saw the ships leave"
    assert lines_of(cues([sentence(text)], LIMITS)) == ["they went to the old harbour\nand they saw the ships leave"]


def test_a_pause_ends_a_cue() -> None:
    found = cues([sentence("before the pause"), sentence("after it", start_s=10.0)], LIMITS)
    assert lines_of(found) == ["before the pause", "after it"]


def test_speakers_never_share_a_cue() -> None:
    found = cues([sentence("Yes", speaker="Ann"), sentence("No", start_s=0.4, speaker="Ben")], LIMITS)
    assert [(cue.speaker, cue.text) for cue in found] == [("Ann", "Yes"), ("Ben", "No")]


def test_a_word_wider_than_a_line_stands_alone() -> None:
    found = cues([sentence("a " + "x" * 60 + " b")], CueLimits(max_line_width=20, max_line_count=3))
    assert "x" * 60 in "\n".join(lines_of(found)).split("\n")


def test_wide_characters_count_twice_and_need_no_spaces() -> None:
    text = "今日はとても良い天気ですから公園まで歩いて行きましょうそれから昼ご飯を食べます"
    words = [
        Word(start_s=number * 0.2, end_s=number * 0.2 + 0.2, text=character, probability=0.9)
        for number, character in enumerate(text)
    ]
    found = cues([segment(words)], LIMITS)
    assert "".join(cue.text.replace("\n", "") for cue in found) == text
    assert all(width(line) <= 42 for cue in found for line in cue.text.split("\n"))
    assert width("今日") == 4


def test_text_without_word_times_is_spread_over_its_segment() -> None:
    found = cues([Segment(start_s=2.0, end_s=6.0, text="spread over four seconds")], LIMITS)
    assert found[0].start_s == 2.0
    assert found[0].end_s == pytest.approx(6.0)


def test_nothing_said_makes_no_cue() -> None:
    assert cues([], LIMITS) == []
