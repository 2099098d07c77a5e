"""Stitch the text of a recording while its spans are still being transcribed. Pure.

Channels that are transcribed separately are stitched separately, and their segments take turns as far as all of them
have come.
"""

from collections.abc import Sequence

from storage.domain.records import Segment, Span, SpanResult
from tasks.assembly.stitch import Stitching, named_turns


class PartialStitching:
    """Stitches spans in the order of their streams; `until_s` is how far text is final.

    `channels` are those that are transcribed separately; none if they are mixed.
    """

    def __init__(self, channels: Sequence[int] = ()) -> None:
        self._streams: dict[int | None, Stitching] = {channel: Stitching() for channel in channels or (None,)}
        self._waiting: list[Segment] = []

    def add(self, span: Span, result: SpanResult, after: Span | None) -> None:
        """Add the next span's result to its stream; `after` is the span that follows."""
        stream = self._streams[span.channel]
        settled = stream.add(span, result, after)
        self._waiting += settled if span.channel is None else named_turns(settled, span.channel)

    @property
    def until_s(self) -> float:
        return min(stream.until_s for stream in self._streams.values())

    def taken(self) -> list[Segment]:
        """Return the final segments that were not returned before."""
        until_s = self.until_s
        ready = sorted((each for each in self._waiting if each.start_s < until_s), key=lambda each: each.start_s)
        self._waiting = [each for each in self._waiting if each.start_s >= until_s]
        return ready
