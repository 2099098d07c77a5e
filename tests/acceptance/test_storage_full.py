"""Storage that fills up in the middle of a job: the job waits, says so, and goes on when there is room again."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.acceptance.conftest import Stack, make_stack
from tests.conftest import Clip
from tests.tasks.sounds import read_wav, silence, write_wav

pytestmark = pytest.mark.acceptance
MINUTES = 8


@pytest.fixture
def small_store(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 MiB for storage alone; the ledger lies elsewhere."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)], check=False)
    if mounted.returncode:
        pytest.skip("this machine does not let us mount a small disk")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.fixture
def stack_on_small_store(tmp_path: Path, small_store: Path) -> Iterator[Stack]:
    made = make_stack(tmp_path, TRANSCRIBER_STORAGE_URL=str(small_store / "store"))
    try:
        made.start()
        yield made
    finally:
        made.kill_everything()


def fill(disk: Path) -> Path:
    """Leave not one byte free."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as opened:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    opened.write(bytes(size))
            except OSError:
                continue
    return filler


def worker_pids(stack: Stack) -> set[int]:
    return {process.pid for process in stack.processes() if "worker" in process.cmdline()}


def test_a_job_outlasts_a_disk_that_is_full_for_longer_than_any_retry(
    stack_on_small_store: Stack, small_store: Path, tmp_path: Path, speech: list[Clip]
) -> None:
    stack = stack_on_small_store
    parts = [part for clip in speech for part in (read_wav(clip.path), silence(1.5))]
    long = np.tile(np.concatenate(parts), 20)[: MINUTES * 60 * 16_000]
    workers = worker_pids(stack)
    job_id = stack.submit(write_wav(tmp_path / "long.wav", long))
    stack.wait_for(job_id, lambda job: job["done_s"] > 0)
    filler = fill(small_store)

    waiting = stack.wait_for(job_id, lambda job: job["detail"].startswith("waiting:") or job["state"] == "completed")
    assert "free some space" in waiting["detail"], waiting
    assert "trying again every" in waiting["detail"]
    assert waiting["state"] not in {"failed", "completed"}
    heard = [span["result"] for span in stack.spans(job_id) if span["result"]]

    filler.unlink()
    done = stack.wait_for(job_id, lambda job: job["state"] in {"completed", "failed"})
    assert done["state"] == "completed", done
    assert done["attempt"] > 1
    assert set(heard) <= {span["result"] for span in stack.spans(job_id)}
    assert stack.transcript(job_id).text
    assert worker_pids(stack) == workers
    assert not [path for path in (small_store / "store").rglob("*") if path.name.startswith(".")]
