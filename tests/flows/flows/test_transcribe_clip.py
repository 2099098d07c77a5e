"""A clip's head start: what happens while Prefect records that its run begins."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest

from flows.flows.transcribe_clip import read_ahead
from flows.runs.process_state import Resident
from storage.domain import names
from storage.domain.errors import StaleAttempt
from storage.domain.records import JobState, Options
from storage.files.file_store import Files
from storage.jobs.reports import Started
from tasks.audio.ingest import file_sha256, ingest_key
from tests.tasks.sounds import tone, write_wav

RUN = SimpleNamespace(id=uuid4(), parameters={"job_id": "j1", "attempt": 1})


def begin(tmp_path: Path, path: Path, answer: Exception | None = None) -> Any:
    """Play a process whose web process answers the start of a clip; return the process and what it was told."""
    files, told = Files(str(tmp_path / "store")), list[Started]()
    sha256 = file_sha256(path)
    files.put(names.media_name(sha256), path, move=False)
    job = SimpleNamespace(
        id="j1", attempt=1, name="clip.wav", media_sha256=sha256, options=Options(), state=JobState.INGESTING
    )

    def send(report: Started) -> Any:
        told.append(report)
        if answer is not None:
            raise answer
        return job

    here = Resident(name="gpu-test")
    here.__dict__.update(files=files, reporter=SimpleNamespace(send=send))
    plan = names.plan_name(sha256, ingest_key(Options(), here.settings.engine.span_max_s))
    return here, told, lambda: files.exists(plan)


async def test_a_clip_is_read_while_its_run_begins(tmp_path: Path) -> None:
    here, told, is_planned = begin(tmp_path, write_wav(tmp_path / "clip.wav", tone(2.0)))
    here.begin_ahead(cast(Any, RUN), "transcribe-clip")
    begun = here.begun_ahead(RUN.id)
    assert begun is not None
    assert (await begun).id == "j1"
    assert [(each.job_id, each.flow_run_id) for each in told] == [("j1", str(RUN.id))]
    assert is_planned()
    here.forget(RUN.id)
    assert here.begun_ahead(RUN.id) is None


async def test_a_damaged_clip_is_left_to_the_attempt(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    path.write_bytes(b"RIFF, and no more")
    here, _, is_planned = begin(tmp_path, path)
    assert (await read_ahead(here, cast(Any, RUN))).id == "j1"
    assert not is_planned()


async def test_a_refused_start_is_raised_to_the_run(tmp_path: Path) -> None:
    wav = write_wav(tmp_path / "clip.wav", tone(2.0))
    here, _, is_planned = begin(tmp_path, wav, answer=StaleAttempt("j1", 1))
    here.begin_ahead(cast(Any, RUN), "transcribe-clip")
    with pytest.raises(StaleAttempt):
        await asyncio.shield(here.begun_ahead(RUN.id) or asyncio.sleep(0))
    assert not is_planned()


async def test_other_flows_have_no_head_start(tmp_path: Path) -> None:
    here, told, _ = begin(tmp_path, write_wav(tmp_path / "clip.wav", tone(1.0)))
    here.begin_ahead(cast(Any, RUN), "transcribe-recording")
    assert here.begun_ahead(RUN.id) is None
    assert told == []
