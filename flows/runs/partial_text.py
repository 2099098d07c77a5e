"""Write a recording's final text so far to storage, part by part, during transcription.

Each part holds only new text, is written once and reported to the ledger, so a long recording costs its own length. A
run that resumes an attempt finds its parts and appends to them.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from flows.runs.process_state import Resident, in_thread
from storage.domain import names
from storage.domain.errors import NotFound, StaleAttempt, TranscriberError
from storage.domain.records import Job, Part, Segment, Span, SpanResult, from_json, to_json
from storage.jobs.reports import Readable
from tasks.assembly.partial_stitch import PartialStitching

log = logging.getLogger(__name__)

WRITE_EVERY_S = 1.0


@dataclass(kw_only=True)
class PartialTextWriter:
    """The text so far of one attempt, written to storage in a thread."""

    here: Resident
    job: Job
    write_every_s: float = WRITE_EVERY_S
    _streams: dict[int | None, list[Span]] = field(default_factory=dict, init=False)
    _next: dict[int | None, int] = field(default_factory=dict, init=False)  # how many spans of a stream were stitched
    _results: dict[int, str] = field(default_factory=dict, init=False)
    _all_cut: bool = field(default=False, init=False)
    _stitching: PartialStitching | None = field(default=None, init=False)
    _unwritten: list[Segment] = field(default_factory=list, init=False)
    _certain: bool = field(default=True, init=False)
    _until_s: float = field(default=0.0, init=False)
    _parts: int | None = field(default=None, init=False)  # on storage; None: not checked yet
    _told: int = field(default=0, init=False)
    _news: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def cut(self, spans: Sequence[Span], *, all_cut: bool = False) -> None:
        """Add the next spans in their order; `all_cut` means that no more follow."""
        for span in spans:
            self._streams.setdefault(span.channel, []).append(span)
        self._all_cut = all_cut
        self._news.set()

    def add_result(self, span: Span, result: str) -> None:
        """Note that a span's result is on storage."""
        self._results[span.index] = result
        self._news.set()

    async def keep_writing(self) -> None:
        """Write new text until cancelled; failures never fail the job."""
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
            await asyncio.sleep(self.write_every_s)

    def _write(self) -> None:
        """Write one part with all text that became final; blocking, for a thread."""
        if self._parts is None:
            self._parts = self._find_parts()
        self._stitch()
        if self._unwritten:
            until_s = max(segment.end_s for segment in self._unwritten)
            part = Part(segments=tuple(self._unwritten), until_s=until_s, certain=self._certain)
            self.here.files.write(names.partial_name(self.job.id, self.job.attempt, self._parts), to_json(part))
            self._parts, self._unwritten = self._parts + 1, []
        if self._parts > self._told:
            job_fields = {"job_id": self.job.id, "attempt": self.job.attempt, "worker": self.here.name}
            self.here.reporter.send(Readable(**job_fields, parts=self._parts))  # type: ignore[arg-type]
            self._told = self._parts

    def _find_parts(self) -> int:
        """Return how many parts an earlier process of this attempt wrote, and resume after them."""
        folder = names.partial_folder(self.job.id, self.job.attempt)
        parts = sorted(self.here.files.list(folder))
        if parts:
            self._until_s = from_json(Part, self.here.files.read(parts[-1])).segments[-1].start_s
        return len(parts)

    def _stitch(self) -> None:
        """Stitch results without a gap, up to spans whose successor is known."""
        from tasks.asr.language import may_be_redecoded

        if self._stitching is None:
            self._stitching = PartialStitching([channel for channel in self._streams if channel is not None])
        for channel, spans in self._streams.items():
            position = self._next.get(channel, 0)
            while position + (not self._all_cut) < len(spans) and (result := self._results.get(spans[position].index)):
                span_result = from_json(SpanResult, self.here.files.read(result))
                self._certain &= not may_be_redecoded(span_result)
                self._stitching.add(
                    spans[position], span_result, spans[position + 1] if position + 1 < len(spans) else None
                )
                position += 1
                self._next[channel] = position
        self._unwritten += [segment for segment in self._stitching.taken() if segment.start_s > self._until_s]
