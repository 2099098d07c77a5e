"""A clip that its process began before its flow run was there."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest

from flows.flows.transcribe_clip import attempt_clip
from flows.flows.transcribe_clips import attempt_clips
from flows.runs import clip_ahead
from flows.runs.process_state import MOST_AHEAD, NamedLocks, Resident
from flows.runs.run_outcomes import Stopped
from flows.runs.span_transcription import SpanTranscription
from storage.domain import names
from storage.domain.errors import AudioUnreadable, NotFound, StaleAttempt
from storage.domain.records import Job, JobState, Lane, Options, Span, SpanResult, Transcript
from storage.files.file_store import Files
from storage.jobs.reports import Advanced, Completed, Failed, Planned, Report, SpanHeard, Started
from tasks.audio.ingest import file_sha256
from tasks.models import catalogue
from tests.conftest import TINY_MODEL, Clip
from tests.waiting import PATIENCE_S, until


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
    def steps(self) -> list[type]:
        """What was told, without what a slow machine adds."""
        return [type(each) for each in self.told if not isinstance(each, Planned | Advanced)]

    @property
    def heard(self) -> list[SpanHeard]:
        return [each for each in self._at_the_end if isinstance(each, SpanHeard)]

    @property
    def spans(self) -> list[Span]:
        return [span for each in self._at_the_end if isinstance(each, Planned) for span in each.spans]

    @property
    def _at_the_end(self) -> tuple[Report, ...]:
        (end,) = [each for each in self.told if isinstance(each, Completed)]
        return end.earlier


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


def until_stopped(transcription: SpanTranscription) -> SpanResult:
    """Play an engine that never ends by itself."""
    until(transcription.flag.is_raised)
    raise Stopped


async def attempted(here: Resident, web: Web) -> Transcript:
    transcript = (await attempt_clip(here, web.run)).transcript
    assert transcript is not None
    return transcript


async def test_no_progress_is_reported_before_the_flow_run_is_there(
    tmp_path: Path, speech: list[Clip], calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    transcribe, loop = SpanTranscription.transcribe, asyncio.get_running_loop()

    def slowly(self: SpanTranscription) -> SpanResult:
        self.note(1.0)
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0.2), loop).result(PATIENCE_S)
        return transcribe(self)

    monkeypatch.setattr(SpanTranscription, "transcribe", slowly)
    monkeypatch.setattr(SpanTranscription, "report_every_s", 0.0)
    monkeypatch.setattr(clip_ahead.ClipAhead, "ask_every_s", PATIENCE_S)
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
    assert web.steps == [Started, Completed]
    assert [each.reused for each in web.heard] == [False]
    assert here.ahead.of("j1") is None


async def test_the_engine_hears_a_clip_while_its_span_is_being_stored(
    tmp_path: Path, speech: list[Clip], calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, web = process(tmp_path, speech[0].path)
    write, heard = Files.write, threading.Event()

    def slowly(self: Files, name: str, data: bytes) -> None:
        if name.startswith("spans/"):
            assert heard.wait(PATIENCE_S), "the span is stored before it is heard"
        write(self, name, data)
        if name.startswith("results/"):
            heard.set()

    with monkeypatch.context() as patched:
        patched.setattr(Files, "write", slowly)
        beside = await attempted(here, web)
    assert all(here.files.exists(names.span_name(span.samples_sha256)) for span in web.spans)
    alone = await attempted(*process(tmp_path / "read", speech[0].path))
    assert [segment.words for segment in beside.segments] == [segment.words for segment in alone.segments]


async def test_a_span_that_cannot_be_stored_fails_the_attempt_although_it_is_heard(
    tmp_path: Path, speech: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, web = process(tmp_path, speech[0].path)
    write = Files.write

    def refuse(self: Files, name: str, data: bytes) -> None:
        if name.startswith("spans/"):
            raise AudioUnreadable(name, "no space")
        write(self, name, data)

    monkeypatch.setattr(Files, "write", refuse)
    assert (await attempt_clip(here, web.run)).transcript is None
    assert web.steps == [Started, Failed]
    assert not list(here.files.list("plans"))


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
    assert web.steps == [Started, Completed]


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


@pytest.mark.parametrize("refusal", [StaleAttempt("j1", 1), NotFound("job", "j1")])
async def test_a_job_that_is_not_wanted_any_more_stops_what_was_begun(
    tmp_path: Path, speech: list[Clip], monkeypatch: pytest.MonkeyPatch, refusal: Exception
) -> None:
    here, web = process(tmp_path, speech[0].path)
    web.refuses = refusal
    monkeypatch.setattr(clip_ahead.ClipAhead, "ask_every_s", 0.0)
    monkeypatch.setattr(SpanTranscription, "transcribe", until_stopped)
    async with asyncio.timeout(PATIENCE_S):
        await clip_ahead.begin(here, web.job)
    assert not list(here.files.list("results"))


@pytest.mark.parametrize("refusal", [StaleAttempt("j1", 1), NotFound("job", "j1")])
async def test_a_job_that_is_not_wanted_any_more_stops_its_attempt(
    tmp_path: Path, speech: list[Clip], monkeypatch: pytest.MonkeyPatch, refusal: Exception
) -> None:
    monkeypatch.setattr(SpanTranscription, "report_every_s", 0.0)

    def transcribe(self: SpanTranscription) -> SpanResult:
        web.refuses = refusal
        self.note(1.0)
        return until_stopped(self)

    here, web = process(tmp_path, speech[0].path)
    monkeypatch.setattr(SpanTranscription, "transcribe", transcribe)
    async with asyncio.timeout(PATIENCE_S):
        outcome = await attempt_clip(here, web.run)
    assert outcome.state is not None
    assert outcome.state.is_cancelled()


class Watched(NamedLocks):
    """Says when a lock was asked for so many times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self._left, self.asked = times, asyncio.Event()

    def of(self, name: str) -> asyncio.Lock:
        self._left -= 1
        if not self._left:
            self.asked.set()
        return super().of(name)


