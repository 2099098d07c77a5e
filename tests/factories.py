"""Jobs for tests: accepted, and taken by a played flow run as far as a test needs them."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from storage.domain import names
from storage.domain.clock import utc_now
from storage.domain.records import (
    Finding,
    Job,
    JobState,
    Lane,
    Options,
    Segment,
    Span,
    Stretch,
    Transcript,
    User,
    Word,
    to_json,
)
from storage.files.file_store import Files
from storage.jobs import job_store
from storage.jobs.reports import (
    Advanced,
    Completed,
    Exporting,
    Failed,
    Planned,
    Report,
    Reporter,
    SpanHeard,
    Started,
    apply,
)
from storage.ledger.database import Ledger
from storage.remote.worker_registry import OWN_VERSION, WorkerBeat

SPANS = (
    Span(index=0, start_s=0, end_s=10, samples_sha256="00aa", speech=(Stretch(start_s=1, end_s=7),)),
    Span(index=1, start_s=10, end_s=20, samples_sha256="11bb", speech=(Stretch(start_s=10, end_s=14),)),
)
SEGMENTS = (
    Segment(
        start_s=1,
        end_s=2.5,
        text=' Grüße, "Anna"\n😀',
        words=(
            Word(start_s=1, end_s=1.5, text=" Grüße,", probability=0.123456789),
            Word(start_s=1.5, end_s=2.5, text=' "Anna"\n😀', probability=1),
        ),
        speaker="A",
        avg_logprob=-0.3,
        compression_ratio=1.2,
        no_speech_prob=0.01,
        temperature=0.2,
    ),
    Segment(start_s=3, end_s=4, text=" Ende.", language="de"),
)
WORKER = "worker:test"
"""The actor of progress that a test makes by itself."""
TEXT = "Nothing ventured, nothing gained."
NO_AUDIO = "talk.wav has no audio track; export it again with audio, or upload the audio alone"
STEPS = (JobState.QUEUED, JobState.INGESTING, JobState.TRANSCRIBING, JobState.EXPORTING, JobState.COMPLETED)


class DirectReporter:
    """Reports in process, as the web process applies what workers send."""

    def __init__(self, ledger: Ledger, files: Files) -> None:
        self._ledger, self._files = ledger, files

    def send(self, report: Report) -> Job:
        return apply(self._ledger, self._files, report, actor=f"worker:{report.worker}")


def accept(ledger: Ledger, owner: User, *, content: str = "sound", **more: Any) -> Job:
    """Accept a job of the owner's; `content` stands for the bytes of the recording, of which none are stored."""
    values: dict[str, Any] = {
        "owner_id": owner.id,
        "name": "talk.wav",
        "media_sha256": hashlib.sha256(content.encode()).hexdigest(),
        "media_bytes": len(content),
        "options": Options(),
        "lane": Lane.INTERACTIVE,
        "actor": f"user:{owner.id}",
    }
    return ledger.run(job_store.accept, **(values | more))


def transcript_of(job: Job, segments: Sequence[Segment] = SEGMENTS, **more: Any) -> Transcript:
    """Return a transcript of the job; `more` are fields of it that are to be otherwise."""
    values: dict[str, Any] = {
        "duration_s": 20,
        "speech_s": 10,
        "language": "en",
        "language_probability": 0.98,
        "model": "tiny",
        "fingerprint": "f00d",
        "engine": "faster-whisper",
        "given_up": ("batch size 8",),
    }
    return Transcript(
        job_id=job.id,
        media_sha256=job.media_sha256,
        name=job.name,
        options=job.options,
        segments=tuple(segments),
        **(values | more),
    )


