"""Several clips in one flow run: each its own attempt, which ends without the others."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun

from flows.flows import transcribe_clips
from flows.flows.transcribe_clips import attempt_clips
from flows.runs.process_state import Resident
from flows.worker import requeue
from flows.worker.abandoned_runs import DEATHS, LOSSES
from storage.domain import names
from storage.domain.errors import StaleAttempt, StorageUnreachable
from storage.domain.records import JobState, Lane, Options
from storage.files.file_store import Files
from storage.jobs.reports import Completed, Failed, Planned, Report, Started
from tasks.audio.ingest import file_sha256
from tests.tasks.sounds import tone, write_wav


class WebOfClips:
    """Plays the web process for several jobs."""

    def __init__(self) -> None:
        self.told: list[Report] = []
        self.jobs: dict[str, Any] = {}
        self.refuses: dict[str, Exception] = {}

    def add(self, job_id: str, sha256: str) -> None:
        told = {"id": job_id, "attempt": 1, "name": f"{job_id}.wav", "media_sha256": sha256, "options": Options()}
        model = {"model": "none", "fingerprint": "none"}
        self.jobs[job_id] = SimpleNamespace(**told, **model, state=JobState.INGESTING, lane=Lane.INTERACTIVE)

    def send(self, report: Report) -> Any:
        self.told.append(report)
        if (refusal := self.refuses.get(report.job_id)) is not None:
            raise refusal
        return self.jobs[report.job_id]

    def kinds(self, job_id: str) -> list[type]:
        return [type(each) for each in self.told if each.job_id == job_id]


@pytest.fixture
def web() -> WebOfClips:
    return WebOfClips()


@pytest.fixture
def here(tmp_path: Path, web: WebOfClips) -> Resident:
    made = Resident(name="gpu-test")
    made.__dict__.update(files=Files(str(tmp_path / "store")), reporter=web)
    return made


@pytest.fixture
def run(tmp_path: Path, here: Resident, web: WebOfClips, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A run of three clips, without a Prefect server to show it."""

    async def not_shown(transcripts: Any) -> None: ...

    monkeypatch.setattr(transcribe_clips, "summarize", not_shown)
    for number, job_id in enumerate("abc"):
        path = write_wav(tmp_path / f"{job_id}.wav", tone(1.0 + number))
        web.add(job_id, sha256 := file_sha256(path))
        here.files.put(names.media_name(sha256), path, move=False)
    clips = [{"job_id": job_id, "attempt": 1} for job_id in "abc"]
    return cast(Any, SimpleNamespace(id=uuid4(), parameters={"clips": clips}, labels={}))


async def test_each_clip_is_started_and_completed_by_itself(here: Resident, run: Any, web: WebOfClips) -> None:
    outcome = await attempt_clips(here, run)
    assert await outcome.conclude() is None
    assert [web.kinds(job_id) for job_id in "abc"] == [[Started, Completed]] * 3
    ends = [each for each in web.told if isinstance(each, Completed)]
    plans = [plan for each in ends for plan in each.earlier if isinstance(plan, Planned)]
    assert {(plan.job_id, plan.duration_s) for plan in plans} == {("a", 1), ("b", 2), ("c", 3)}
    assert {each.flow_run_id for each in web.told if isinstance(each, Started)} == {str(run.id)}


async def test_a_damaged_clip_and_a_cancelled_one_stop_no_other(
    here: Resident, run: Any, web: WebOfClips, tmp_path: Path
) -> None:
    (tmp_path / "store" / names.media_name(web.jobs["a"].media_sha256)).write_bytes(b"RIFF, and no more")
    web.refuses["b"] = StaleAttempt("b", 1)
    state = await (await attempt_clips(here, run)).conclude()
    assert state is not None
    assert state.name == "AudioUnreadable"
    assert [web.kinds(job_id) for job_id in "abc"] == [[Started, Failed], [Started], [Started, Completed]]


async def test_a_temporary_error_of_one_clip_leaves_its_job_to_the_reconciler(
    here: Resident, run: Any, web: WebOfClips
) -> None:
    web.refuses["c"] = StorageUnreachable("s3://none", "no answer")
    web.jobs["a"].media_sha256 = "0" * 64  # not on storage, for good
    state = await (await attempt_clips(here, run)).conclude()
    assert state is not None
    assert state.name == "StorageUnreachable"
    assert web.kinds("c") == [Started]


async def test_a_run_that_is_told_to_stop_stops_all_its_clips(here: Resident, run: Any, web: WebOfClips) -> None:
    here.flag(run.id).raise_()
    await asyncio.sleep(0)
    state = await (await attempt_clips(here, run)).conclude()
    assert state is not None
    assert state.is_cancelled()
    assert Completed not in {type(each) for each in web.told}


def test_a_run_with_clips_is_not_begun_again_after_its_process_died() -> None:
    of_clips, of_one = FlowRun(flow_id=uuid4(), parameters={"clips": []}), FlowRun(flow_id=uuid4())
    assert [requeue.bound_of(of_clips, DEATHS), requeue.bound_of(of_one, DEATHS)] == [1, 4]
    assert requeue.bound_of(of_clips, LOSSES) == requeue.bound_of(of_one, LOSSES)
