"""Partial stitching gives the same text as stitching the whole, and final text stays."""

import pytest

from storage.domain.records import Plan, Segment, Span, SpanResult, Word
from tasks.assembly.partial_stitch import PartialStitching
from tasks.assembly.stitch import stitch


def span(index: int, start_s: float, end_s: float, channel: int | None = None) -> Span:
    return Span(index=index, start_s=start_s, end_s=end_s, samples_sha256=f"{index}", channel=channel)


def heard(*said: tuple[float, str]) -> SpanResult:
    """A segment for each beginning (seconds from the span's start), half a second a word."""
    segments = []
    for start_s, text in said:
        words = tuple(
            Word(start_s=start_s + 0.5 * n, end_s=start_s + 0.5 * n + 0.4, text=f" {word}", probability=0.9)
            for n, word in enumerate(text.split())
        )
        segments.append(Segment(start_s=start_s, end_s=words[-1].end_s, text=f" {text}", words=words))
    rest = {"language": "en", "model": "m", "fingerprint": "f", "engine": "e", "device": "cpu", "compute_type": "int8"}
    return SpanResult(segments=tuple(segments), engine_s=1.0, **rest)  # type: ignore[arg-type]


APART = (span(0, 0.0, 9.0), span(1, 10.0, 20.0), span(2, 22.0, 30.0))
OVERLAPPING = (span(0, 0.0, 12.0), span(1, 8.0, 20.0), span(2, 17.0, 30.0))
CHANNELS = (span(0, 0.0, 9.0, 0), span(1, 1.0, 12.0, 1), span(2, 10.0, 20.0, 0), span(3, 14.0, 20.0, 1))
SAID = {
    APART: [heard((1, "a b c"), (5, "d e f")), heard((0, "g h"), (3, "i j")), heard((1, "k l"))],
    OVERLAPPING: [
        heard((1, "a b c"), (7, "d e f g h i j")),
        heard((0, "f g h i j"), (8, "k l m n")),
        heard((0, "m n"), (4, "o")),
    ],
    CHANNELS: [heard((1, "a b")), heard((2, "c d")), heard((1, "e f"), (5, "g")), heard((0, "h i"))],
}


def grow(
    along: PartialStitching, spans: tuple[Span, ...], results: list[SpanResult]
) -> list[tuple[list[Segment], float]]:
    """Return what is settled by each span, and how far."""
    steps = []
    for place, (each, said) in enumerate(zip(spans, results, strict=True)):
        after = next((other for other in spans[place + 1 :] if other.channel == each.channel), None)
        along.add(each, said, after)
        steps.append((along.taken(), along.until_s))
    return steps


@pytest.mark.parametrize("spans", SAID, ids=["apart", "overlapping", "channels"])
def test_a_text_that_grew_is_the_text_of_the_whole(spans: tuple[Span, ...]) -> None:
    plan = Plan(media_sha256="m", duration_s=30.0, speech_s=20.0, spans=spans)
    channels = sorted({each.channel for each in spans if each.channel is not None})
    steps = grow(PartialStitching(channels), spans, SAID[spans])
    assert [one for segments, _ in steps for one in segments] == list(stitch(plan, SAID[spans]))


@pytest.mark.parametrize("spans", SAID, ids=["apart", "overlapping", "channels"])
def test_nothing_comes_before_what_is_settled(spans: tuple[Span, ...]) -> None:
    channels = sorted({each.channel for each in spans if each.channel is not None})
    border_s = 0.0
    for segments, until_s in grow(PartialStitching(channels), spans, SAID[spans]):
        assert all(border_s <= segment.start_s < until_s for segment in segments)
        border_s = until_s


def test_words_in_the_overlap_wait_for_the_next_span() -> None:
    first, second, _ = grow(PartialStitching(), OVERLAPPING, SAID[OVERLAPPING])
    assert [segment.text for segment in first[0]] == [" a b c"]
    assert first[1] == 7.0
    assert " ".join(segment.text.strip() for segment in second[0]) == "d e f g h i j"


def test_a_channel_waits_for_what_the_other_may_have_said_before_it() -> None:
    steps = grow(PartialStitching((0, 1)), CHANNELS, SAID[CHANNELS])
    assert [[(segment.speaker, segment.text) for segment in segments] for segments, _ in steps] == [
        [],
        [("Channel 1", " a b"), ("Channel 2", " c d")],
        [("Channel 1", " e f")],
        [("Channel 2", " h i"), ("Channel 1", " g")],
    ]