class FlowRun:
    """Plays the flow run of one attempt, report by report; a transcript of the test's own is one span."""

    def __init__(
        self,
        reporter: Reporter,
        files: Files,
        job: Job,
        transcript: Transcript | None = None,
        *,
        worker: str = "cpu-1",
        flow_run_id: str | None = "run-1",
    ) -> None:
        self.reporter, self.files, self.job = reporter, files, job
        self.flow_run_id = flow_run_id
        self.spans = SPANS if transcript is None else (_whole(transcript),)
        self.transcript = transcript or transcript_of(job)
        self.media_start_s = 0.0
        self.common: dict[str, Any] = {"job_id": job.id, "attempt": job.attempt, "worker": worker}

    def start(self, **more: Any) -> Job:
        return self.reporter.send(Started(**self.common, flow_run_id=self.flow_run_id, **more))

    def plan(self, spans: tuple[Span, ...] | None = None, **more: Any) -> Job:
        fields = ("duration_s", "speech_s", "language", "language_probability")
        facts = {field: getattr(self.transcript, field) for field in fields}
        facts |= {"media_start_s": self.media_start_s}
        return self.reporter.send(Planned(**self.common, **facts, spans=spans or self.spans, **more))

    def advance(self, index: int, done_s: float) -> Job:
        return self.reporter.send(Advanced(**self.common, index=index, done_s=done_s))

    def hear(self, index: int, *, engine_s: float = 0.5, **more: Any) -> Job:
        result = names.result_name(self.spans[index].samples_sha256, "f00d", "engine 1", self.job.options, "en")
        return self.reporter.send(SpanHeard(**self.common, index=index, result=result, engine_s=engine_s, **more))

    def export(self) -> Job:
        return self.reporter.send(Exporting(**self.common))

    def complete(self, exports: Mapping[str, bytes] | None = None) -> Job:
        """Complete the job, with the transcript and its exports (by format) on storage."""
        stored_as = names.transcript_name(self.job.id)
        self.files.write(stored_as, to_json(self.transcript))
        bodies = {"srt": b"1\n"} if exports is None else exports
        named = {fmt: names.export_name(self.job.id, stored_as, fmt, self.job.options.cues) for fmt in bodies}
        for fmt, body in bodies.items():
            self.files.write(named[fmt], body)
        return self.reporter.send(Completed(**self.common, transcript=stored_as, exports=named))

    def fail(self, error: str, code: str) -> Job:
        return self.reporter.send(Failed(**self.common, error=error, code=code))

    def whole_way(self, exports: Mapping[str, bytes] | None = None) -> Job:
        self.start()
        self.plan()
        for span in self.spans:
            self.hear(span.index)
        self.export()
        return self.complete(exports)


def _whole(transcript: Transcript) -> Span:
    speech = (Stretch(start_s=0.0, end_s=transcript.speech_s),)
    return Span(index=0, start_s=0.0, end_s=transcript.duration_s, samples_sha256="00aa", speech=speech)


def job_in(
    ledger: Ledger,
    files: Files,
    owner: User,
    state: JobState,
    *,
    name: str = "talk.wav",
    options: Options | None = None,
    model: str = "small",
    text: str = TEXT,
    segments: Sequence[Segment] = (),
    findings: Sequence[Finding] = (),
    exports: Mapping[str, bytes] | None = None,
    error: str = NO_AUDIO,
    tags: tuple[str, ...] = (),
    given_up: tuple[str, ...] = (),
    metadata: Mapping[str, str] | None = None,
) -> Job:
    """Make a job of a minute of sound and take it as far as `state`, on the way that jobs go."""
    facts: dict[str, Any] = {"name": name, "media_bytes": 1_234_567, "options": options or Options(), "tags": tags}
    job = accept(ledger, owner, content=name, metadata=metadata or {}, **facts)
    if state is JobState.QUEUED:
        return job
    if state is JobState.CANCELLED:
        return ledger.run(job_store.cancel, job.id, actor=f"user:{owner.id}")
    word = Word(start_s=0.5, end_s=3.0, text=text, probability=0.9)
    said = segments or (Segment(start_s=0.5, end_s=3.0, text=text, words=(word,)),)
    heard = {"duration_s": 60.0, "speech_s": 40.0, "language_probability": 0.9, "given_up": given_up}
    transcript = transcript_of(job, said, model=model, findings=tuple(findings), **heard)
    run = FlowRun(DirectReporter(ledger, files), files, job, transcript, worker="gpu-here")
    told = {"model": model, "fingerprint": transcript.fingerprint, "flow_run_id": "run-1", "actor": "system:dispatch"}
    ledger.run(job_store.submitted, job.id, attempt=job.attempt, **told)
    run.start()
    if state is JobState.FAILED:
        return run.fail(error, "no_audio_track")
    far = STEPS.index(state)
    if far >= 2:
        run.plan()
        run.advance(0, 10.0)
    if far >= 3:
        run.hear(0, engine_s=2.5)
        run.export()
    if far >= 4:
        run.complete(exports or {})
    with ledger.read() as con:
        return job_store.get(con, job.id)


def heartbeat(pool: str = "gpu", **given: Any) -> WorkerBeat:
    """Return what an idle worker with one slot says of itself, with the given differences."""
    usual: dict[str, Any] = {"name": f"{pool}-1", "pool": pool, "host": "here", "pid": 1, "device": "cpu"}
    usual |= {"slots": 1, "busy": 0, "default_model": None, "sent_at": utc_now(), "version": OWN_VERSION}
    return WorkerBeat(**(usual | given))
