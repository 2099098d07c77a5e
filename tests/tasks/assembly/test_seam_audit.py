"""The seam audit: both sides of each cut, without lost or doubled words."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.bench_seams import KINDS, at_seam, heard_in, said_in
from benchmarks.speech_material import assemble
from storage.domain.records import Options, Span, Stretch
from storage.files.file_store import Files
from tasks.asr.engine import Engine
from tasks.assembly.seam_audit import ACROSS, DROPPED, NO_COMMON, SEAM, TWICE, doubtful, seam, seams
from tasks.pipeline import transcribe_file
from tests.conftest import TINY_VOCABULARY
from tests.tasks.assembly.test_stitch import heard, plan, segment, span, word

BEFORE, AFTER = replace(span(0, 0.0, 11.0)), replace(span(1, 11.0, 20.0), silence_before_s=2.0)
LAPPING = span(1, 9.0, 20.0)
SAID = [word("one", 8.0, 8.4), word("two", 9.2, 9.8)]


def test_a_cut_in_silence_is_recorded_with_its_neighbouring_words() -> None:
    found = seam(BEFORE, AFTER, SAID, [word("three", 12.0, 12.5)])
    assert (found.at_s, found.silence_s, found.overlap_s) == (11.0, 2.0, 0.0)
    assert (found.before, found.after, found.before_gap_s, found.after_gap_s) == ("one two", "three", 1.2, 1.0)
    assert found.doubt == ""


def test_a_word_that_reaches_to_the_cut_is_in_doubt() -> None:
    assert seam(BEFORE, AFTER, [word("tw", 10.5, 11.0)], []).doubt == ACROSS
    assert seam(BEFORE, AFTER, [], [word("o", 11.0, 11.2)]).doubt == ACROSS


def test_the_same_words_on_both_sides_are_in_doubt_where_nobody_could_say_them_twice() -> None:
    left = [word(text, 9.6 + at / 5, 9.7 + at / 5) for at, text in enumerate(("so", "we", "go"))]
    right = [word(text, 11.05 + at / 5, 11.1 + at / 5) for at, text in enumerate(("So", "we", "go."))]
    assert seam(BEFORE, AFTER, left, right).doubt == TWICE


def test_speech_beside_the_cut_without_a_word_is_in_doubt() -> None:
    spoken: Span = replace(BEFORE, speech=(Stretch(start_s=5.0, end_s=10.5),))
    assert seam(spoken, AFTER, SAID[:1], []).doubt == DROPPED
    assert seam(spoken, AFTER, SAID, []).doubt == ""


def test_an_overlap_counts_the_words_on_both_sides() -> None:
    found = seam(BEFORE, LAPPING, SAID, [word("two", 9.25, 9.8), word("three", 12.0, 12.5)])
    assert (found.agreed, found.overlap_s, found.doubt) == (1, 2.0, "")
    assert (found.before, found.after) == ("one two", "three")


def test_words_that_one_side_hands_over_are_not_missing_from_it() -> None:
    spoken = replace(BEFORE, speech=(Stretch(start_s=8.0, end_s=11.0),))
    left = [*SAID, word("three", 10.2, 10.9)]
    right = [word("two", 0.2 + 9, 0.8 + 9), word("three", 10.2, 10.9)]
    assert seam(spoken, replace(LAPPING, speech=(Stretch(start_s=9.0, end_s=11.0),)), left, right).doubt == ""


def test_an_overlap_without_a_common_word_is_to_be_reviewed() -> None:
    apart = [segment([word("to", 0.3, 0.8)])]
    found = seams(plan(BEFORE, LAPPING), [heard([segment(SAID)]), heard(apart)])
    assert [each.doubt for each in found] == [NO_COMMON]
    assert [(each.kind, each.start_s, each.end_s) for each in doubtful(found)] == [(SEAM, 9.0, 11.0)]


def test_an_overlap_in_which_nobody_spoke_is_sound() -> None:
    assert seam(BEFORE, LAPPING, SAID[:1], [word("four", 13.0, 13.5)]).doubt == ""


@pytest.mark.parametrize("kind", KINDS)
def test_no_word_is_lost_or_doubled_at_a_cut(kind: str, engine: Engine, files: Files, tmp_path: Path) -> None:
    recording = assemble(TINY_VOCABULARY / "speech", "*", 1.5, tmp_path / "speech.wav", KINDS[kind])
    found = transcribe_file(recording.path, engine=engine, files=files, options=Options(), span_max_s=20.0)
    said, words = said_in(recording), heard_in(found.segments)
    assert len(found.seams) >= 4
    assert [each.doubt for each in found.seams if each.doubt] == []
    assert [each for each in found.seams if (at := at_seam(each, said, words)).lost or at.doubled] == []
