"""A long recording in real processes: text is readable before all of it is read."""

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile

from tests.acceptance.conftest import Stack
from tests.conftest import PLAIN, SAMPLE_RATE_HZ, Assembly, Clip
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.acceptance
SILENCE_MINUTES = 30


class Caller:
    """A program with an API key of its own."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.key = stack.key_of("reader-along")

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.request(
            method, f"{self.stack.url}/api/v1/{path}", headers=headers, timeout=PATIENCE_S, verify=PLAIN, **more
        )

    def send(self, path: Path) -> str:
        with path.open("rb") as opened:
            answer = self.ask("POST", "jobs", files={"file": opened})
        return str(answer.raise_for_status().json()["id"])

    def first_text(self, job_id: str, *, wait_s: float = PATIENCE_S) -> dict[str, Any]:
        """Wait for the first words that can be read, and return them."""
        until = time.monotonic() + wait_s
        while (answer := self.ask("GET", f"jobs/{job_id}/transcript", params={"partial": "true"})).status_code == 404:
            assert time.monotonic() < until, self.stack.job(job_id)
            time.sleep(0.1)
        told: dict[str, Any] = answer.raise_for_status().json()
        return told


def results(stack: Stack, job_id: str) -> dict[str, float]:
    """Return the results of the job's spans that have been heard, with when they were written."""
    found = [row["result"] for row in stack.spans(job_id) if row["result"]]
    return {result: (stack.data_dir / "store" / result).stat().st_mtime for result in found}


@pytest.fixture(scope="module")
def caller(stack: Stack) -> Caller:
    return Caller(stack)


@pytest.fixture
def long_recording(speech: list[Clip], assemble: Callable[..., Assembly], tmp_path: Path) -> Callable[[float], Path]:
    """Return a function that makes minutes of speech, half an hour of silence, and a little speech."""

    def make(pause_s: float) -> Path:
        talk, _ = soundfile.read(assemble(list(itertools.islice(itertools.cycle(speech), 60)), pause_s=pause_s).path)
        silence = np.zeros(SILENCE_MINUTES * 60 * SAMPLE_RATE_HZ, dtype=np.float32)
        path = tmp_path / "long.flac"
        soundfile.write(path, np.concatenate([talk, silence, talk[: 20 * SAMPLE_RATE_HZ]]), SAMPLE_RATE_HZ)
        return path

    return make


def test_first_words_can_be_read_before_the_recording_has_been_read_to_its_end(
    stack: Stack, caller: Caller, long_recording: Callable[[float], Path]
) -> None:
    job_id = caller.send(long_recording(1.21))
    so_far = caller.first_text(job_id)
    assert so_far["partial"] is True
    assert so_far["until_s"] < 400
    assert 0 < so_far["progress"] < 1
    assert so_far["segments"]

    job = stack.wait_for(job_id, lambda job: job["state"] in {"completed", "failed"})
    assert job["state"] == "completed", job
    spans = stack.spans(job_id)
    heard_at = min((stack.data_dir / "store" / row["result"]).stat().st_mtime for row in spans)
    (plan,) = (stack.data_dir / "store" / "plans").glob(f"*/{job['media_sha256']}/*")
    assert heard_at < plan.stat().st_mtime
    final = caller.ask("GET", f"jobs/{job_id}/transcript", params={"partial": "true"}).json()
    assert "partial" not in final
    assert [one["text"] for one in final["segments"][: len(so_far["segments"])]] == [
        one["text"] for one in so_far["segments"]
    ]
    assert not [path for path in (stack.data_dir / "store" / "partial").rglob("*") if path.is_file()]


@pytest.mark.nightly
def test_killing_the_reading_process_loses_nothing(
    stack: Stack, caller: Caller, long_recording: Callable[[float], Path]
) -> None:
    job_id = caller.send(long_recording(1.22))
    so_far = caller.first_text(job_id)
    before = results(stack, job_id)
    for process in stack.processes_like("flows.worker.child_main", "--pool", "cpu"):
        process.kill()

    job = stack.wait_for(job_id, lambda job: job["state"] in {"completed", "failed"})
    assert job["state"] == "completed", job
    assert before.items() <= results(stack, job_id).items()
    texts = [segment.text for segment in stack.transcript(job_id).segments]
    assert texts[: len(so_far["segments"])] == [one["text"] for one in so_far["segments"]]


@pytest.mark.nightly
def test_cancelling_a_job_stops_reading_and_transcription(
    stack: Stack, caller: Caller, long_recording: Callable[[float], Path]
) -> None:
    job_id = caller.send(long_recording(1.23))
    caller.first_text(job_id)
    before = results(stack, job_id)
    caller.ask("POST", f"jobs/{job_id}/cancel").raise_for_status()
    assert caller.ask("GET", f"jobs/{job_id}/transcript", params={"partial": "true"}).status_code == 409
    again = caller.ask("POST", f"jobs/{job_id}/retry").raise_for_status().json()
    assert again["attempt"] == 2
    job = stack.wait_for(job_id, lambda job: job["state"] in {"completed", "failed"})
    assert job["state"] == "completed", job
    assert before.items() <= results(stack, job_id).items()
