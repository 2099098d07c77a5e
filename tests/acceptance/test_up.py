"""`transcriber up` as a command: ready, alone on its data, and gone when told."""

import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import srt
import webvtt

from tests.acceptance.conftest import Stack

pytestmark = pytest.mark.acceptance
DEMO = Path(__file__).parents[2] / "demo"


def transcriber(stack: Stack, *arguments: str, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments],
        env=stack.env,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def test_demo_prints_the_words_and_valid_subtitles_and_leaves_nothing_running(own_stack: Stack) -> None:
    done = transcriber(own_stack, "up", "--demo", "--exit")

    assert done.returncode == 0, done.stderr
    for sentence in (DEMO / "sample.txt").read_text().split(". ")[:3]:
        assert sentence.rstrip(".\n") in done.stdout
    paths = {line.split(": ")[0]: Path(line.split(": ")[1]) for line in done.stdout.splitlines() if "/exports/" in line}
    assert len(list(srt.parse(paths["SRT"].read_text()))) >= 3
    assert len(webvtt.read(str(paths["VTT"])).captions) >= 3
    assert own_stack.processes() == []


def test_a_second_up_says_who_holds_the_data(stack: Stack) -> None:
    second = transcriber(stack, "up")

    assert second.returncode == 1
    assert stack.process is not None
    assert str(stack.process.pid) in second.stderr
    assert "Traceback" not in second.stderr
    assert httpx.get(f"{stack.url}/livez").status_code == 200


def test_sigterm_stops_everything_within_ten_seconds(own_stack: Stack) -> None:
    own_stack.start()
    started = time.monotonic()
    status = own_stack.stop()

    assert time.monotonic() - started < 10
    assert status == 0
    assert own_stack.processes() == []


def test_kill_9_of_the_supervisor_leaves_no_process_behind(own_stack: Stack) -> None:
    own_stack.start()
    assert own_stack.process is not None
    own_stack.process.kill()
    own_stack.process.wait()
    until = time.monotonic() + 10
    while own_stack.processes() and time.monotonic() < until:
        time.sleep(0.2)

    assert own_stack.processes() == []


def test_doctor_finds_a_running_platform_well(stack: Stack) -> None:
    examined = transcriber(stack, "doctor")

    assert examined.returncode == 0, examined.stdout + examined.stderr
