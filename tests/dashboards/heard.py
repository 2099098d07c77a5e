"""A completed recording: audio and transcript on storage, rows in the ledger."""

import hashlib
import io
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from dashboards.runtime import context, notify
from storage.domain import names
from storage.domain.interruptions import RunMissing
from storage.domain.records import (
    Finding,
    Job,
    Lane,
    Options,
    Part,
    Redecoding,
    Segment,
    Span,
    Transcript,
    User,
    Word,
    to_json,
)
from storage.jobs import intake, job_store
from storage.jobs.reports import Completed, Cut, Exporting, Planned, Readable, SpanHeard, Started
from tests.factories import DirectReporter, FlowRun, transcript_of

LINES = (
    "Good morning, and welcome to the harbour meeting.",
    "The ferry leaves at nine, not at ten.",
    "Bring the blue folder and the keys.",
    "We will meet again on Thursday.",
    "The ferry is small, so come early.",
)


def sound(seconds: float) -> bytes:
    """Return a FLAC that swells and fades, so that its waveform can be told from a line."""
    at = np.arange(round(8000 * seconds)) / 8000
    wave = 0.4 * np.sin(2 * np.pi * 220 * at) * np.abs(np.sin(2 * np.pi * at / 4))
    packed = io.BytesIO()
    soundfile.write(packed, wave.astype(np.float32), 8000, format="FLAC")
    return packed.getvalue()


def segments_of(
    lines: Sequence[str], *, each_s: float = 4.0, speakers: Sequence[str | None] = (None,)
) -> list[Segment]:
    """Return a segment a line, its words spread evenly; every fifth word is doubtful."""
    found = []
    for place, line in enumerate(lines):
        start_s = place * each_s + 0.2
        parts = line.split()
        step_s = (each_s - 0.6) / len(parts)
        words = tuple(
            Word(
                start_s=round(start_s + step_s * n, 3),
                end_s=round(start_s + step_s * (n + 1) - 0.02, 3),
                text=f" {part}",
                probability=0.31 if n % 5 == 4 else 0.96,
            )
            for n, part in enumerate(parts)
        )
        end_s = words[-1].end_s
        speaker = speakers[place % len(speakers)]
        found.append(Segment(start_s=start_s, end_s=end_s, text=f" {line}", words=words, speaker=speaker))
    return found


def hear(
    owner: User,
    *,
    name: str = "harbour.flac",
    lines: Sequence[str] = LINES,
    speakers: Sequence[str | None] = (None,),
    findings: Sequence[Finding] = (),
    reheard: Sequence[Redecoding] = (),
    media: bytes | None = None,
    options: Options | None = None,
    media_start_s: float = 0.0,
) -> Job:
    """Take a recording in and through all reports, as a worker would tell of it."""
    holder = context.current()
    segments = segments_of(lines, speakers=speakers)
    duration_s = math.ceil(segments[-1].end_s) + 1.0
    job = send(owner, name, sound(duration_s) if media is None else media, options)
    transcript = _transcript(job, duration_s, segments, findings=tuple(findings), reheard=tuple(reheard))
    peaks = bytes(round(255 * 0.4 * abs(math.sin(math.pi * n / 20))) for n in range(round(10 * duration_s)))
    holder.files.write(names.peaks_name(job.media_sha256, job.options.audio_track), peaks)
    run = FlowRun(DirectReporter(holder.ledger, holder.files), holder.files, job, transcript, worker="gpu-here")
    run.media_start_s = media_start_s
    run.whole_way({"srt": b"WEBVTT\n", "vtt": b"WEBVTT\n"})
    return job


def _transcript(job: Job, duration_s: float, segments: Sequence[Segment], **more: Any) -> Transcript:
    facts = {"duration_s": duration_s, "speech_s": duration_s - 1, "model": "small", "given_up": ()}
    return transcript_of(job, segments, **facts, fingerprint="f00d" * 16, engine="faster-whisper 1.2.1", **more)


def send(owner: User, name: str, body: bytes, options: Options | None = None) -> Job:
    """Take a recording in."""
    holder = context.current()
    sha = hashlib.sha256(body).hexdigest()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sound"
        path.write_bytes(body)
        asked = {
            "sha256": sha,
            "owner_id": owner.id,
            "name": name,
            "options": options or Options(),
            "lane": Lane.INTERACTIVE,
        }
        return intake.take_in(holder.ledger, holder.files, path, actor=f"user:{owner.id}", **asked)  # type: ignore[arg-type]


class Growing:
    """A recording that is being heard, played part by part as the flow and its workers would tell of it."""

    def __init__(
        self, owner: User, *, lines: Sequence[str] = LINES, name: str = "harbour.flac", job: Job | None = None
    ) -> None:
        self.holder = context.current()
        self.segments = segments_of(lines)
        self.duration_s = math.ceil(self.segments[-1].end_s) + 1.0
        self.job = job or send(owner, name, sound(self.duration_s))
        self.parts = self.said = 0
        self.spans: list[Span] = []
        self.report(Started)

    def report(self, kind: Any, **told: Any) -> None:
        who = {"job_id": self.job.id, "attempt": self.job.attempt, "worker": "gpu-here"}
        self.job = DirectReporter(self.holder.ledger, self.holder.files).send(kind(**who, **told))
        notify.announce(self.job)

    def say(self, count: int, *, certain: bool = True) -> None:
        """Have the next lines heard: their span cut, its result reported, and a part of the text written."""
        more = tuple(self.segments[self.said : self.said + count])
        start_s, end_s = more[0].start_s - 0.2, more[-1].end_s + 0.4
        span = Span(index=self.parts, start_s=start_s, end_s=end_s, samples_sha256=f"{self.parts:04x}")
        self.spans.append(span)
        self.report(Cut, spans=(span,), read_s=end_s, duration_s=self.duration_s)
        self.report(SpanHeard, index=span.index, result=f"results/00/{self.parts:04x}/x.json", engine_s=0.5)
        part = Part(segments=more, until_s=more[-1].end_s, certain=certain)
        self.holder.files.write(names.partial_name(self.job.id, self.job.attempt, self.parts), to_json(part))
        self.parts, self.said = self.parts + 1, self.said + count
        self.report(Readable, parts=self.parts)

    def again(self) -> None:
        """Lose the flow run: another attempt begins, with nothing of its text written yet."""
        self.job = self.holder.ledger.run(
            job_store.requeue, self.job.id, actor="system:reconciler", reason=RunMissing()
        )
        self.parts = self.said = 0
        self.spans = []
        self.report(Started)

    def complete(self) -> None:
        """Have the rest read and heard, and the job completed."""
        if self.said < len(self.segments):
            self.say(len(self.segments) - self.said)
        self.holder.files.write(
            names.peaks_name(self.job.media_sha256, self.job.options.audio_track), bytes(range(200))
        )
        told = {"duration_s": self.duration_s, "speech_s": self.duration_s - 1, "language": None}
        self.report(Planned, **told, language_probability=None, spans=tuple(self.spans))
        stored_as = names.transcript_name(self.job.id)
        whole = _transcript(self.job, self.duration_s, self.segments)
        self.holder.files.write(stored_as, to_json(whole))
        self.report(Exporting)
        self.report(Completed, transcript=stored_as, exports={})
