"""A real ledger and a real folder for each test, and short ways to jobs and reports."""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from storage import jobs, manifests, names, users
from storage.clock import new_id
from storage.files import Files
from storage.ledger import Ledger
from storage.records import Job, Lane, Options, Role, Segment, Span, Stretch, Transcript, User, Word, to_json
from storage.reports import Completed, DirectReporter, Exporting, Planned, SpanHeard, Started


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed ledger with nothing in it, to copy (migrating one for each test takes a while)."""
    path = tmp_path_factory.mktemp("empty") / "ledger.duckdb"
    Ledger.open(path).close()
    return path


@pytest.fixture
def ledger(tmp_path: Path, empty_ledger: Path) -> Iterator[Ledger]:
    shutil.copyfile(empty_ledger, tmp_path / "ledger.duckdb")
    with Ledger.open(tmp_path / "ledger.duckdb") as opened:
        yield opened


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(str(tmp_path / "store"))


@pytest.fixture
def reporter(ledger: Ledger, files: Files) -> DirectReporter:
    return DirectReporter(ledger, files)


@pytest.fixture
def make_user(ledger: Ledger) -> Callable[[str], User]:
    """Return `make_user(name)`, which adds an account that has no password (hashing one takes a while)."""

    def make(name: str, role: Role = Role.MEMBER) -> User:
        return ledger.run(users.restore, user_id=new_id(), name=name, role=role, actor="system:test")

    return make


@pytest.fixture
def ann(make_user: Callable[[str], User]) -> User:
    return make_user("Ann")


class MakeJob(Protocol):
    def __call__(self, owner: User | None = None, *, content: str = ..., **more: Any) -> Job: ...


@pytest.fixture
def make_job(ledger: Ledger, ann: User) -> MakeJob:
    """Return `make_job(owner=ann, content=…)`; the content stands for the bytes."""

    def make(owner: User | None = None, *, content: str = "sound", **more: Any) -> Job:
        owner = owner or ann
        values: dict[str, Any] = {
            "owner_id": owner.id,
            "name": "talk.wav",
            "media_sha256": hashlib.sha256(content.encode()).hexdigest(),
            "media_bytes": len(content),
            "options": Options(),
            "lane": Lane.INTERACTIVE,
            "actor": f"user:{owner.id}",
        }
        return ledger.run(jobs.accept, **(values | more))

    return make


SPANS = (
    Span(index=0, start_s=0, end_s=10, samples_sha256="00aa", speech=(Stretch(start_s=1, end_s=7),)),
    Span(index=1, start_s=10, end_s=20, samples_sha256="11bb", speech=(Stretch(start_s=10, end_s=14),)),
)


def a_transcript(job: Job) -> Transcript:
    return Transcript(
        job_id=job.id,
        media_sha256=job.media_sha256,
        name=job.name,
        duration_s=20,
        speech_s=10,
        language="en",
        language_probability=0.98,
        model="tiny",
        fingerprint="f00d",
        engine="faster-whisper",
        options=job.options,
        segments=(
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
        ),
        given_up=("batch size 8",),
    )


class Runner:
    """Plays the flow run of one attempt, step by step."""

    def __init__(self, reporter: DirectReporter, files: Files, job: Job) -> None:
        self.reporter, self.files, self.job = reporter, files, job
        self.common: dict[str, Any] = {"job_id": job.id, "attempt": job.attempt, "worker": "cpu-1"}

    def start(self, **more: Any) -> Job:
        return self.reporter.send(Started(**self.common, flow_run_id="run-1", **more))

    def plan(self, spans: tuple[Span, ...] = SPANS, **more: Any) -> Job:
        facts: dict[str, Any] = {"duration_s": 20.0, "speech_s": 10.0, "language": "en", "language_probability": 0.98}
        return self.reporter.send(Planned(**self.common, **facts, spans=spans, **more))

    def hear(self, index: int, **more: Any) -> Job:
        result = names.result_name(SPANS[index].samples_sha256, "f00d", "engine 1", self.job.options, "en")
        return self.reporter.send(SpanHeard(**self.common, index=index, result=result, engine_s=0.5, **more))

    def export(self) -> Job:
        return self.reporter.send(Exporting(**self.common))

    def complete(self) -> Job:
        name = names.transcript_name(self.job.id)
        self.files.write(name, to_json(a_transcript(self.job)))
        srt = names.export_name(self.job.id, name, "srt", self.job.options.cues)
        self.files.write(srt, b"1\n")
        return self.reporter.send(Completed(**self.common, transcript=name, exports={"srt": srt}))

    def whole_way(self) -> Job:
        self.start()
        self.plan()
        self.hear(0)
        self.hear(1)
        self.export()
        return self.complete()


@pytest.fixture
def run_of(reporter: DirectReporter, files: Files) -> Callable[[Job], Runner]:
    return lambda job: Runner(reporter, files, job)


@pytest.fixture
def transcript_of() -> Callable[[Job], Transcript]:
    return a_transcript


@pytest.fixture
def spans() -> tuple[Span, ...]:
    return SPANS


@pytest.fixture
def lost(ledger: Ledger, files: Files, tmp_path: Path) -> Callable[[], Ledger]:
    """Return a function that loses the ledger and opens an empty one on the same storage."""

    def lose() -> Ledger:
        manifests.catch_up(ledger, files)
        ledger.close()
        return Ledger.open(tmp_path / "new" / "ledger.duckdb")

    return lose
