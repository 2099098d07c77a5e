"""Children of the fork server: as separate as a new process, and as well watched."""

import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from storage.media import sandbox
from tests.forks import forked_by
from tests.waiting import PATIENCE_S

PROGRAM = "tests.storage.media.odd_program"


def outcome(*arguments: str) -> tuple[int, bytes]:
    with sandbox.fork(PROGRAM, *arguments) as child:
        status = child.wait(PATIENCE_S)
        assert child.stdout is not None
        return status, child.stdout.read()


def fork_server() -> psutil.Process:
    outcome("arguments")
    (server,) = [one for one in psutil.Process().children() if "storage.media.fork_server" in one.cmdline()]
    return server


@pytest.mark.parametrize(
    ("does", "status"),
    [
        ("arguments", 0),
        ("raise", 1),
        ("spin", -signal.SIGXCPU),
        ("SIGSEGV", -signal.SIGSEGV),
        ("SIGABRT", -signal.SIGABRT),
        ("SIGKILL", -signal.SIGKILL),
    ],
)
def test_how_a_child_ended_is_told(does: str, status: int) -> None:
    assert outcome(does)[0] == status


def test_what_many_ask_for_at_once_comes_to_each(monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadPoolExecutor(16) as threads:
        asked = [str(number) for number in range(64)]
        assert list(threads.map(lambda one: outcome("arguments", one), asked)) == [(0, one.encode()) for one in asked]
    assert not forked_by(psutil.Process())


def test_a_child_has_neither_secrets_nor_what_other_children_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSCRIBER_WORKER_TOKEN", "secret")
    fork_server().kill()
    with sandbox.fork(PROGRAM, "write") as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"begun\n"
        assert set(outcome("environment")[1].decode().split()) <= sandbox.PASSED_ON | {
            "OPENBLAS_NUM_THREADS",
            "LC_CTYPE",
        }
        assert outcome("descriptors")[1].split() == [b"0", b"1", b"2", b"3"]  # the last is the folder that is listed
        other.kill()
        assert other.wait(PATIENCE_S) == -signal.SIGKILL


def test_who_waits_too_short_a_time_may_wait_again() -> None:
    with sandbox.fork(PROGRAM, "write") as child:
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(0.05)
        child.kill()
        assert child.wait(PATIENCE_S) == child.wait(PATIENCE_S) == -signal.SIGKILL
        child.kill()


def test_a_server_that_is_killed_is_replaced_and_its_children_count_as_killed() -> None:
    first = fork_server()
    with sandbox.fork(PROGRAM, "write") as child:
        orphan = psutil.Process(child.pid)
        first.kill()
        assert child.wait(PATIENCE_S) == -signal.SIGKILL
    ended(orphan)
    assert outcome("arguments", "again") == (0, b"again")
    assert fork_server().pid != first.pid


def ended(process: psutil.Process) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < until_s
        time.sleep(0.01)


def test_a_child_ends_with_its_server_though_nobody_waits_for_it() -> None:
    """As where the process that asked for it was killed together with the server."""
    server = fork_server()
    with sandbox.fork(PROGRAM, "write") as child:
        server.kill()
        ended(psutil.Process(child.pid))


def test_a_fork_of_this_process_has_a_server_of_its_own() -> None:
    ours = fork_server().pid
    pid = os.fork()
    if not pid:
        right = outcome("arguments", "fork") == (0, b"fork") and fork_server().pid != ours
        os._exit(0 if right else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert outcome("arguments", "ours") == (0, b"ours")
    assert fork_server().pid == ours
