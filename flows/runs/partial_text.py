"""Reading along: what is settled of a recording's text goes on storage part by part while the rest is being heard.

Each part holds what is new, is written once and never again, and is told to the ledger, so that a long recording costs
its own length. A run that goes on with an attempt finds its parts and adds to them.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from flows.resident import Resident, in_thread
from storage import names
from storage.errors import NotFound, StaleAttempt, TranscriberError
from storage.records import Heard, Job, Part, Segment, Span, from_json, to_json
from storage.reports import Readable
from tasks.along import Along

log = logging.getLogger(__name__)

WRITE_EVERY_S = 1.0


@dataclass(kw_only=True)
class ReadingAlong:
    """The text so far of one attempt; told of spans on the event loop, written in a thread."""

    here: Resident
    job: Job
    _streams: dict[int | None, list[Span]] = field(default_factory=dict, init=False)
    _next: dict[int | None, int] = field(default_factory=dict, init=False)  # how many of a stream were taken
    _results: dict[int, str] = field(default_factory=dict, init=False)
    _all_cut: bool = field(default=False, init=False)
    _along: Along | None = field(default=None, init=False)
    _unwritten: list[Segment] = field(default_factory=list, init=False)
    _until_s: float = field(default=0.0, init=False)
    _parts: int | None = field(default=None, init=False)  # on storage; None: not looked yet
    _told: int = field(default=0, init=False)
    _news: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def cut(self, spans: Sequence[Span], *, all_cut: bool = False) -> None:
        """Take in the next spans in their order; with `all_cut` no more come."""
        for span in spans:
            self._streams.setdefault(span.channel, []).append(span)
        self._all_cut = all_cut
        self._news.set()

    def heard(self, span: Span, result: str) -> None:
        """Take in that a span has its result on storage."""
        self._results[span.index] = result
        self._news.set()

    async def keep_writing(self) -> None:
        """Write what is new, again and again until cancelled; what keeps it from that is no failure of the job."""
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                await in_thread(self._write)
            except (StaleAttempt, NotFound):
                return
            except TranscriberError as error:
                log.info("the text so far of job %s cannot be written now: %s", self.job.id, error)
                self._news.set()
            except Exception:
                log.exception("the text so far of job %s is not written any more", self.job.id)
                return
            await asyncio.sleep(WRITE_EVERY_S)

    def _write(self) -> None:
        """Write one part of all that is settled since the last one; blocking, for a thread."""
        if self._parts is None:
            self._parts = self._find_parts()
        self._stitch()
        if self._unwritten:
            until_s = max(one.end_s for one in self._unwritten)
            part = Part(segments=tuple(self._unwritten), until_s=until_s)
            self.here.files.write(names.partial_name(self.job.id, self.job.attempt, self._parts), to_json(part))
            self._parts, self._unwritten = self._parts + 1, []
        if self._parts > self._told:
            who = {"job_id": self.job.id, "attempt": self.job.attempt, "worker": self.here.name}
            self.here.reporter.send(Readable(**who, parts=self._parts))  # type: ignore[arg-type]
            self._told = self._parts

    def _find_parts(self) -> int:
        """Return how many parts this attempt has written before its process was lost, and go on behind them."""
        folder = names.partial_folder(self.job.id, self.job.attempt)
        found = sorted(self.here.files.list(folder))
        if found:
            self._until_s = from_json(Part, self.here.files.read(found[-1])).segments[-1].start_s
        return len(found)

    def _stitch(self) -> None:
        """Put together what has been heard without a gap, up to spans whose successor is known."""
        if self._along is None:
            self._along = Along([channel for channel in self._streams if channel is not None])
        for channel, spans in self._streams.items():
            at = self._next.get(channel, 0)
            while at + (not self._all_cut) < len(spans) and (result := self._results.get(spans[at].index)):
                heard = from_json(Heard, self.here.files.read(result))
                self._along.add(spans[at], heard, spans[at + 1] if at + 1 < len(spans) else None)
                at += 1
                self._next[channel] = at
        self._unwritten += [one for one in self._along.taken() if one.start_s > self._until_s]
