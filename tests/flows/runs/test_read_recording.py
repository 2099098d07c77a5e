"""Reading a recording in a flow: progress reports, and cancellation."""

import asyncio
import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from flows.runs.process_state import CancelFlag, Resident
from flows.runs.read_recording import RecordingReader
from flows.runs.run_outcomes import Stopped
from storage.domain import names
from storage.domain.clock import new_id
from storage.domain.errors import LedgerUnreachable, StaleAttempt
from storage.domain.job_messages import Reading, decode
from storage.domain.records import Job, Options, Plan, Span
from storage.domain.settings import Settings
from storage.files.file_store import Files
from storage.jobs.reports import Noted
from tasks.audio.decode import Decoding, Ints
from tests.conftest import Assembly, Clip
from tests.tasks.sounds import tone, write_wav
from tests.waiting import PATIENCE_S


class Ears:
    """Takes the notes; says what it is told to say to each."""

    def __init__(self, answer: Exception | None = None) -> None:
        self.heard: list[str] = []
        self.answer = answer

    def send(self, note: Noted) -> None:
        self.heard.append(note.detail)
        if self.answer:
            raise self.answer


def reading_of(
    tmp_path: Path, ears: Ears, *, seconds: float = 900.0, path: Path | None = None, span_max_s: float = 150.0
) -> RecordingReader:
    path = path or write_wav(tmp_path / "long.wav", tone(seconds))
    files, sha256 = Files(str(tmp_path / "store")), hashlib.sha256(path.read_bytes()).hexdigest()
    files.put(names.media_name(sha256), path)
    job = SimpleNamespace(id=new_id(), attempt=1, name="long.wav", options=Options(), media_sha256=sha256)
    here = SimpleNamespace(files=files, settings=Settings(), reporter=ears, name="cpu-test")
    return RecordingReader(
        here=cast(Resident, here), job=cast(Job, job), flag=CancelFlag(), span_max_s=span_max_s, say_every_s=0.02
    )


async def plan_of(reading: RecordingReader) -> Plan:
    """Read all of a recording, and return its plan."""
    async with contextlib.aclosing(reading.spans()) as cut:
        async for _ in cut:
            pass
    return reading.plan


async def test_it_says_how_far_it_is(tmp_path: Path) -> None:
    ears = Ears()
    assert (await plan_of(reading_of(tmp_path, ears))).duration_s == 900.0
    assert ears.heard
    assert all(isinstance(decode(said), Reading) for said in ears.heard)


async def test_a_web_process_that_is_away_does_not_hold_it_up(tmp_path: Path) -> None:
    ears = Ears(LedgerUnreachable("http://nowhere", "away"))
    assert (await plan_of(reading_of(tmp_path, ears))).duration_s == 900.0


async def test_a_job_that_is_over_stops_it(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        async with asyncio.timeout(PATIENCE_S):
            await plan_of(reading_of(tmp_path, Ears(StaleAttempt("j", 1)), seconds=3600.0))


async def test_a_span_is_handed_on_while_the_rest_is_still_being_read(
    tmp_path: Path, speech: list[Clip], assemble: Callable[..., Assembly], monkeypatch: pytest.MonkeyPatch
) -> None:
    first_taken = threading.Event()
    blocks = Decoding.blocks

    def slow(self: Decoding) -> Iterator[Ints]:
        for number, block in enumerate(blocks(self)):
            assert number < 6 or first_taken.wait(PATIENCE_S), "no span was handed on"
            yield block

    monkeypatch.setattr(Decoding, "blocks", slow)
    reading = reading_of(tmp_path, Ears(), path=assemble(speech * 3, pause_s=1.0).path, span_max_s=20.0)
    spans: list[Span] = []
    async for more in reading.spans():
        first_taken.set()
        spans += more
    assert spans == [replace(span, silence_after_s=0.0) for span in reading.plan.spans]
    assert reading.announced_s == pytest.approx(reading.plan.duration_s, abs=0.1)


async def test_who_takes_no_more_spans_gives_the_reading_up(
    tmp_path: Path, speech: list[Clip], assemble: Callable[..., Assembly]
) -> None:
    reading = reading_of(tmp_path, Ears(), path=assemble(speech * 8, pause_s=1.0).path, span_max_s=20.0)
    async with contextlib.aclosing(reading.spans()) as spans:
        async for _ in spans:
            break
    with pytest.raises(Stopped):
        reading._note(1.0)
    assert not list(reading.here.files.list("plans"))
