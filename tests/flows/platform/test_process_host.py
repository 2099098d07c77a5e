"""Forks of one process with common modules: what they share, what is their own, and who ends with whom."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest

from flows.platform import process_host, processes
from tests.flows.conftest import ROOT
from tests.flows.platform import forked_program
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each process is an interpreter of its own")


@contextmanager
def host(name: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "tests.flows.platform.small_host", name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, umask=0o027) as process:
        try:
            yield process
        finally:
            process.kill()


def told_by(process: "subprocess.Popen[str]") -> Any:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    with host("tell") as process:
        found: dict[str, Any] = told_by(process)
        assert process.wait(PATIENCE_S) == 0
        assert found["host"] == process.pid
        return found


@pytest.fixture(scope="module")
def forks(told: dict[str, Any]) -> list[dict[str, Any]]:
    forked: list[dict[str, Any]] = told["forks"]
    return forked


def test_a_fork_shares_most_of_what_was_imported(forks: list[dict[str, Any]]) -> None:
    for fork in forks:
        assert fork["shared_mb"] > 60
        assert fork["own_mb"] < fork["shared_mb"] / 2


def test_a_fork_is_as_a_process_that_was_started_with_its_command(told: dict[str, Any]) -> None:
    for number, fork in enumerate(told["forks"], 1):
        assert fork["arguments"] == ["tell", "a word", str(number)]
        assert fork["environment"]["TRANSCRIBER_NUMBER"] == str(number)
        assert (fork["parent"], fork["session"]) == (told["host"], fork["pid"])
        assert (fork["umask"], fork["folder"], fork["input"]) == (0o027, str(ROOT), "")
        assert (fork["logged"], fork["status"], fork["threads"]) == ("to be logged\n", 3, 1)
        assert fork["open"][:3] == [0, 1, 2]
        assert len(fork["open"]) == 4, "the socket over which it may ask, and nothing of others"


def test_prefects_settings_are_those_of_the_forks_environment(forks: list[dict[str, Any]]) -> None:
    assert [each["prefect"] for each in forks] == [["http://127.0.0.1:1/api", 7], ["http://127.0.0.1:1/api", 8]]


def test_forks_draw_different_random_numbers(forks: list[dict[str, Any]]) -> None:
    one, other = forks

    assert all(mine != its for mine, its in zip(one["random"], other["random"], strict=True))


def test_a_fork_is_shown_with_its_command_and_its_environment(forks: list[dict[str, Any]]) -> None:
    for number, fork in enumerate(forks, 1):
        assert " ".join(fork["shown"]).split()[1:4] == ["-m", forked_program.NAME, "tell"]
        assert f"TRANSCRIBER_NUMBER={number}" in fork["shown_environment"]


def test_a_descriptor_is_passed_on() -> None:
    with host("line") as process:
        assert told_by(process) == "passed"


def test_who_was_asked_for_ends_with_who_asked() -> None:
    with host("stay") as process:
        asker = psutil.Process(told_by(process))
        other = until(lambda: [each for each in others(process, asker) if each.status() == psutil.STATUS_SLEEPING])[0]

        asker.kill()

        assert told_by(process) == -signal.SIGKILL
        assert psutil.wait_procs([other], timeout=PATIENCE_S)[1] == []
        assert process.poll() is None


def others(process: "subprocess.Popen[str]", asker: psutil.Process) -> list[psutil.Process]:
    """Return the forks beside the asker and the supervisor."""
    found = psutil.Process(process.pid).children()
    return [each for each in found if each != asker and forked_program.NAME in each.cmdline()]


def test_a_signal_for_the_host_is_the_supervisors_whose_status_is_the_hosts() -> None:
    with host("stay") as process:
        asker = told_by(process)

        process.send_signal(signal.SIGTERM)

        assert process.wait(PATIENCE_S) == 5
        assert not psutil.pid_exists(asker)


def test_the_first_process_of_a_container_reaps_orphans() -> None:
    with host("leave_orphan") as process:
        assert told_by(process) == "reaped"
        assert process.wait(PATIENCE_S) == 0


def test_everything_ends_with_a_host_that_was_killed() -> None:
    with host("stay") as process:
        told_by(process)
        started = until(lambda: len(found := psutil.Process(process.pid).children()) == 3 and found)

        process.kill()

        assert psutil.wait_procs(started, timeout=PATIENCE_S)[1] == []


def test_a_process_with_threads_forks_nothing() -> None:
    program = (
        "import os, sys, threading\n"
        "from flows.platform import process_host\n"
        "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "process_host.COMMON = ()\n"
        "sys.exit(3 if process_host.preload(os.environ) else 4)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 4, done.stderr
    assert "1 threads" in done.stderr


@pytest.mark.parametrize("how", ["left out", "refused"])
def test_without_pidfds_processes_are_interpreters(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    def refuse(_: int) -> int:
        raise PermissionError

    if how == "refused":
        monkeypatch.setattr("os.pidfd_open", refuse)
    else:
        monkeypatch.delattr("os.pidfd_open")
    assert not process_host.preload({})


async def test_what_ends_before_it_has_begun_is_no_fork_and_the_host_is_asked_again() -> None:
    ours, host = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    processes.hosted_by(ours)
    command = [sys.executable, "-m", "flows.worker.child_main", "--help"]
    try:
        starting = asyncio.create_task(processes.start(command, env=dict(os.environ), pipes=True))
        asked = await asyncio.to_thread(socket.recv_fds, host, processes.MAX_MESSAGE_BYTES, 4)
        status = socket.socket(fileno=asked[1][0])
        status.send(processes.TOLD.pack(processes.ENDED, -9))
        for descriptor in asked[1][1:]:
            os.close(descriptor)
        status.close()
        process = await starting
        assert process.pid > 0
        assert process.stdout is not None
        assert b"--preload" in await process.stdout.read()
        assert await process.wait() == 0
        assert processes.forks()
    finally:
        processes.hosted_by(None)
        ours.close()
        host.close()


TITLES = """
import json, os, psutil, sys
from flows.platform import process_title
first, last, _, _ = process_title._places()
room, told = last - first, []
for longer in range(-3, 5):
    command = ["python", "-m", "x" * (room - len("python -m ") - 1 + longer)]
    process_title.show(command)
    process = psutil.Process()
    told.append((process.cmdline()[:3] == command, process.environ().get("TRANSCRIBER_DATA_DIR")))
print(json.dumps(told))
"""


def test_a_command_of_any_length_leaves_the_environment_readable() -> None:
    env = os.environ | {"TRANSCRIBER_DATA_DIR": "/here"}
    command = [sys.executable, "-c", TITLES]
    shown = subprocess.run(command, env=env, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    assert json.loads(shown) == [[True, "/here"]] * 8
