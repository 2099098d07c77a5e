"""`transcriber export-dataset` without a running platform."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli.main import app
from storage.accounts import users
from storage.domain.clock import new_id
from storage.domain.errors import NoLedger
from storage.domain.records import Role
from storage.ledger import audit
from storage.ledger.database import Ledger


def test_a_ledger_is_exported_where_the_command_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRANSCRIBER_DATA_DIR", str(tmp_path / "data"))
    with pytest.raises(NoLedger):
        CliRunner().invoke(app, ["export-dataset"], catch_exceptions=False)
    with Ledger.open(tmp_path / "data" / "ledger.duckdb") as ledger:
        ledger.run(users.restore, user_id=new_id(), name="ann", role=Role.ADMIN, actor="system:test")

    done = CliRunner().invoke(app, ["export-dataset", "--to", "lake"], catch_exceptions=False)
    assert "1 partitions with 1 rows are written" in done.output
    assert (tmp_path / "lake" / "manifest.json").exists()
    assert len(list((tmp_path / "lake" / "audit").rglob("audit.parquet"))) == 1
    with Ledger.open(tmp_path / "data" / "ledger.duckdb") as ledger, ledger.read() as con:
        (row,) = audit.page(con, action="datasets.export")
    assert row.actor.startswith("cli:")
    assert row.detail["url"] == str(tmp_path / "lake")
