"""The copy of the open ledger's bytes: the state of one moment, whatever happens meanwhile."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from storage.backup import backup_work, ledger_copy
from storage.domain.errors import LedgerNotCopied
from storage.ledger import audit
from storage.ledger.database import Ledger
from storage.ledger.database_file import connect


def record(ledger: Ledger, times: int = 1) -> None:
    for _ in range(times):
        ledger.run(audit.record, actor="a", action="b", subject="c")


def rows_in(path: Path) -> int:
    with connect(path) as con:
        assert audit.verify(con) is None
        return audit.head(con)[0]


def test_a_copy_has_what_was_committed_when_it_began(ledger: Ledger, tmp_path: Path) -> None:
    record(ledger, 20)
    ledger.checkpoint()
    record(ledger, 3)
    with ledger.without_checkpoints() as log_bytes:
        record(ledger, 5)
        assert not ledger.checkpoint()
        assert ledger_copy.copy_files(ledger.path, tmp_path / "copy", log_bytes)
    assert ledger.checkpoint()
    with ledger.read() as con:
        assert rows_in(tmp_path / "copy") == audit.head(con)[0] - 5


def test_a_copy_that_met_a_checkpoint_is_made_again(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(ledger)
    met: list[subprocess.CompletedProcess[str]] = []
    run = subprocess.run

    def checkpointed_once(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        if not met:
            with ledger.cursor() as con:  # past the log's end that was measured
                con.execute("CHECKPOINT").fetchall()
        met.append(run(command, **options))
        return met[-1]

    monkeypatch.setattr(subprocess, "run", checkpointed_once)
    ledger_copy.copy_ledger(ledger, tmp_path / "copy")
    assert [done.returncode for done in met] == [ledger_copy.CHANGED, 0]
    with ledger.read() as con:
        assert rows_in(tmp_path / "copy") == audit.head(con)[0]


def test_a_copy_that_cannot_be_made_says_why(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(LedgerNotCopied, match="No such file"):
        ledger_copy.copy_ledger(ledger, tmp_path / "missing" / "copy")
    assert ledger.checkpoint()


def test_a_backup_has_no_remains_of_deleted_rows(ledger: Ledger) -> None:
    said = "a sentence that its owner had deleted"
    with ledger.write() as con:
        con.execute("CREATE TABLE said AS SELECT $said || i AS text FROM range(3) r(i)", {"said": said})
    ledger.checkpoint()
    with ledger.write() as con:
        con.execute("DROP TABLE said")
    with backup_work.alone(ledger.path) as work:
        taken = backup_work.snapshot(ledger, work)
        assert said.encode() in taken.path.read_bytes()
        assert said.encode() not in backup_work.rewritten(taken.path).read_bytes()
