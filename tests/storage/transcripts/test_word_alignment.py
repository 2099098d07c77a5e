"""Words of edited text keep their times, or share those of replaced words."""

from itertools import pairwise

import pytest

from storage.domain.records import Word
from storage.transcripts.word_alignment import aligned


def spoken(*texts: str) -> tuple[Word, ...]:
    """One word a second, beginning at 10 s."""
    return tuple(
        Word(start_s=10.0 + place, end_s=10.9 + place, text=text, probability=0.5) for place, text in enumerate(texts)
    )


HEARD = spoken(" the", " quick", " brown", " fox", " jumps")


def times(text: str, words: tuple[Word, ...] = HEARD) -> list[tuple[str, float, float]]:
    found = aligned(words, text, start_s=10.0, end_s=14.9)
    assert "".join("".join(word.text for word in found).split()) == "".join(text.split())
    assert all(a.start_s <= a.end_s and a.start_s <= b.start_s for a, b in pairwise(found))
    return [(word.text, word.start_s, word.end_s) for word in found]


def test_unchanged_words_stay_as_they_were() -> None:
    assert aligned(HEARD, "the quick brown fox jumps", start_s=10.0, end_s=14.9) == HEARD


def test_a_changed_word_takes_the_time_of_what_it_replaced_and_is_sure() -> None:
    found = aligned(HEARD, "the quick red fox jumps", start_s=10.0, end_s=14.9)
    assert (found[2].text, found[2].start_s, found[2].end_s, found[2].probability) == (" red", 12.0, 12.9, 1.0)
    assert found[:2] + found[3:] == HEARD[:2] + HEARD[3:]


def test_two_words_for_one_share_its_time_by_length() -> None:
    assert times("the quick dark brownish fox jumps")[2:4] == [
        (" dark", 12.0, pytest.approx(12.3)),
        (" brownish", pytest.approx(12.3), 12.9),
    ]


def test_an_added_word_lies_in_the_gap() -> None:
    assert times("the quick brown old fox jumps")[3] == (" old", 12.9, 13.0)


def test_words_added_at_the_ends_stay_inside_the_segment() -> None:
    found = times("so the quick brown fox jumps high")
    assert found[0] == (" so", 10.0, 10.0)
    assert found[-1] == (" high", 14.9, 14.9)


def test_a_word_left_out_moves_nothing_else() -> None:
    assert times("the quick fox jumps")[2] == (" fox", 13.0, 13.9)


def test_case_and_punctuation_keep_the_time() -> None:
    assert times("The quick, brown fox jumps!")[0] == (" The", 10.0, 10.9)
    assert times("The quick, brown fox jumps!")[4] == (" jumps!", 14.0, 14.9)


def test_parts_of_a_hyphenated_word_belong_together() -> None:
    words = spoken(" word-", "level", " times")
    assert aligned(words, "word-level time", start_s=10.0, end_s=12.9)[:2] == words[:2]


def test_chinese_keeps_its_times_by_the_character() -> None:
    words = spoken("今天", "天气", "好")
    assert times("今天天氣好", words)[-1] == ("好", 12.0, 12.9) or times("今天天氣好", words)[-1][1:] == (12.0, 12.9)
    assert times("今天天氣好", words)[0][1] == 10.0


def test_where_there_were_no_words_there_are_none() -> None:
    assert aligned((), "anything", start_s=0.0, end_s=1.0) == ()


def test_everything_replaced_fills_the_interval() -> None:
    found = times("something else entirely different was said here")
    assert (found[0][1], found[-1][2]) == (10.0, 14.9)
