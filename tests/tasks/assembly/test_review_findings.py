"""The quality gate: findings for review."""

from dataclasses import replace

import pytest

from storage.domain.records import (
    FileNote,
    Finding,
    LanguageMismatch,
    Plan,
    Segment,
    Span,
    Stretch,
    Untranscribed,
    Word,
)
from tasks.assembly.review_findings import doubted_throughout, findings, given_up


def said(start_s: float, end_s: float, text: str, *, probability: float = 0.9) -> Segment:
    parts = text.split()
    share_s = (end_s - start_s) / len(parts)
    words = tuple(
        Word(start_s=start_s + n * share_s, end_s=start_s + (n + 1) * share_s, text=f" {p}", probability=probability)
        for n, p in enumerate(parts)
    )
    return Segment(start_s=start_s, end_s=end_s, text=text, words=words)


def plan(*speech: tuple[float, float], notes: tuple[FileNote, ...] = ()) -> Plan:
    stretches = tuple(Stretch(start_s=start, end_s=end) for start, end in speech)
    spans = (Span(index=0, start_s=0.0, end_s=60.0, samples_sha256="a", speech=stretches),) if speech else ()
    return Plan(media_sha256="m", duration_s=60.0, speech_s=1.0, spans=spans, notes=notes)


def kinds(found: tuple[Finding, ...]) -> list[str]:
    return [finding.kind for finding in found]


def test_a_good_transcript_has_none() -> None:
    assert findings(plan((0, 5), (6, 10)), [said(0, 5, "we checked it"), said(6, 10, "at three o'clock")]) == ()


def test_speech_without_text_is_found_where_it_is() -> None:
    (found,) = findings(plan((0, 5), (20, 30)), [said(0, 5, "only the beginning")])
    assert (found.kind, found.start_s, found.end_s) == ("speech with no text", 5.0, 30.0)


@pytest.mark.parametrize(
    ("text_s", "expected"),
    [(0.0, ["4.0 s that may be speech have no text"]), (1.0, ["3.0 s that may be speech have no text"]), (3.0, [])],
)
def test_what_may_be_speech_and_has_no_text_is_found_at_its_own_time(text_s: float, expected: list[str]) -> None:
    loud = plan((0, 5), (20, 25))
    spans = (replace(loud.spans[0], maybe=(Stretch(start_s=10.0, end_s=14.0),)),)
    segments = [said(0, 5, "the loud beginning"), said(20, 25, "and the loud end")]
    quiet = [said(10, 10 + text_s, "and quietly between")] if text_s else []
    found = findings(replace(loud, spans=spans), [*segments, *quiet])
    assert [(each.detail, each.start_s, each.end_s) for each in found] == [(detail, 10.0, 14.0) for detail in expected]


def test_text_without_speech_is_found() -> None:
    found = findings(plan((0, 5)), [said(0, 5, "we checked it"), said(30, 34, "thank you for watching")])
    assert kinds(found) == ["text with no speech"]


def test_loops_are_found() -> None:
    assert kinds(findings(plan((0, 9)), [said(0, 9, "thank you " * 5)])) == ["repetition"]


def test_the_same_sentence_again_and_again_is_found() -> None:
    found = findings(plan((0, 9)), [said(n * 3, n * 3 + 3, "so it goes") for n in range(3)])
    assert kinds(found) == ["repetition"]


def test_unsure_words_are_counted() -> None:
    (found,) = findings(plan((0, 5)), [said(0, 5, "mumbled by someone", probability=0.2)])
    assert found.detail == "3 of 3 words are uncertain"


def test_more_text_than_a_mouth_can_say_is_found() -> None:
    assert kinds(findings(plan((0, 1)), [said(0, 1, "an impossibly long sentence for one second")])) == ["too fast"]


def test_words_in_no_time_are_found_in_a_long_segment() -> None:
    words = [Word(start_s=float(at), end_s=at + 1.0, text=f" word{at}", probability=0.9) for at in range(10)]
    words[5:5] = [Word(start_s=5.0, end_s=5.0, text=f" echo{at}", probability=0.9) for at in range(4)]
    (found,) = findings(plan((0, 10)), [Segment(start_s=0.0, end_s=10.0, text="words", words=tuple(words))])
    assert (found.kind, found.start_s, found.end_s) == ("too fast", 5.0, 5.0)


def test_a_recording_without_speech_says_so() -> None:
    assert kinds(findings(plan(), [])) == ["no speech found"]


def test_damage_to_the_file_is_a_finding_at_its_time() -> None:
    notes = (
        FileNote(message="the file breaks off", start_s=4.0, end_s=5.0),
        FileNote(message="a damaged part could not be read"),
        FileNote(message="it was scaled down", damaged=False),
    )
    whole, found = findings(plan((0, 5), notes=notes), [said(0, 5, "as far as it goes")])
    assert (found.kind, found.detail) == ("damaged file", "the file breaks off")
    assert (found.start_s, found.end_s) == (4.0, 5.0)
    assert (whole.start_s, whole.end_s) == (0.0, 60.0)
    assert given_up(plan((0, 5), notes=notes), []) == tuple(note.message for note in notes)


def test_a_repetition_that_the_sound_shows_needs_no_review() -> None:
    segments = [said(at, at + 4, "stand clear of the doors") for at in (0, 5, 10)]
    speech = plan((0, 14))
    assert kinds(findings(speech, segments)) == ["repetition"]
    assert kinds(findings(speech, segments, repeats=[Stretch(start_s=0.0, end_s=14.0)])) == []
    assert kinds(findings(speech, segments, repeats=[Stretch(start_s=0.0, end_s=4.0)])) == ["repetition"]


def test_findings_come_in_order_of_time() -> None:
    segments = [said(0, 5, "thank you " * 5), said(30, 34, "thank you for watching")]
    found = findings(plan((0, 5), (40, 45)), segments)
    assert [each.start_s for each in found] == sorted(each.start_s for each in found)
    assert len(found) == 3


@pytest.mark.parametrize(
    ("reason", "until_s", "expected"),
    [
        ("music", 30, []),
        ("noise", 30, []),
        ("no words", 22.5, []),
        ("no words", 30, ["10.0 s of speech have no text: no words"]),
        ("another language", 22.5, ["2.5 s of speech have no text: another language"]),
    ],
)
def test_what_nobody_must_listen_to_is_not_for_review(reason: str, until_s: float, expected: list[str]) -> None:
    gap = Untranscribed(start_s=20.0, end_s=until_s, reason=reason)
    found = findings(plan((0, 5), (20, until_s)), [said(0, 5, "only the beginning")], untranscribed=[gap])
    assert [finding.detail for finding in found] == expected


def test_a_language_that_was_given_is_doubted_where_the_sound_is_another() -> None:
    heard = LanguageMismatch(start_s=0.0, end_s=5.0, language="de", probability=0.97)
    (found,) = findings(plan((0, 5)), [said(0, 5, "we checked it")], mismatches=[heard])
    assert (found.kind, found.detail) == ("another language", "sounds like de (97%)")


@pytest.mark.parametrize(
    ("probabilities", "is_doubted"), [((0.95, 0.3), False), ((0.7, 0.2), True), ((0.9, 0.9), False)]
)
def test_what_the_model_doubts_throughout_is_one_finding(probabilities: tuple[float, ...], is_doubted: bool) -> None:
    segments = [
        said(at * 5, at * 5 + 4, "six words of it were heard", probability=p) for at, p in enumerate(probabilities)
    ]
    found = doubted_throughout(segments, only_english=True)
    assert (found is not None) == is_doubted
    assert found is None or (found.unsure, found.words) == (6, 12)
