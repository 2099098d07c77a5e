"""Long texts are matched by runs that each has once, and by differences between them."""

import random
import time

from tasks.assembly.word_matching import Match, matches


def test_words_that_both_texts_have_are_matched_in_order() -> None:
    old, new = ["a", "b", "c", "d", "e", "f"], ["a", "b", "x", "d", "e", "y", "f"]
    assert matches(old, new) == [Match(old=0, new=0, size=2), Match(old=3, new=3, size=2), Match(old=5, new=6, size=1)]
    assert matches([], new) == matches(old, []) == []


def test_a_passage_that_moved_is_matched_in_one_place() -> None:
    old = ["one", "two", "three", "four", "five", "six", "seven", "eight"]
    found = matches(old, [*old[4:], *old[:4]])
    assert len(found) == 1
    assert found[0].size == 4


def test_three_hours_are_matched_in_seconds() -> None:
    chance = random.Random(3)  # noqa: S311 - a text, not a secret
    words = [f"w{chance.randrange(2000)}" if chance.random() < 0.6 else "the" for _ in range(30_000)]
    changed = ["other" if chance.random() < 0.05 else word for word in words]
    started = time.thread_time()
    found = matches(words, changed)
    assert sum(match.size for match in found) > 0.9 * len(words)
    assert time.thread_time() - started < 20


def test_a_text_of_one_word_repeated_ends_soon() -> None:
    started = time.thread_time()
    matches(["the"] * 20_000, ["the"] * 19_999)
    assert time.thread_time() - started < 20
