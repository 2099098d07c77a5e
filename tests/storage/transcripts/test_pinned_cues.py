"""Subtitles that a person set are found by their words, checked, and follow edits."""

import pytest

from storage.domain.errors import BadRequest
from storage.domain.records import PinnedCue, Segment, Word
from storage.transcripts.pinned_cues import Pins, check, settled


def pin(start_s: float, end_s: float, from_s: float, until_s: float, speaker: str | None = None) -> PinnedCue:
    return PinnedCue(start_s=start_s, end_s=end_s, from_s=from_s, until_s=until_s, speaker=speaker)


def said(text: str, *, at_s: float, speaker: str | None = None) -> Segment:
    words = tuple(
        Word(start_s=at_s + n, end_s=at_s + n + 0.9, text=f" {word}", probability=1)
        for n, word in enumerate(text.split())
    )
    return Segment(start_s=at_s, end_s=words[-1].end_s, text=text, words=words, speaker=speaker)


def test_a_word_is_found_by_when_it_begins_and_by_who_says_it() -> None:
    first, second, other = pin(0, 2, 0, 2), pin(2, 4, 2, 4), pin(5, 6, 1, 3, "B")
    pins = Pins([first, second, other])
    assert [pins.of(at_s, None) for at_s in (0, 1.9999, 2, 3.9, 4)] == [first, second, second, second, None]
    assert [pins.of(at_s, "B") for at_s in (0.5, 1, 3)] == [None, other, None]


@pytest.mark.parametrize(
    "cues",
    [
        [pin(2, 1, 0, 1)],
        [pin(-1, 1, 0, 1)],
        [pin(0, float("nan"), 0, 1)],
        [pin(0, 99, 0, 1)],
        [pin(0, 1, 1, 1)],
        [pin(0, 2, 0, 1), pin(1, 3, 1, 2)],
        [pin(0, 1, 0, 2), pin(1, 2, 1, 3)],
    ],
)
def test_cues_that_are_out_of_order_or_overlap_are_refused(cues: list[PinnedCue]) -> None:
    with pytest.raises(BadRequest):
        check(cues, duration_s=10)
    check([pin(0, 1, 0, 2), pin(1, 3, 2, 3), pin(3, 4, 0, 9, "B")], duration_s=10)


def test_cues_follow_a_renamed_speaker_and_go_with_their_words() -> None:
    cues = [pin(0, 1, 0, 2, "A"), pin(1, 3, 2, 4, "A")]
    assert settled(cues, [said("one two three four", at_s=0, speaker="A")]) == tuple(cues)
    renamed = settled(cues, [said("one two three four", at_s=0, speaker="Anna")])
    assert [one.speaker for one in renamed] == ["Anna", "Anna"]
    assert settled(cues, [said("one two", at_s=0, speaker="A")]) == (cues[0],)
    assert settled([], []) == ()
