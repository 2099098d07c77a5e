"""Storage that fills up during a job: the job waits, says why, and continues."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.acceptance.conftest import Stack, stack_in
from tests.acceptance.test_bad_input import leftovers, send
from tests.conftest import SAMPLE, Clip
from tests.tasks.sounds import read_wav, silence, write_wav

pytestmark = pytest.mark.acceptance
MINUTES = 8


@pytest.fixture(scope="module")
def cramped_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A platform on two small disks: 128 MiB for its data, 64 MiB for its storage."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    with (
        small_disk(tmp_path_factory.mktemp("data"), 128) as data,
        small_disk(tmp_path_factory.mktemp("store"), 64) as disk,
        stack_in(data, TRANSCRIBER_STORAGE_URL=str(disk / "store")) as made,
    ):
        made.start()
        yield made


@contextmanager
def small_disk(folder: Path, mib: int) -> Iterator[Path]:
    """Mount a disk of so many MiB over the folder."""
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(folder)], check=False).returncode:
        pytest.skip("this machine does not let us mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(store: Path) -> Path:
    """Leave not one byte free on the disk of the store."""
    filler = store.parent / "filler"
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


def test_a_full_disk_refuses_the_upload_and_serves_on(cramped_stack: Stack, tmp_path: Path) -> None:
    stack = cramped_stack
    noise = np.random.default_rng(0).normal(0, 0.1, 80 * 2**20 // 2).astype(np.float32)
    filler = stack.data_dir / "filler"
    filler.write_bytes(bytes(60 * 2**20))
    answer = send(stack, write_wav(tmp_path / "large.wav", noise))

    assert answer.status_code == 507, answer.text
    assert "free some space" in answer.json()["error"]["message"]
    assert leftovers(stack) == set()

    filler.unlink()
    job = stack.wait_for(stack.submit(SAMPLE), lambda job: job["state"] in {"completed", "failed"})
    assert job["state"] == "completed", job


@pytest.mark.nightly
def test_a_job_outlasts_a_disk_that_is_full_for_longer_than_any_retry(
    cramped_stack: Stack, tmp_path: Path, speech: list[Clip]
) -> None:
    stack = cramped_stack
    parts = [part for clip in speech for part in (read_wav(clip.path), silence(1.5))]
    long = np.tile(np.concatenate(parts), 20)[: MINUTES * 60 * 16_000]
    workers = worker_pids(stack)
    job_id = stack.submit(write_wav(tmp_path / "long.wav", long))
    stack.wait_for(job_id, lambda job: job["done_s"] > 0)
    filler = fill(stack.store)

    waiting = stack.wait_for(job_id, lambda job: job["detail"].startswith("waiting:") or job["state"] == "completed")
    assert "free some space" in waiting["detail"], waiting
    assert "retrying every" in waiting["detail"]
    assert waiting["state"] not in {"failed", "completed"}
    heard = [span["result"] for span in stack.spans(job_id) if span["result"]]

    filler.unlink()
    done = stack.wait_for(job_id, lambda job: job["state"] in {"completed", "failed"})
    assert done["state"] == "completed", done
    assert done["attempt"] > 1
    assert set(heard) <= {span["result"] for span in stack.spans(job_id)}
    assert stack.transcript(job_id).text
    assert worker_pids(stack) == workers
    assert not [path for path in stack.store.rglob("*") if path.name.startswith(".")]


def test_sigterm_stops_everything(cramped_stack: Stack) -> None:
    """The last test of this platform, which does not start again."""
    assert len(cramped_stack.processes()) > 4

    assert cramped_stack.stop() == 0
    assert cramped_stack.processes() == []