@pytest.mark.parametrize("lane", [Lane.INTERACTIVE, Lane.BATCH])
async def test_a_clip_waits_for_an_equal_one_of_its_lane_until_it_is_cancelled(
    tmp_path: Path, speech: list[Clip], monkeypatch: pytest.MonkeyPatch, lane: Lane
) -> None:
    here, web = process(tmp_path, speech[0].path)
    another, begins, goes_on = Web(speech[0].path, "j2"), [asyncio.Event(), asyncio.Event()], threading.Event()
    cast(Any, another.job).lane = lane
    loop, asked = asyncio.get_running_loop(), iter(begins)
    here.locks = locks = Watched(4)  # each clip asks for that of its bytes, and of its span's result

    def transcribe(self: SpanTranscription) -> SpanResult:
        loop.call_soon_threadsafe(next(asked).set)
        goes_on.wait(PATIENCE_S)
        raise Stopped

    monkeypatch.setattr(SpanTranscription, "transcribe", transcribe)
    first = clip_ahead.begin(here, web.job)
    async with asyncio.timeout(PATIENCE_S):
        await begins[0].wait()
        second = clip_ahead.begin(here, another.job)
        waits = here.ahead.of("j2")
        assert waits is not None
        if lane is Lane.INTERACTIVE:
            await locks.asked.wait()
            await asyncio.sleep(0)
            waits.flag.raise_()
            await second
            assert not begins[1].is_set()
        else:
            await begins[1].wait()
        goes_on.set()
        await asyncio.gather(first, second)


async def test_clips_that_share_a_run_go_on_with_what_was_begun_and_stop_it(
    tmp_path: Path, speech: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, web = process(tmp_path, speech[0].path)
    web.run.parameters = {"clips": [{"job_id": "j1", "attempt": 1}]}
    stopped: list[bool] = []

    def transcribe(self: SpanTranscription) -> SpanResult:
        asyncio.run_coroutine_threadsafe(cancel(), loop).result(PATIENCE_S)
        stopped.append(self.flag.is_raised())
        raise Stopped

    async def cancel() -> None:
        here.flag(web.run.id).raise_()
        await ahead.flag.wait()

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(SpanTranscription, "transcribe", transcribe)
    begun, ahead = clip_ahead.begin(here, web.job), cast(Any, here.ahead.of("j1"))
    async with asyncio.timeout(PATIENCE_S):
        outcome = await attempt_clips(here, web.run)
        await begun
    assert outcome.stopped
    await asyncio.to_thread(until, lambda: bool(stopped))  # the reading, if it still went on, ends before the engine
    assert stopped[0]
    assert here.ahead.of("j1") is None


@pytest.mark.parametrize("fault", [IndexError("an empty file"), OSError("nobody there")])
async def test_a_process_that_is_offered_nothing_asks_ever_more_rarely_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fault: Exception
) -> None:
    paused: list[float] = []

    async def offered(*_: object) -> AsyncIterator[Job]:
        for each in (fault,):
            raise each
        yield cast(Job, None)

    async def sleep(seconds: float) -> None:
        paused.append(seconds)
        if len(paused) == 12:
            raise EOFError

    monkeypatch.setattr(clip_ahead, "offered", offered)
    monkeypatch.setattr("flows.runs.clip_ahead.random.uniform", lambda _, most: most)
    monkeypatch.setattr("flows.runs.clip_ahead.asyncio.sleep", sleep)
    with pytest.raises(EOFError):
        await clip_ahead.listen(Resident(name="gpu-test"))
    assert paused == [1, 2, 4, 8, 16, 32, *[60] * 6]
    assert len(caplog.records) == 1


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
    assert web.steps == [Started]


async def test_a_damaged_clip_fails_with_its_reason_at_its_attempt(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    path.write_bytes(b"RIFF, and no more")
    here, web = process(tmp_path, path)
    await clip_ahead.begin(here, web.job)
    assert web.told == []
    outcome = await attempt_clip(here, web.run)
    assert outcome.state is not None
    assert outcome.state.is_failed()
    assert web.steps == [Started, Failed]


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
