"""A clip's attempt begins once the process has its run, while Prefect records that."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

from flows.flows.transcribe_clip import transcribe_clip
from flows.runs.process_state import Resident
from storage.domain import names
from storage.domain.errors import StaleAttempt
from storage.domain.records import JobState, Lane, Options
from storage.files.file_store import Files
from storage.jobs.reports import Completed, Failed, Report, Started
from tasks.audio.ingest import file_sha256
from tests.tasks.sounds import tone, write_wav

RUN = SimpleNamespace(id=uuid4(), parameters={"job_id": "j1", "attempt": 1}, labels={})


class Web:
    """Plays the web process for one job."""

    def __init__(self, sha256: str, *, state: JobState = JobState.INGESTING, refuses: Exception | None = None) -> None:
        self.told: list[Report] = []
        self.refuses = refuses
        self.job = SimpleNamespace(
            lane=Lane.INTERACTIVE,
            id="j1",
            attempt=1,
            name="clip.wav",
            media_sha256=sha256,
            options=Options(),
            state=state,
            model="none",
            fingerprint="none",
        )

    def send(self, report: Report) -> Any:
        self.told.append(report)
        if self.refuses is not None:
            raise self.refuses
        return self.job

    def kinds(self) -> list[type]:
        return [type(each) for each in self.told]


def process(tmp_path: Path, path: Path, **answers: Any) -> tuple[Resident, Web]:
    """Return a process with a recording on its storage, and its web process."""
    files, sha256 = Files(str(tmp_path / "store")), file_sha256(path)
    files.put(names.media_name(sha256), path, move=False)
    here, web = Resident(name="gpu-test"), Web(sha256, **answers)
    here.__dict__.update(files=files, reporter=web)
    return here, web


def begin(here: Resident, flow_name: str = str(transcribe_clip.name)) -> "asyncio.Task[Any] | None":
    here.begin_ahead(cast(Any, RUN), flow_name)
    return here.begun_ahead(RUN.id)


async def test_a_clip_is_transcribed_while_its_run_begins(tmp_path: Path) -> None:
    here, web = process(tmp_path, write_wav(tmp_path / "clip.wav", tone(2.0)))
    begun = begin(here)
    assert begun is not None
    outcome = await begun
    assert (outcome.state, outcome.transcript and outcome.transcript.duration_s) == (None, 2.0)
    assert (web.kinds()[0], web.kinds()[-1]) == (Started, Completed)
    here.forget(RUN.id)
    assert here.begun_ahead(RUN.id) is None


async def test_a_damaged_clip_fails_with_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    path.write_bytes(b"RIFF, and no more")
    here, web = process(tmp_path, path)
    outcome = await (begin(here) or asyncio.sleep(0))
    assert outcome is not None
    assert outcome.state is not None
    assert outcome.state.is_failed()
    assert web.kinds() == [Started, Failed]


async def test_a_refused_attempt_ends_as_cancelled(tmp_path: Path) -> None:
    wav = write_wav(tmp_path / "clip.wav", tone(2.0))
    here, web = process(tmp_path, wav, refuses=StaleAttempt("j1", 1))
    outcome = await (begin(here) or asyncio.sleep(0))
    assert outcome is not None
    assert outcome.state is not None
    assert outcome.state.is_cancelled()
    assert web.kinds() == [Started]


async def test_a_clip_that_is_done_already_is_left_alone(tmp_path: Path) -> None:
    wav = write_wav(tmp_path / "clip.wav", tone(2.0))
    here, web = process(tmp_path, wav, state=JobState.COMPLETED)
    outcome = await (begin(here) or asyncio.sleep(0))
    assert outcome is not None
    assert (outcome.state, outcome.transcript) == (None, None)
    assert web.kinds() == [Started]


async def test_a_run_that_prefect_refuses_stops_its_attempt(tmp_path: Path) -> None:
    here, web = process(tmp_path, write_wav(tmp_path / "clip.wav", tone(2.0)))
    flag, begun = here.flag(RUN.id), begin(here)
    assert begun is not None
    await asyncio.sleep(0)  # it begins
    here.forget(RUN.id)
    await asyncio.wait({begun})
    assert begun.cancelled()
    assert flag.is_raised()
    assert Completed not in web.kinds()


async def test_other_flows_have_no_head_start(tmp_path: Path) -> None:
    here, web = process(tmp_path, write_wav(tmp_path / "clip.wav", tone(1.0)))
    assert begin(here, "transcribe-recording") is None
    assert web.told == []
