"""A recording that has gone the whole way: its sound and its transcript on storage, its rows in the ledger."""

import hashlib
import io
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from dashboards import context
from storage import intake, names
from storage.records import (
    ExportFormat,
    Finding,
    Job,
    Lane,
    Options,
    Rehearing,
    Segment,
    Span,
    Transcript,
    User,
    Word,
    to_json,
)
from storage.reports import Completed, DirectReporter, Exporting, Planned, SpanHeard, Started

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
    reheard: Sequence[Rehearing] = (),
    media: bytes | None = None,
) -> Job:
    """Take a recording in and through all reports, as a worker would tell of it."""
    holder = context.current()
    segments = segments_of(lines, speakers=speakers)
    duration_s = math.ceil(segments[-1].end_s) + 1.0
    body = sound(duration_s) if media is None else media
    sha = hashlib.sha256(body).hexdigest()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sound"
        path.write_bytes(body)
        asked = {"sha256": sha, "owner_id": owner.id, "name": name, "options": Options(), "lane": Lane.INTERACTIVE}
        job = intake.take_in(holder.ledger, holder.files, path, actor=f"user:{owner.id}", **asked)  # type: ignore[arg-type]
    transcript = Transcript(
        job_id=job.id,
        media_sha256=sha,
        name=name,
        duration_s=duration_s,
        speech_s=duration_s - 1,
        language="en",
        language_probability=0.98,
        model="small",
        fingerprint="f00d" * 16,
        engine="faster-whisper 1.2.1",
        options=job.options,
        segments=tuple(segments),
        findings=tuple(findings),
        reheard=tuple(reheard),
    )
    peaks = bytes(round(255 * 0.4 * abs(math.sin(math.pi * n / 20))) for n in range(round(10 * duration_s)))
    holder.files.write(names.peaks_name(sha, 0), peaks)
    _report(job, transcript)
    return job


def _report(job: Job, transcript: Transcript) -> None:
    holder = context.current()
    reporter, who = DirectReporter(holder.ledger, holder.files), {"job_id": job.id, "attempt": 1, "worker": "gpu-here"}
    stored_as = names.transcript_name(job.id)
    holder.files.write(stored_as, to_json(transcript))
    exports = {
        fmt.value: names.export_name(job.id, stored_as, fmt, job.options.cues)
        for fmt in (ExportFormat.SRT, ExportFormat.VTT)
    }
    for exported in exports.values():
        holder.files.write(exported, b"WEBVTT\n")
    span = Span(index=0, start_s=0, end_s=transcript.duration_s, samples_sha256="00aa")
    told = {"duration_s": transcript.duration_s, "speech_s": transcript.speech_s, "language": "en"}
    reporter.send(Started(**who))  # type: ignore[arg-type]
    reporter.send(Planned(**who, **told, language_probability=0.98, spans=(span,)))  # type: ignore[arg-type]
    reporter.send(SpanHeard(**who, index=0, result="results/00/00aa/x.json", engine_s=1.5))  # type: ignore[arg-type]
    reporter.send(Exporting(**who))  # type: ignore[arg-type]
    reporter.send(Completed(**who, transcript=stored_as, exports=exports))  # type: ignore[arg-type]
