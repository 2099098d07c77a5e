"""Reading a recording in a flow: how far it is is said, and a job that is over stops it."""

import asyncio
import hashlib
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
from storage.records import Job, Options
from storage.reports import Noted
from storage.settings import Settings
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


def reading_of(tmp_path: Path, ears: Ears, *, seconds: float = 900.0) -> Reading:
    path = write_wav(tmp_path / "long.wav", tone(seconds))
    files, sha256 = Files(str(tmp_path / "store")), hashlib.sha256(path.read_bytes()).hexdigest()
    files.put(names.media_name(sha256), path)
    job = SimpleNamespace(id=new_id(), attempt=1, name="long.wav", options=Options(), media_sha256=sha256)
    here = SimpleNamespace(files=files, settings=Settings(), reporter=ears, name="cpu-test")
    return Reading(here=cast(Resident, here), job=cast(Job, job), flag=CancelFlag(), span_max_s=150.0)


@pytest.mark.usefixtures("often")
async def test_it_says_how_far_it_is(tmp_path: Path) -> None:
    ears = Ears()
    plan = await reading_of(tmp_path, ears).plan()
    assert plan.duration_s == 900.0
    assert ears.heard
    assert all(said.startswith("reading: ") and said.endswith(" so far") for said in ears.heard)


@pytest.mark.usefixtures("often")
async def test_a_web_process_that_is_away_does_not_hold_it_up(tmp_path: Path) -> None:
    ears = Ears(LedgerUnreachable("http://nowhere", "away"))
    assert (await reading_of(tmp_path, ears).plan()).duration_s == 900.0


@pytest.mark.usefixtures("often")
async def test_a_job_that_is_over_stops_it(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        async with asyncio.timeout(60):
            await reading_of(tmp_path, Ears(StaleAttempt("j", 1)), seconds=3600.0).plan()


@pytest.mark.parametrize(
    ("seconds", "said"), [(30.4, "30 s"), (150.0, "2 minutes"), (1499.0, "25 minutes"), (11_100.0, "3 h 05 min")]
)
def test_lengths_are_said_as_people_say_them(seconds: float, said: str) -> None:
    assert spoken(seconds) == said
