"""Reading a recording in a flow: how far it is is said, and a job that is over stops it."""

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

from flows import reading
from flows.endings import Stopped
from flows.reading import Reading, spoken
from flows.resident import CancelFlag, Resident
from storage import names
from storage.clock import new_id
from storage.errors import LedgerUnreachable, StaleAttempt
from storage.files import Files
from storage.records import Job, Options, Plan, Span
from storage.reports import Noted
from storage.settings import Settings
from tasks.decode import Decoding, Ints
from tests.conftest import Assembly, Clip
from tests.tasks.sounds import tone, write_wav


class Ears:
    """Takes the notes; says what it is told to say to each."""

    def __init__(self, answer: Exception | None = None) -> None:
        self.heard: list[str] = []
        self.answer = answer

    def send(self, note: Noted) -> None:
        self.heard.append(note.detail)
        if self.answer:
            raise self.answer


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "SAY_EVERY_S", 0.02)


def reading_of(
    tmp_path: Path, ears: Ears, *, seconds: float = 900.0, path: Path | None = None, span_max_s: float = 150.0
) -> Reading:
    path = path or write_wav(tmp_path / "long.wav", tone(seconds))
    files, sha256 = Files(str(tmp_path / "store")), hashlib.sha256(path.read_bytes()).hexdigest()
    files.put(names.media_name(sha256), path)
    job = SimpleNamespace(id=new_id(), attempt=1, name="long.wav", options=Options(), media_sha256=sha256)
    here = SimpleNamespace(files=files, settings=Settings(), reporter=ears, name="cpu-test")
    return Reading(here=cast(Resident, here), job=cast(Job, job), flag=CancelFlag(), span_max_s=span_max_s)


async def read(reading: Reading) -> Plan:
    """Take all spans and return the plan."""
    async for _ in reading.spans():
        pass
    return reading.plan


@pytest.mark.usefixtures("often")
async def test_it_says_how_far_it_is(tmp_path: Path) -> None:
    ears = Ears()
    assert (await read(reading_of(tmp_path, ears))).duration_s == 900.0
    assert ears.heard
    assert all(said.startswith("reading: ") and said.endswith(" so far") for said in ears.heard)


@pytest.mark.usefixtures("often")
async def test_a_web_process_that_is_away_does_not_hold_it_up(tmp_path: Path) -> None:
    ears = Ears(LedgerUnreachable("http://nowhere", "away"))
    assert (await read(reading_of(tmp_path, ears))).duration_s == 900.0


@pytest.mark.usefixtures("often")
async def test_a_job_that_is_over_stops_it(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        async with asyncio.timeout(60):
            await read(reading_of(tmp_path, Ears(StaleAttempt("j", 1)), seconds=3600.0))


async def test_a_span_is_handed_on_while_the_rest_is_still_being_read(
    tmp_path: Path, speech: list[Clip], assemble: Callable[..., Assembly], monkeypatch: pytest.MonkeyPatch
) -> None:
    first_taken = threading.Event()
    blocks = Decoding.blocks

    def slow(self: Decoding) -> Iterator[Ints]:
        for number, block in enumerate(blocks(self)):
            assert number < 6 or first_taken.wait(30), "no span was handed on"
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


@pytest.mark.parametrize(
    ("seconds", "said"), [(30.4, "30 s"), (150.0, "2 minutes"), (1499.0, "25 minutes"), (11_100.0, "3 h 05 min")]
)
def test_lengths_are_said_as_people_say_them(seconds: float, said: str) -> None:
    assert spoken(seconds) == said
