"""The page script on a real ledger, with people to sit before it and jobs that went the way that jobs go."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from duckdb import DuckDBPyConnection
from streamlit.components.v2.component_manager import BidiComponentManager
from streamlit.testing.v1 import AppTest

from dashboards import context
from dashboards.context import Context
from storage import jobs, progress, sessions, users
from storage.clock import utc_now
from storage.files import Files
from storage.heartbeats import ModelState, WorkerBeat
from storage.ledger import Ledger
from storage.records import (
    ExportFormat,
    Finding,
    Job,
    JobState,
    Lane,
    Options,
    Role,
    Segment,
    Span,
    Stretch,
    Transcript,
    User,
    Word,
)
from storage.settings import Settings

SCRIPT = Path(__file__).parents[2] / "dashboards" / "main.py"
PASSWORD = "correct horse battery"
STEPS = (JobState.QUEUED, JobState.INGESTING, JobState.TRANSCRIBING, JobState.EXPORTING, JobState.COMPLETED)
WORKER = "worker:test"


@dataclass(slots=True, kw_only=True)
class Desk:
    """A ledger, and pages to look at it."""

    holder: Context

    @property
    def ledger(self) -> Ledger:
        return self.holder.ledger

    def user(self, name: str = "ada", role: Role = Role.MEMBER, *, must_change: bool = False) -> User:
        """Make a user whose password is PASSWORD."""
        return self.ledger.run(
            users.create, name=name, password=PASSWORD, role=role, must_change=must_change, actor="system:test"
        )

    def session(self, user: User) -> str:
        """Sign the user in with one more browser; return the session's id."""
        _, session = self.ledger.run(sessions.start, user, client="127.0.0.1 Firefox/1", now=utc_now(), max_days=1)
        return session.id

    def page(self, view: str, user: User | None, **query: str) -> AppTest:
        """Open a page (a name in `views/`) as the user, in a new browser; as nobody where there is none."""
        at = AppTest.from_file(str(SCRIPT), default_timeout=20)
        at.user = {"uid": user.id, "sid": self.session(user)} if user else {"uid": None, "sid": None}
        if view != "jobs":
            at.run()
            at.switch_page(f"views/{view}.py")
        at.query_params.update(query)
        at.run()
        assert not at.exception, at.exception
        return at

    def look(self, job: Job) -> Job:
        with self.ledger.read() as con:
            return jobs.get(con, job.id)

    def job(self, owner: User, state: JobState = JobState.QUEUED, **given: Any) -> Job:
        """Make a job and take it as far as `state`; the names of `given` are those of `_make`."""
        return _make(self.ledger, owner, state, **given)

    def beat(self, *, model: ModelState | None = None, busy: int = 0) -> None:
        """Let a worker of each pool say that it is there."""
        for pool, heard in (("cpu", None), ("gpu", model)):
            self.holder.workers.beat(
                WorkerBeat(
                    name=f"{pool}-here",
                    pool=pool,
                    host="here",
                    pid=1,
                    device="cpu",
                    slots=2,
                    busy=busy,
                    default_model=heard,
                    models=(heard,) if heard else (),
                    sent_at=utc_now(),
                )
            )


@contextmanager
def sitting(settings: Settings) -> Iterator[Desk]:
    """Open a ledger and put it up for the pages.

    Each AppTest makes a runtime, which would read the metadata of every installed package in search of components
    that declare themselves there; ours do not, and it takes longer than all the rest.
    """
    with (
        patch.object(BidiComponentManager, "discover_and_register_components"),
        Ledger.open(settings.storage.ledger_path) as ledger,
    ):
        holder = Context(settings=settings, ledger=ledger, files=Files.from_settings(settings.storage))
        with context.use(holder):
            yield Desk(holder=holder)


def component(at: AppTest, name: str) -> dict[str, Any]:
    """Return what a component of ours was given to show."""
    found = [one for one in at.get("bidi_component") if one.proto.component_name == f"transcriber_{name}"]
    assert found, f"there is no {name} on this page"
    given: dict[str, Any] = json.loads(found[0].proto.json)[0]
    return given


