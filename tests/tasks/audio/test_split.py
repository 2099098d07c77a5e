"""Cutting: in silence if possible, within the limits, covering all speech."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from storage.domain.records import Stretch
from tasks.audio.split import AIM, FIRST_AIM_S, FURTHEST_S, KEEP_S, NEAREST_S, Bounds, Cutter, cuts, span_lengths

SPAN_MAX_S = 75.0
pieces = st.lists(st.tuples(st.integers(12, 4000), st.integers(12, 9000)), max_size=60)


def speech_of(parts: list[tuple[int, int]]) -> tuple[list[Stretch], float]:
    """Return stretches from pairs of silence and speech in hundredths of a second, and the whole length."""
    found, now = [], 0
    for quiet, spoken in parts:
        found.append(Stretch(start_s=(now + quiet) / 100, end_s=(now + quiet + spoken) / 100))
        now += quiet + spoken
    return found, now / 100 + 1


def middle(start_s: float, end_s: float) -> float:
    return (start_s + end_s) / 2


@given(pieces)
def test_every_bit_of_speech_lies_in_a_span(parts: list[tuple[int, int]]) -> None:
    speech, duration_s = speech_of(parts)
    spans = cuts(speech, duration_s=duration_s, span_max_s=SPAN_MAX_S, quietest=middle)
    for stretch in speech:
        covered_s = stretch.start_s
        for span in spans:
            if span.start_s <= covered_s:
                covered_s = max(covered_s, min(span.end_s, stretch.end_s))
        assert covered_s >= stretch.end_s


@given(pieces)
def test_no_span_is_longer_than_the_limit_or_out_of_order(parts: list[tuple[int, int]]) -> None:
    speech, duration_s = speech_of(parts)
    spans = cuts(speech, duration_s=duration_s, span_max_s=SPAN_MAX_S, quietest=middle)
    assert all(0 <= span.start_s < span.end_s <= duration_s for span in spans)
    assert all(span.end_s - span.start_s <= SPAN_MAX_S + 1e-6 for span in spans)
    assert all(before.start_s < after.start_s for before, after in itertools.pairwise(spans))


@given(pieces)
def test_a_cut_lies_in_silence_or_in_an_overlap(parts: list[tuple[int, int]]) -> None:
    speech, duration_s = speech_of(parts)
    spans = cuts(speech, duration_s=duration_s, span_max_s=SPAN_MAX_S, quietest=middle)
    for before, after in itertools.pairwise(spans):
        if after.silence_before_s == 0:
            assert 2 * NEAREST_S - 1e-6 <= before.end_s - after.start_s <= 2 * FURTHEST_S + 1e-6
        else:
            assert before.end_s <= after.start_s
            cut = Stretch(start_s=before.end_s, end_s=after.start_s)
            assert all(s.end_s <= cut.start_s or s.start_s >= cut.end_s for s in speech)


@given(pieces, st.integers(100, 3000))
def test_the_size_of_the_blocks_changes_nothing(parts: list[tuple[int, int]], step: int) -> None:
    speech, duration_s = speech_of(parts)
    cutter = Cutter(SPAN_MAX_S, middle)
    found: list[Bounds] = []
    now_s, done = 0.0, 0
    while now_s + step / 100 < duration_s:
        now_s += step / 100
        ended = [stretch for stretch in speech[done:] if stretch.end_s <= now_s]
        done += len(ended)
        begun = [stretch.start_s for stretch in speech[done:] if stretch.start_s <= now_s]
        found += cutter.push(ended, open_since_s=begun[0] if begun else None, settled_s=now_s)
    found += cutter.finish(speech[done:], duration_s=duration_s)
    assert found == cuts(speech, duration_s=duration_s, span_max_s=SPAN_MAX_S, quietest=middle)


def test_it_prefers_a_long_silence_to_an_early_one() -> None:
    speech = [Stretch(start_s=start, end_s=end) for start, end in ((0, 22), (22.3, 29), (31, 34), (34.3, 60))]
    first, second = cuts(speech, duration_s=60, span_max_s=SPAN_MAX_S, quietest=middle)
    assert first.end_s == 30.0
    assert second.start_s == 30.0
    assert second.silence_before_s == 2.0


def test_long_silence_is_left_out_of_both_spans() -> None:
    speech = [Stretch(start_s=5, end_s=30), Stretch(start_s=500, end_s=520)]
    first, second = cuts(speech, duration_s=600, span_max_s=SPAN_MAX_S, quietest=middle)
    assert (first.start_s, first.end_s) == (5 - KEEP_S, 30 + KEEP_S)
    assert (second.start_s, second.end_s) == (500 - KEEP_S, 520 + KEEP_S)


def test_silence_alone_makes_no_span() -> None:
    assert cuts([], duration_s=36_000, span_max_s=SPAN_MAX_S, quietest=middle) == []


def test_a_short_recording_stays_whole() -> None:
    speech, duration_s = [Stretch(start_s=0.3, end_s=30.0)], 35.0
    (span,) = cuts(speech, duration_s=duration_s, span_max_s=150, quietest=middle)
    assert (span.start_s, span.end_s) == (0.0, 31.0)


def test_spans_grow_from_short_ones_to_the_longest() -> None:
    aims = [span_lengths(before_s, 150).aim_s for before_s in (0, 30, 60, 120, 200, 600, 36_000)]
    assert aims == [FIRST_AIM_S, FIRST_AIM_S, FIRST_AIM_S, 60, 100, AIM * 150, AIM * 150]
    assert span_lengths(36_000, 150).limit_s == 150
    assert span_lengths(0, 20).limit_s == 20


def test_five_minutes_keep_several_workers_busy() -> None:
    speech = [Stretch(start_s=at, end_s=at + 4) for at in range(0, 300, 5)]
    spans = cuts(speech, duration_s=300, span_max_s=180, quietest=middle)
    assert len(spans) >= 6
    assert max(span.end_s - span.start_s for span in spans) < 300 / 3


def test_where_nobody_pauses_cut_and_overlap_end_at_quiet_moments() -> None:
    speech = [Stretch(start_s=0.0, end_s=40.0)]
    first, second = cuts(speech, duration_s=40.0, span_max_s=SPAN_MAX_S, quietest=lambda _, end_s: end_s - 0.25)
    cut_s = FIRST_AIM_S / AIM - FURTHEST_S - 0.25
    assert (first.end_s, second.start_s) == (cut_s + FURTHEST_S - 0.25, cut_s - NEAREST_S - 0.25)
