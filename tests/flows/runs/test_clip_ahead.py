"""A clip that its process began before its flow run was there."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest

from flows.flows.transcribe_clip import attempt_clip
from flows.runs import clip_ahead
from flows.runs.process_state import MOST_AHEAD, Resident
from flows.runs.span_transcription import SpanTranscription
from storage.domain import names
from storage.domain.errors import StaleAttempt
from storage.domain.records import Job, JobState, Lane, Options, SpanResult, Transcript
from storage.files.file_store import Files
from storage.jobs.reports import Completed, Failed, Planned, Report, SpanHeard, Started
from tasks.audio.ingest import file_sha256
from tasks.models import catalogue
from tests.conftest import TINY_MODEL, Clip


class Web:
    """Plays the web process for one job."""

    def __init__(self, path: Path, job_id: str = "j1") -> None:
        self.told: list[Report] = []
        self.refuses: Exception | None = None
        job: dict[str, Any] = {"id": job_id, "attempt": 1, "name": path.name, "media_sha256": file_sha256(path)}
        job |= {"lane": Lane.INTERACTIVE, "options": Options(language="en"), "state": JobState.INGESTING}
        fingerprint = catalogue.fingerprint(TINY_MODEL)
        self.job = cast(Job, SimpleNamespace(**job, model=str(TINY_MODEL), fingerprint=fingerprint))
        self.run = cast(Any, SimpleNamespace(id=uuid4(), parameters={"job_id": job_id, "attempt": 1}, labels={}))

    def send(self, report: Report) -> Job:
        self.told.append(report)
        if self.refuses is not None:
            raise self.refuses
        return self.job

    @property
    def heard(self) -> list[SpanHeard]:
        (end,) = [each for each in self.told if isinstance(each, Completed)]
        return [each for each in end.earlier if isinstance(each, SpanHeard)]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of results that an engine was asked for."""
    asked: list[str] = []
    transcribe = SpanTranscription.transcribe

    def counted(self: SpanTranscription) -> SpanResult:
        asked.append(self.result)
        return transcribe(self)

    monkeypatch.setattr(SpanTranscription, "transcribe", counted)
    return asked


def process(folder: Path, path: Path, job_id: str = "j1") -> tuple[Resident, Web]:
    """Return a process with a recording on its storage, and its web process."""
    here, web, files = Resident(name="gpu-test", slots=1), Web(path, job_id), Files(str(folder))
    files.put(names.media_name(web.job.media_sha256), path, move=False)
    here.__dict__.update(files=files, reporter=web)
    return here, web


async def attempted(here: Resident, web: Web) -> Transcript:
    transcript = (await attempt_clip(here, web.run)).transcript
    assert transcript is not None
    return transcript


async def test_nothing_is_reported_before_the_flow_run_is_there(
    tmp_path: Path, speech: list[Clip], calls: list[str]
) -> None:
    here, web = process(tmp_path, speech[0].path)
    await clip_ahead.begin(here, web.job)
    assert web.told == []
    assert here.files.exists(calls[0])


@pytest.mark.parametrize("is_done", [False, True])
async def test_the_attempt_continues_what_was_begun(
    tmp_path: Path, speech: list[Clip], calls: list[str], *, is_done: bool
) -> None:
    alone = await attempted(*process(tmp_path / "alone", speech[0].path))
    here, web = process(tmp_path / "ahead", speech[0].path)
    begun = clip_ahead.begin(here, web.job)
    if is_done:
        await begun
    transcript = await attempted(here, web)
    assert calls[1:] == calls[:1]
    assert [segment.text for segment in transcript.segments] == [segment.text for segment in alone.segments]
    assert [segment.words for segment in transcript.segments] == [segment.words for segment in alone.segments]
    assert [type(each) for each in web.told] == [Started, Completed]
    assert [each.reused for each in web.heard] == [False]
    assert here.ahead.of("j1") is None


async def test_a_result_of_an_earlier_job_is_found_and_counts_as_that(
    tmp_path: Path, speech: list[Clip], calls: list[str]
) -> None:
    await attempted(*process(tmp_path, speech[0].path, "j0"))
    here, web = process(tmp_path, speech[0].path)
    await clip_ahead.begin(here, web.job)
    await attempted(here, web)
    assert len(calls) == 1
    assert [each.reused for each in web.heard] == [True]


async def test_what_a_killed_process_began_is_continued_by_another(
    tmp_path: Path, speech: list[Clip], calls: list[str]
) -> None:
    killed, web = process(tmp_path, speech[0].path)
    await clip_ahead.begin(killed, web.job)
    here, web = process(tmp_path, speech[0].path)
    await attempted(here, web)
    assert len(calls) == 1
    assert [type(each) for each in web.told] == [Started, Completed]


async def test_a_refused_attempt_stops_what_was_begun(tmp_path: Path, speech: list[Clip]) -> None:
    here, web = process(tmp_path, speech[0].path)
    begun = clip_ahead.begin(here, web.job)
    ahead = here.ahead.of("j1")
    web.refuses = StaleAttempt("j1", 1)
    outcome = await attempt_clip(here, web.run)
    assert outcome.state is not None
    assert outcome.state.is_cancelled()
    assert ahead is not None
    assert ahead.flag.is_raised()
    await begun


async def test_a_cancelled_flow_run_stops_what_was_begun(
    tmp_path: Path, speech: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, web = process(tmp_path, speech[0].path)
    stopped: list[bool] = []

    def transcribe(self: SpanTranscription) -> SpanResult:
        here.flag(web.run.id).raise_()
        stopped.append(self.flag.is_raised())
        raise StaleAttempt("j1", 1)

    monkeypatch.setattr(SpanTranscription, "transcribe", transcribe)
    begun = clip_ahead.begin(here, web.job)
    outcome = await attempt_clip(here, web.run)
    await begun
    assert outcome.state is not None
    assert outcome.state.is_cancelled()
    assert stopped[0]
    assert [type(each) for each in web.told] == [Started]


async def test_a_damaged_clip_fails_with_its_reason_at_its_attempt(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    path.write_bytes(b"RIFF, and no more")
    here, web = process(tmp_path, path)
    await clip_ahead.begin(here, web.job)
    assert web.told == []
    outcome = await attempt_clip(here, web.run)
    assert outcome.state is not None
    assert outcome.state.is_failed()
    assert [type(each) for each in web.told] == [Started, Failed]


async def test_a_clip_that_takes_long_is_shown_by_its_attempt(
    tmp_path: Path, speech: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.runs.transcribe_spans.ClipTranscription.plan_after_s", 0.0)
    here, web = process(tmp_path, speech[0].path)
    begun = clip_ahead.begin(here, web.job)
    await attempted(here, web)
    await begun
    kinds = [type(each) for each in web.told]
    assert kinds[0] is Started
    assert Planned in kinds


async def test_clips_whose_flow_runs_went_elsewhere_are_forgotten(tmp_path: Path, speech: list[Clip]) -> None:
    here, web = process(tmp_path, speech[0].path)
    begun = []
    for number in range(MOST_AHEAD + 1):
        cast(Any, web.job).id = f"j{number}"
        begun.append(clip_ahead.begin(here, cast(Job, SimpleNamespace(**vars(web.job)))))
    assert here.ahead.of("j0") is None
    assert here.ahead.of(f"j{MOST_AHEAD}") is not None
    await asyncio.gather(*begun)
