"""A real ledger and folder for each test, with shortcuts to jobs and reports."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from storage.accounts import users
from storage.domain.clock import new_id
from storage.domain.records import Job, Role, Span, Transcript, User
from storage.files.file_store import Files
from storage.jobs import manifests
from storage.ledger.database import Ledger
from tests.factories import SPANS, DirectReporter, FlowRun, accept, transcript_of


@pytest.fixture
def ledger(tmp_path: Path, empty_ledger: Path) -> Iterator[Ledger]:
    shutil.copyfile(empty_ledger, tmp_path / "ledger.duckdb")
    with Ledger.open(tmp_path / "ledger.duckdb") as opened:
        yield opened


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(str(tmp_path / "store"))


@pytest.fixture
def reporter(ledger: Ledger, files: Files) -> DirectReporter:
    return DirectReporter(ledger, files)


@pytest.fixture
def make_user(ledger: Ledger) -> Callable[[str], User]:
    """Return `make_user(name)`, which adds an account that has no password (hashing one takes a while)."""

    def make(name: str, role: Role = Role.MEMBER) -> User:
        return ledger.run(users.restore, user_id=new_id(), name=name, role=role, actor="system:test")

    return make


@pytest.fixture
def ann(make_user: Callable[[str], User]) -> User:
    return make_user("Ann")


class MakeJob(Protocol):
    def __call__(self, owner: User | None = None, *, content: str = ..., **more: Any) -> Job: ...


@pytest.fixture
def make_job(ledger: Ledger, ann: User) -> MakeJob:
    """Return `make_job(owner=ann, content=…)`; the content stands for the bytes."""

    def make(owner: User | None = None, **more: Any) -> Job:
        return accept(ledger, owner or ann, **more)

    return make


@pytest.fixture
def run_of(reporter: DirectReporter, files: Files) -> Callable[[Job], FlowRun]:
    return lambda job: FlowRun(reporter, files, job)


@pytest.fixture(name="transcript_of")
def transcript_of_fixture() -> Callable[[Job], Transcript]:
    return transcript_of


@pytest.fixture
def spans() -> tuple[Span, ...]:
    return SPANS


@pytest.fixture
def lost(ledger: Ledger, files: Files, tmp_path: Path) -> Callable[[], Ledger]:
    """Return a function that loses the ledger and opens an empty one on the same storage."""

    def lose() -> Ledger:
        manifests.catch_up(ledger, files)
        ledger.close()
        return Ledger.open(tmp_path / "new" / "ledger.duckdb")

    return lose


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], check=False)
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
