"""A worker whose child process does not start."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import psutil
import pytest
from prefect.client.schemas.objects import FlowRun

from flows.platform import processes
from flows.worker.child_handle import Child, ChildLost
from flows.worker.recycling import Recycling
from storage.domain.settings import WorkerSettings
from tests.waiting import PATIENCE_S


@pytest.fixture
async def child() -> AsyncIterator[Child]:
    """A child that takes longer to get ready than it may."""
    waits = {"ready_within_s": 0.5, "restart_after_s": 0.05}
    made = Child(name="w", pool="cpu", device="cpu", slots=1, preload=(), on_message=lambda _: None, **waits)
    yield made
    await made.stop()


async def process_of(*, other_than: int = 0) -> int:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            for each in psutil.Process().children():
                with contextlib.suppress(psutil.NoSuchProcess):  # ended, or ended and not yet waited for
                    if "flows.worker.child_main" in each.cmdline() and each.pid != other_than:
                        return each.pid
            await asyncio.sleep(0.02)


async def test_a_child_that_is_not_ready_in_time_is_replaced(child: Child) -> None:
    await child.start()
    first = await process_of()

    assert await process_of(other_than=first) != first


async def test_a_start_that_the_machine_refuses_is_tried_again(child: Child, monkeypatch: pytest.MonkeyPatch) -> None:
    await child.start()
    first = await process_of()
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    child.kill()
    await asyncio.sleep(0.5)

    monkeypatch.undo()

    assert await process_of(other_than=first) != first


async def test_a_stop_in_the_middle_of_a_start_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    child = Child(name="w", pool="cpu", device="cpu", slots=1, preload=(), on_message=lambda _: None)
    await child.start()
    begun, start, go_on = asyncio.Event(), processes.start, asyncio.Event()

    async def slowly(*command: Any, **more: Any) -> processes.Process:
        process = await start(*command, **more)
        begun.set()
        await go_on.wait()
        return process

    monkeypatch.setattr(processes, "start", slowly)
    child.kill()
    await begun.wait()
    second = await process_of()
    stopping = asyncio.create_task(child.stop())
    await asyncio.sleep(0)
    go_on.set()
    await stopping
    assert not psutil.pid_exists(second)


async def test_a_child_whose_memory_has_grown_is_replaced_between_runs() -> None:
    child = Child(name="w", pool="cpu", device="cpu", slots=1, preload=(), on_message=lambda _: None)
    try:
        await child.start()
        first = await ready(child)
        recycling = Recycling(WorkerSettings(recycle_bytes=2**20), child, runs_are_short=True)
        assert not recycling.look()  # it has done nothing yet: the next one would be as large
        child.runs_done = 1
        assert recycling.holds_back()
        assert recycling.look()
        assert await ready(child) != first
        assert not recycling.holds_back()
    finally:
        await child.stop()


async def ready(child: Child) -> int:
    async with asyncio.timeout(PATIENCE_S):
        while child.pid is None:  # noqa: ASYNC110 - in a test
            await asyncio.sleep(0.02)
    return child.pid


async def test_a_child_that_rests_is_there_for_runs_alone() -> None:
    child = Child(name="w", pool="cpu", device="cpu", slots=1, preload=(), on_message=lambda _: None, rests_after_s=0.1)
    ids = [uuid4(), uuid4()]
    pids, before = set[int](), psutil.Process().children()
    try:
        await child.begin()
        assert child.takes_runs
        assert psutil.Process().children() == before
        for ident in ids:
            run = FlowRun(id=ident, flow_id=uuid4()).model_dump_json()
            assert "nowhere" in (await child.run(ident, run, "nowhere:flow") or "")
            pids.add(child.pid or 0)
            async with asyncio.timeout(PATIENCE_S):
                while not child.resting:  # noqa: ASYNC110 - in a test
                    await asyncio.sleep(0.02)
            assert child.pid is None
            assert child.takes_runs
    finally:
        await child.stop()
    assert len(pids) == len(ids)
    assert 0 not in pids


async def test_a_child_that_rests_is_not_said_to_be_late(caplog: pytest.LogCaptureFixture) -> None:
    child = Child(name="w", pool="cpu", device="cpu", slots=1, preload=(), on_message=lambda _: None, rests_after_s=0.1)
    ident = uuid4()
    try:
        await child.begin()
        await child.run(ident, FlowRun(id=ident, flow_id=uuid4()).model_dump_json(), "nowhere:flow")
        async with asyncio.timeout(PATIENCE_S):
            while not child.resting:  # noqa: ASYNC110 - in a test
                await asyncio.sleep(0.02)
        assert child._process is not None
        child._end_if_late(child._process)
    finally:
        await child.stop()
    assert "was not ready" not in caplog.text


async def test_a_run_that_comes_while_a_child_goes_to_rest_gets_the_next_one() -> None:
    child = Child(name="w", pool="cpu", device="cpu", slots=1, preload=(), on_message=lambda _: None, rests_after_s=600)
    try:
        await child.begin()
        for _ in range(2):
            ident = uuid4()
            run = FlowRun(id=ident, flow_id=uuid4()).model_dump_json()
            assert "nowhere" in (await child.run(ident, run, "nowhere:flow") or "")
            child._rest()
    finally:
        await child.stop()


@pytest.mark.parametrize("for_one", [True, False])
async def test_a_run_beside_one_for_which_the_process_was_killed_is_told_so(*, for_one: bool) -> None:
    child = Child(name="w", pool="gpu", device="cpu", slots=1, preload=(), on_message=lambda _: None)
    ident = uuid4()
    run = FlowRun(id=ident, flow_id=uuid4()).model_dump_json()
    try:
        await child.start()
        os.kill(await ready(child), signal.SIGSTOP)
        running = asyncio.create_task(child.run(ident, run, "nowhere:flow"))
        while ident not in child.holds:  # noqa: ASYNC110 - in a test
            await asyncio.sleep(0)
        (child.kill_for_one if for_one else child.kill)()
        with pytest.raises(ChildLost) as lost:
            await running
        assert lost.value.by_worker is for_one
    finally:
        await child.stop()


LISTENS = """
import asyncio, sys, threading
from flows.worker.child_main import WorkerConnection

async def main():
    line = WorkerConnection(int(sys.argv[1]))
    threading.Thread(target=line.listen, args=(asyncio.get_running_loop(), asyncio.Queue()), daemon=True).start()
    line.say(op="ready")
    await asyncio.sleep(3600)

asyncio.run(main())
"""


@pytest.mark.parametrize("sent", [b"", b'{"op": "ru'], ids=["before it read", "in the middle of a line"])
def test_a_child_ends_without_a_traceback_when_its_worker_is_killed(sent: bytes) -> None:
    ours, its = socket.socketpair()
    with (
        its,
        subprocess.Popen(
            [sys.executable, "-c", LISTENS, str(its.fileno())], pass_fds=[its.fileno()], stderr=subprocess.PIPE
        ) as child,
    ):
        its.close()
        ours.recv(1, socket.MSG_PEEK)  # what is not read makes the kernel reset the connection
        ours.sendall(sent)
        ours.recv(1024 if sent else 1)
        ours.close()

        try:
            assert child.communicate(timeout=PATIENCE_S)[1] == b""
        finally:
            child.kill()
        assert child.returncode == 0
