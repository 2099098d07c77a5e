"""A full disk: commits are refused in plain words, and an invalidated file is opened again."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dashboards.loops.checkpointer import Checkpointer, CheckpointLimits
from storage.domain.errors import StorageFull
from storage.ledger import audit
from storage.ledger.database import Ledger

Fill = Callable[[int], None]


@pytest.fixture
def ledger(small_disk: Path, empty_ledger: Path) -> Iterator[Ledger]:
    shutil.copyfile(empty_ledger, small_disk / "ledger.duckdb")
    with Ledger.open(small_disk / "ledger.duckdb") as opened:
        yield opened


@pytest.fixture
def fill(small_disk: Path) -> Fill:
    """Return a function that leaves so many bytes free; many more than there are empty the disk again."""

    def leave(free_bytes: int) -> None:
        (small_disk / "filler").unlink(missing_ok=True)
        size = shutil.disk_usage(small_disk).free - free_bytes
        if size > 0:
            (small_disk / "filler").write_bytes(bytes(size))

    return leave


def record(ledger: Ledger, size: int = 10) -> int:
    return ledger.run(audit.record, actor="a", action="b", subject="c" * size)


def record_on(ledger: Ledger) -> None:
    """Record until the last page of the log is full, too."""
    for _ in range(1000):
        record(ledger)


def rows(ledger: Ledger) -> int:
    with ledger.read() as con:
        assert audit.verify(con) is None
        return audit.head(con)[0]


def test_a_commit_that_meets_a_full_disk_says_so_and_readers_go_on(ledger: Ledger, fill: Fill) -> None:
    fill(0)
    with pytest.raises(StorageFull, match=r"the ledger.*free some space"):
        record_on(ledger)
    count = rows(ledger)
    with pytest.raises(StorageFull):
        ledger.check()
    fill(1 << 30)
    ledger.check()
    record(ledger)
    assert rows(ledger) == count + 1


def test_a_checkpoint_that_meets_a_full_disk_costs_nothing_that_was_committed(ledger: Ledger, fill: Fill) -> None:
    for _ in range(5):
        record(ledger, 300_000)
    fill(0)
    with pytest.raises(StorageFull):
        ledger.checkpoint()
    fill(1 << 30)
    assert rows(ledger) == 5
    record(ledger)
    ledger.check()
    assert ledger.checkpoint()
    assert rows(ledger) == 6


def test_no_checkpoint_is_made_where_it_would_find_no_room(ledger: Ledger, fill: Fill) -> None:
    due = CheckpointLimits(due_bytes=1)
    record(ledger)
    fill(1 << 20)
    assert not Checkpointer(ledger, due).look()
    fill(1 << 30)
    assert Checkpointer(ledger, due).look()
