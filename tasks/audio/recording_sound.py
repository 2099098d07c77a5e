"""Read any stretch of a recording from its stored spans."""

from functools import lru_cache

import numpy as np

from storage.domain.records import Plan, Span, Stretch
from storage.files.file_store import Files
from tasks.audio.decode import SAMPLE_RATE_HZ, Samples
from tasks.audio.ingest import read_span

SPANS_HELD = 4


class RecordingSound:
    """The sound of a planned recording, on its clock; separate channels are mixed."""

    def __init__(self, files: Files, plan: Plan) -> None:
        self._plan = plan
        self._read = lru_cache(SPANS_HELD)(lambda sha256: read_span(files, sha256))

    def between(self, start_s: float, end_s: float) -> tuple[Samples, tuple[Stretch, ...]]:
        """Return the samples and the detected speech, in seconds from their start.

        Samples are float32 mono at 16 kHz.
        """
        length = round((end_s - start_s) * SAMPLE_RATE_HZ)
        channels: dict[int | None, Samples] = {}
        speech: list[Stretch] = []
        for span in self._plan.spans:
            if span.start_s >= end_s or span.end_s <= start_s:
                continue
            into = channels.setdefault(span.channel, np.zeros(length, dtype=np.float32))
            self._copy(span, start_s, into)
            speech += [
                Stretch(start_s=max(0.0, each.start_s - start_s), end_s=min(end_s, each.end_s) - start_s)
                for each in (*span.speech, *span.maybe)
                if each.start_s < end_s and each.end_s > start_s
            ]
        mixed = sum(channels.values(), np.zeros(length, dtype=np.float32))
        return mixed.astype(np.float32), tuple(_joined(speech))

    def _copy(self, span: Span, start_s: float, into: Samples) -> None:
        samples = self._read(span.samples_sha256)
        at = round((span.start_s - start_s) * SAMPLE_RATE_HZ)
        first, last = max(0, -at), min(len(samples), len(into) - at)
        if last > first:
            into[at + first : at + last] = samples[first:last]


def _joined(speech: list[Stretch]) -> list[Stretch]:
    """Return the stretches in order, those that touch as one."""
    joined: list[Stretch] = []
    for stretch in sorted(speech, key=lambda each: each.start_s):
        if joined and stretch.start_s <= joined[-1].end_s:
            joined[-1] = Stretch(start_s=joined[-1].start_s, end_s=max(joined[-1].end_s, stretch.end_s))
        else:
            joined.append(stretch)
    return joined
