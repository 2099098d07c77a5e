"""The text of a recording of which not all spans have been heard yet: what is settled of it, in order. Pure.

Channels that were heard apart are stitched apart, and their segments take turns as far as all of them have come.
"""

from collections.abc import Sequence

from storage.records import Heard, Segment, Span
from tasks.stitch import Stitching, named_turns


class Along:
    """Takes spans in the order of their streams; `until_s` is how far the text is settled.

    `channels` are those of the recording that are heard apart; none if they are heard together.
    """

    def __init__(self, channels: Sequence[int] = ()) -> None:
        self._streams: dict[int | None, Stitching] = {channel: Stitching() for channel in channels or (None,)}
        self._waiting: list[Segment] = []

    def add(self, span: Span, heard: Heard, after: Span | None) -> None:
        """Take what was heard in the next span of its stream; `after` is the stream's span behind it."""
        stream = self._streams[span.channel]
        settled = stream.add(span, heard, after)
        self._waiting += settled if span.channel is None else named_turns(settled, span.channel)

    @property
    def until_s(self) -> float:
        return min(stream.until_s for stream in self._streams.values())

    def taken(self) -> list[Segment]:
        """Return the segments that are settled and were not taken before."""
        until_s = self.until_s
        ready = sorted((each for each in self._waiting if each.start_s < until_s), key=lambda each: each.start_s)
        self._waiting = [each for each in self._waiting if each.start_s >= until_s]
        return ready