def has(at: AppTest, name: str) -> bool:
    """Tell whether a component of ours is on the page."""
    return any(one.proto.component_name == f"transcriber_{name}" for one in at.get("bidi_component"))


def words(at: AppTest) -> str:
    """Return all that is said on the page outside of components."""
    kinds = (at.title, at.subheader, at.markdown, at.caption, at.info, at.warning, at.error, at.success, at.get("html"))
    said = [getattr(one, "value", None) or getattr(one.proto, "body", "") for kind in kinds for one in kind]
    return "\n".join(str(one) for one in said)


def button(at: AppTest, label: str) -> Any:
    """Return the button with this label."""
    found = [one for one in at.button if one.label == label]
    assert found, f"no button {label!r} among {[one.label for one in at.button]}"
    return found[0]


def labels(at: AppTest) -> list[str]:
    return [one.label for one in at.button]


def _make(
    ledger: Ledger,
    owner: User,
    state: JobState,
    *,
    name: str = "talk.wav",
    model: str = "small",
    options: Options | None = None,
    text: str = "Nothing ventured, nothing gained.",
    findings: Sequence[Finding] = (),
    error: str = "talk.wav has no audio track; export it again with sound, or upload the sound alone",
) -> Job:
    sha = hashlib.sha256(name.encode()).hexdigest()
    job = ledger.run(
        jobs.accept,
        owner_id=owner.id,
        name=name,
        media_sha256=sha,
        media_bytes=1_234_567,
        options=options or Options(),
        lane=Lane.INTERACTIVE,
        actor=f"user:{owner.id}",
    )
    if state is JobState.CANCELLED:
        return ledger.run(jobs.cancel, job.id, actor=f"user:{owner.id}")
    if state is not JobState.QUEUED:
        ledger.run(_take_far, job, state, transcript=_transcript(job, model, text, findings), error=error)
    with ledger.read() as con:
        return jobs.get(con, job.id)


def _take_far(con: DuckDBPyConnection, job: Job, state: JobState, *, transcript: Transcript, error: str) -> None:
    def now() -> Job:
        return jobs.get(con, job.id)

    jobs.submitted(
        con, job.id, attempt=1, flow_run_id="run", model=transcript.model, fingerprint="f" * 64, actor="system:dispatch"
    )
    progress.started(con, now(), flow_run_id="run", actor=WORKER)
    if state is JobState.FAILED:
        progress.failed(con, now(), error=error, code="no_audio_track", actor=WORKER)
        return
    span = Span(
        index=0, start_s=0.0, end_s=60.0, samples_sha256=job.media_sha256, speech=(Stretch(start_s=0.0, end_s=40.0),)
    )
    done = STEPS.index(state)
    if done >= 2:
        plan = {"duration_s": 60.0, "speech_s": 40.0, "language": "en", "language_probability": 0.9}
        progress.planned(con, now(), spans=(span,), actor=WORKER, **plan)  # type: ignore[arg-type]
        progress.advanced(con, now(), index=0, done_s=10.0)
    if done >= 3:
        heard = {"index": 0, "result": "r", "engine_s": 2.5, "reused": False, "given_up": ()}
        progress.span_heard(con, now(), worker="gpu-here", actor=WORKER, **heard)  # type: ignore[arg-type]
        progress.exporting(con, now(), actor=WORKER)
    if done >= 4:
        exports = {fmt.value: f"exports/{job.id}.{fmt}" for fmt in ExportFormat}
        progress.completed(con, now(), transcript=transcript, stored_as="t.json", exports=exports, actor=WORKER)


def _transcript(job: Job, model: str, text: str, findings: Sequence[Finding]) -> Transcript:
    segment = Segment(
        start_s=0.5, end_s=3.0, text=text, words=(Word(start_s=0.5, end_s=3.0, text=text, probability=0.9),)
    )
    whole = Transcript(
        job_id=job.id,
        media_sha256=job.media_sha256,
        name=job.name,
        duration_s=60.0,
        speech_s=40.0,
        language="en",
        language_probability=0.9,
        model=model,
        fingerprint="f" * 64,
        engine="engine 1",
        options=job.options,
        segments=(segment,),
    )
    return replace(whole, findings=tuple(findings))
