"""A platform that runs: a second `up`, `doctor`, and speakers without their models."""

import time

import httpx
import pytest

from tasks.diarization import speaker_models
from tasks.models.downloads import INCOMING
from tests.acceptance.conftest import Stack
from tests.acceptance.test_two_workers import heard
from tests.acceptance.test_up import transcriber
from tests.conftest import Clip
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.acceptance


def test_a_second_up_says_who_holds_the_data(stack: Stack) -> None:
    second = transcriber(stack, "up")

    assert second.returncode == 1
    assert stack.process is not None
    assert str(stack.process.pid) in second.stderr
    assert "Traceback" not in second.stderr
    assert httpx.get(f"{stack.url}/livez").status_code == 200


def test_doctor_finds_a_running_platform_well(stack: Stack) -> None:
    until = time.monotonic() + PATIENCE_S  # on a busy machine a worker's heartbeat may be late for once
    while (examined := transcriber(stack, "doctor")).returncode and time.monotonic() < until:
        time.sleep(5)

    assert examined.returncode == 0, examined.stdout + examined.stderr


def test_without_diarization_the_text_comes_with_a_note(stack: Stack, speech: list[Clip]) -> None:
    models = stack.data_dir / "models"
    in_the_way = models / INCOMING / f"{speaker_models.NAME}.lock"
    for folder in (models, models / INCOMING, in_the_way):  # where the models would be fetched
        folder.mkdir(mode=0o700, exist_ok=True)
    try:
        job_id, found = heard(stack, speech[0].path, diarize=True)
    finally:
        in_the_way.rmdir()
    assert found.text
    assert {segment.speaker for segment in found.segments} == {None}
    (note,) = stack.job(job_id)["given_up"]
    assert note.startswith("speakers were not told apart: the models could not be fetched: ")
