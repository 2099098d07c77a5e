"""Spans on a Dask cluster of two processes, one of which is killed."""

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.acceptance.conftest import Stack, free_port, stack_in
from tests.conftest import PLAIN, Assembly, Clip
from tests.waiting import PATIENCE_S

pytest.importorskip("prefect_dask", reason="the extra `dask` is not installed")
pytestmark = [pytest.mark.acceptance, pytest.mark.nightly]
PRELOAD = "transcriber_platform.dask_preload"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[str]:
    """The address of a Dask scheduler."""
    port = free_port()
    with started(tmp_path / "scheduler.log", "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"):
        yield f"tcp://127.0.0.1:{port}"


@pytest.fixture
def platform(tmp_path: Path, scheduler: str) -> Iterator[Stack]:
    """A platform whose batch lane is transcribed by the cluster, in short spans."""
    with stack_in(
        tmp_path,
        TRANSCRIBER_DASK_SCHEDULER=scheduler,
        TRANSCRIBER_DASK_LANES="batch",
        TRANSCRIBER_SPAN_MAX_S="20",
        TRANSCRIBER_NUM_WORKERS="1",
        TRANSCRIBER_CPU_THREADS="1",
    ) as stack:
        stack.start()
        yield stack


def started(log: Path, *arguments: str, env: dict[str, str] | None = None) -> "Ending":
    env = (env or os.environ.copy()) | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'packaging'}"}
    with log.open("wb") as out:
        command = [sys.executable, "-m", "dask", *arguments, "--preload", PRELOAD]
        return Ending(subprocess.Popen(command, stdout=out, stderr=out, env=env))


class Ending:
    """Kills a process and its children at the end."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process

    def __enter__(self) -> "subprocess.Popen[bytes]":
        return self.process

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        if self.process.poll() is None:
            for each in psutil.Process(self.process.pid).children(recursive=True):
                each.kill()
            self.process.kill()
        self.process.wait(PATIENCE_S)


def dask_workers(stack: Stack, scheduler: str, folder: Path) -> list[Ending]:
    """Start two worker processes as people do, with the platform's settings."""
    env = stack.env | {
        "TRANSCRIBER_WEB_URL": stack.url,
        "PREFECT_HOME": str(stack.data_dir / "prefect"),
    }
    return [
        started(folder / f"worker-{n}.log", "worker", scheduler, "--nthreads", "1", "--no-dashboard", env=env)
        for n in range(2)
    ]


def test_a_cluster_transcribes_the_spans_and_survives_the_loss_of_a_process(
    platform: Stack, scheduler: str, tmp_path: Path, speech: list[Clip], assemble: Callable[..., Assembly]
) -> None:
    made = assemble(list(itertools.islice(itertools.cycle(speech), 32)), pause_s=1.3)
    workers = dask_workers(platform, scheduler, tmp_path)
    try:
        with made.path.open("rb") as opened:
            form = {"owner": "admin", "lane": "batch"}
            sent = platform.call("POST", "/internal/v1/jobs", data=form, files={"file": opened})
        job_id = str(sent.json()["id"])
        by: dict[str, int] = {}
        until = time.monotonic() + 180
        while len(by) < 2:
            assert time.monotonic() < until, (platform.job(job_id), platform.console())
            by = {span["worker"]: span["index"] for span in platform.spans(job_id) if span["worker"]}
            time.sleep(0.2)
        lost = workers[0]
        lost.kill()
        job = platform.wait_for(job_id, lambda job: job["state"] in {"completed", "failed"}, wait_s=180)
        assert job["state"] == "completed", job
    finally:
        for each in workers:
            each.kill()
    spans = platform.spans(job_id)

    assert all(span["worker"].startswith("dask-") for span in spans), spans
    said = platform.transcript(job_id).text.split()
    assert abs(len(said) - len(made.text.split())) <= 0.05 * len(said)
    assert len(task_runs(platform)) >= len(spans)


def task_runs(stack: Stack) -> list[dict[str, object]]:
    """Return the task runs that Prefect shows."""
    name, password = stack.prefect_auth.split(":", 1)
    answer = httpx.post(f"{stack.prefect}/api/task_runs/filter", json={}, auth=(name, password), verify=PLAIN)
    return list(answer.raise_for_status().json())
