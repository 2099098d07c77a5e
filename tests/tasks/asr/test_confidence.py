"""Doubts about a text, and the choice between two."""

from dataclasses import replace

import pytest

from storage.domain.records import Stretch, Word
from tasks.asr.confidence import (
    LOW_CONFIDENCE,
    NO_SPEECH,
    NO_TEXT,
    REPETITION,
    TOO_FAST,
    WindowText,
    better,
    doubts,
    loops,
    together,
)
from tasks.audio.windows import Window

WINDOW = Window(pieces=(Stretch(start_s=0.0, end_s=10.0),))
SPEECH = [Stretch(start_s=0.0, end_s=10.0)]


def heard(text: str, *, end_s: float = 10.0, logprob: float = -0.2, no_speech: float = 0.0) -> WindowText:
    parts = text.split()
    share_s = end_s / max(1, len(parts))
    words = tuple(
        Word(start_s=index * share_s, end_s=(index + 1) * share_s, text=f" {part}", probability=0.9)
        for index, part in enumerate(parts)
    )
    return WindowText(
        text=text,
        words=words,
        tokens=len(parts),
        avg_logprob=logprob,
        no_speech_prob=no_speech,
        compression_ratio=1.0,
        temperature=0.0,
    )


def squeezed_at(start_s: float) -> list[Word]:
    return [Word(start_s=start_s, end_s=start_s, text=f" {text}", probability=0.9) for text in ("a", "b", "c", "d")]


GOOD = heard("the invoice was sent to the hotel on Monday morning")


def test_a_plain_sentence_raises_no_doubt() -> None:
    assert doubts(GOOD, WINDOW, SPEECH) == ()


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (heard("thank you " * 6), REPETITION),
        (replace(GOOD, compression_ratio=2.5), REPETITION),
        (replace(GOOD, avg_logprob=-1.2), LOW_CONFIDENCE),
        (replace(GOOD, avg_logprob=-1.2, no_speech_prob=0.7), NO_SPEECH),
        (heard("the invoice", end_s=4.0), NO_TEXT),
        (heard(""), NO_TEXT),
        (heard("unbelievably " * 3 + "x" * 350), TOO_FAST),
        (replace(GOOD, words=(*GOOD.words[:6], *(replace(word, end_s=6.0) for word in squeezed_at(6.0)))), TOO_FAST),
        (replace(GOOD, words=(*GOOD.words[:6], replace(GOOD.words[6], end_s=9.0), *GOOD.words[9:])), NO_TEXT),
    ],
)
def test_what_users_complain_of_is_doubted(found: WindowText, why: str) -> None:
    assert why in doubts(found, WINDOW, SPEECH)


@pytest.mark.parametrize(
    ("words", "looping"),
    [
        (["thank", "you"] * 4, True),
        (["thank", "you"] * 3, False),
        (["no,"] * 3, False),
        (["so"] * 6, True),
        (["five-t-t-t-t-t-t-t-t"], True),
        (["1000000000000"], False),
        (["Mississippi", "haha"], False),
    ],
)
def test_loops_are_distinguished_from_emphasis(words: list[str], looping: bool) -> None:
    assert loops(words) is looping


def test_the_hearing_with_lighter_doubts_is_the_better_one() -> None:
    loop = (replace(GOOD, avg_logprob=-0.1), (REPETITION,))
    unsure = (replace(GOOD, avg_logprob=-1.5), (LOW_CONFIDENCE,))
    assert better(loop, unsure) is unsure
    assert better(unsure, loop) is unsure


def test_with_equal_doubts_the_more_confident_wins_and_the_first_if_alike() -> None:
    first, second = (GOOD, ()), (replace(GOOD, avg_logprob=-0.1), ())
    assert better(first, second) is second
    assert better(first, (replace(GOOD), ())) is first


def test_parts_together_weigh_by_their_length() -> None:
    both = together([replace(GOOD, tokens=30, avg_logprob=-0.1), replace(GOOD, tokens=10, avg_logprob=-0.5)])
    assert both.avg_logprob == pytest.approx(-0.2)
    assert len(both.words) == 2 * len(GOOD.words)
