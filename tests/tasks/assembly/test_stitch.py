"""Stitching: every word once, in order, on the recording's clock."""

from hypothesis import given
from hypothesis import strategies as st

from storage.domain.records import Plan, Segment, Span, SpanResult, Stretch, Word
from tasks.assembly.stitch import stitch
from tasks.audio.split import speech_of

SEAM_S, OVERLAP_S = 100.0, 2.0


def segment(words: list[Word]) -> Segment:
    return Segment(
        start_s=words[0].start_s,
        end_s=words[-1].end_s,
        text="".join(word.text for word in words).strip(),
        words=tuple(words),
    )


def word(text: str, start_s: float, end_s: float) -> Word:
    return Word(start_s=round(start_s, 3), end_s=round(end_s, 3), text=f" {text}", probability=0.9)


def heard(segments: list[Segment]) -> SpanResult:
    return SpanResult(
        segments=tuple(segments),
        language="en",
        model="small",
        fingerprint="f",
        engine="e",
        device="cpu",
        compute_type="int8",
        engine_s=1.0,
    )


def span(index: int, start_s: float, end_s: float) -> Span:
    return Span(index=index, start_s=start_s, end_s=end_s, samples_sha256=f"{index:064d}")


def plan(*spans: Span) -> Plan:
    return Plan(media_sha256="0" * 64, duration_s=spans[-1].end_s, speech_s=1.0, spans=spans)


def texts(segments: tuple[Segment, ...]) -> list[str]:
    return [found.text.strip() for each in segments for found in each.words]


spoken = st.lists(st.tuples(st.integers(1, 40), st.integers(5, 60)), min_size=1, max_size=200)


@given(st.lists(spoken, min_size=1, max_size=4))
def test_words_of_spans_cut_in_silence_keep_order_and_number(parts: list[list[tuple[int, int]]]) -> None:
    spans, results, expected, begin_s = [], [], [], 0.0
    for index, pairs in enumerate(parts):
        words: list[Word] = []
        now = 0
        for gap, length in pairs:
            words.append(word(f"w{index}-{len(words)}", (now + gap) / 100, (now + gap + length) / 100))
            now += gap + length
        expected += [found.text.strip() for found in words]
        spans.append(span(index, begin_s, begin_s + now / 100 + 1))
        results.append(heard([segment(words)]))
        begin_s += now / 100 + 2
    found = stitch(plan(*spans), results)
    times = [edge for each in found for item in each.words for edge in (item.start_s, item.end_s)]
    assert texts(found) == expected
    assert times == sorted(times)


@given(
    st.lists(st.tuples(st.integers(2, 30), st.integers(8, 60)), min_size=20, max_size=40),
    st.lists(st.integers(-8, 8), min_size=40, max_size=40),
)
def test_words_in_an_overlap_come_once(pairs: list[tuple[int, int]], shifts: list[int]) -> None:
    """Both sides hear the overlap, each with its own small error in the times."""
    words, now = [], int(SEAM_S * 100) - sum(map(sum, pairs)) // 2
    for number, (gap, length) in enumerate(pairs):
        words.append(word(f"w{number}", (now + gap) / 100, (now + gap + length) / 100))
        now += gap + length
    left_end, right_start = SEAM_S + OVERLAP_S / 2, SEAM_S - OVERLAP_S / 2
    left = [each for each in words if each.end_s <= left_end]
    right = [
        word(each.text.strip(), each.start_s + shift / 100 - right_start, each.end_s + shift / 100 - right_start)
        for each, shift in zip(words, shifts, strict=False)
        if each.start_s >= right_start
    ]
    if not left or not right:
        return
    found = stitch(
        plan(span(0, 0.0, left_end), span(1, right_start, 300.0)), [heard([segment(left)]), heard([segment(right)])]
    )
    assert texts(found) == [each.text.strip() for each in words]


def test_a_word_that_both_sides_halve_is_not_doubled() -> None:
    left = [word("one", 98.0, 98.5), word("two", 99.2, 99.9), word("three", 100.0, 100.8)]
    right = [word("two", 0.1, 0.9), word("three", 1.0, 1.8), word("four", 2.5, 3.0)]
    found = stitch(plan(span(0, 0.0, 101.0), span(1, 99.0, 200.0)), [heard([segment(left)]), heard([segment(right)])])
    assert texts(found) == ["one", "two", "three", "four"]


def test_without_a_common_word_each_side_keeps_its_half() -> None:
    left = [word("one", 98.0, 98.5), word("tooth", 99.2, 99.8), word("fray", 100.1, 100.8)]
    right = [word("to", 0.2, 0.8), word("three", 1.1, 1.8), word("four", 2.5, 3.0)]
    found = stitch(plan(span(0, 0.0, 101.0), span(1, 99.0, 200.0)), [heard([segment(left)]), heard([segment(right)])])
    assert texts(found) == ["one", "tooth", "three", "four"]


def test_the_switch_is_at_the_common_word_that_keeps_most_text() -> None:
    left = [
        word(text, 98.0 + 0.5 * at, 98.5 + 0.5 * at)
        for at, text in enumerate(["on", "friday", "evening", "she", "will"])
    ]
    right = [word("on", 0.0, 0.4), word("she", 1.5, 2.0), word("will", 2.0, 2.5), word("show", 2.5, 3.0)]
    spans = plan(span(0, 0.0, 100.5), span(1, 98.0, 200.0))
    found = stitch(spans, [heard([segment(left)]), heard([segment(right)])])
    assert texts(found) == ["on", "friday", "evening", "she", "will", "show"]


def test_a_side_that_drops_a_phrase_leaves_it_to_the_other() -> None:
    left = [word(text, 98.0 + 0.4 * at, 98.4 + 0.4 * at) for at, text in enumerate(["take", "the", "final", "ticket"])]
    right = [word("take", 0.0, 0.4), word("on", 1.7, 1.9), word("friday", 1.9, 2.5)]
    spans = plan(span(0, 0.0, 100.0), span(1, 98.0, 200.0))
    found = stitch(spans, [heard([segment(left)]), heard([segment(right)])])
    assert texts(found) == ["take", "the", "final", "ticket", "on", "friday"]


def test_words_in_no_time_hand_over_nothing() -> None:
    left = [word("they", 98.2, 98.7), word("can", 98.7, 99.2), word("go", 99.2, 99.9)]
    right = [word("go", 0.2, 0.2), word("home", 0.2, 0.2), word("go", 1.3, 1.9), word("now", 1.9, 2.5)]
    found = stitch(plan(span(0, 0.0, 100.0), span(1, 98.0, 200.0)), [heard([segment(left)]), heard([segment(right)])])
    assert texts(found) == ["they", "can", "go", "now"]


def test_words_stay_inside_the_recording() -> None:
    late = [word("late", 9.0, 12.0)]
    (found,) = stitch(plan(span(0, 0.0, 10.0)), [heard([segment(late)])])
    assert found.end_s == 10.0


def test_a_span_without_text_is_no_trouble() -> None:
    assert stitch(plan(span(0, 0.0, 10.0), span(1, 11.0, 20.0)), [heard([]), heard([])]) == ()


def test_the_speech_of_a_span_counts_from_its_start() -> None:
    found = Span(index=0, start_s=10.0, end_s=20.0, samples_sha256="a", speech=(Stretch(start_s=11.0, end_s=12.5),))
    assert speech_of(found) == (Stretch(start_s=1.0, end_s=2.5),)
