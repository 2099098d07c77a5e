"""Schema migrations: each committed with its record, after a backup."""

from pathlib import Path

import duckdb
import pytest

from storage.domain.batch_outcomes import BatchOutcome
from storage.domain.errors import LedgerNewer
from storage.jobs import known_recordings
from storage.ledger import audit, backups, schema_migrations
from storage.ledger.database import Ledger
from storage.ledger.database_file import connect
from storage.ledger.schema_migrations import Migration


def step(version: int, sql: str) -> Migration:
    return Migration(version=version, name=f"step_{version}", sql=sql)


def test_shipped_steps_are_numbered_without_a_gap() -> None:
    assert [one.version for one in schema_migrations.shipped()] == list(range(1, len(schema_migrations.shipped()) + 1))


def test_a_new_file_gets_every_step_and_no_backup(ledger: Ledger) -> None:
    with ledger.read() as con:
        assert schema_migrations.version_of(con) == schema_migrations.shipped()[-1].version
    assert not backups.folder_of(ledger.path).exists()


def test_an_existing_file_is_backed_up_before_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "ledger.duckdb"
    first = step(1, "CREATE TABLE things (id INTEGER); INSERT INTO things VALUES (7);")
    with connect(path) as con:
        schema_migrations.bring_up_to_date(con, path, (first,))
        schema_migrations.bring_up_to_date(con, path, (first, step(2, "DROP TABLE things")))
    (copy,) = backups.folder_of(path).iterdir()
    before = duckdb.connect(str(copy))
    assert before.execute("SELECT id FROM things").fetchall() == [(7,)]
    assert schema_migrations.version_of(before) == 1
    before.close()


OLD_KEYS = "INSERT INTO job_keys SELECT 'ann', 'key-' || i, 'job-' || i, now(), NULL FROM range(3000) AS old(i)"


def test_keys_of_an_older_ledger_get_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "ledger.duckdb"
    with connect(path) as con:
        schema_migrations.bring_up_to_date(con, path, schema_migrations.shipped()[:31])
        con.execute(OLD_KEYS)
        schema_migrations.bring_up_to_date(con, path)
        assert known_recordings.find(con, "ann", "key-2999").outcome is BatchOutcome.DELETED_BEFORE
        assert known_recordings.find(con, "ann", "key-3000").outcome is None


def test_a_step_that_fails_leaves_neither_change_nor_record(tmp_path: Path) -> None:
    good, bad = step(1, "CREATE TABLE a (id INTEGER)"), step(2, "CREATE TABLE b (id INTEGER); SELECT nothing")
    tables = "SELECT table_name FROM duckdb_tables() WHERE table_name IN ('a', 'b')"
    with connect(tmp_path / "ledger.duckdb") as con:
        with pytest.raises(duckdb.Error):
            schema_migrations.bring_up_to_date(con, tmp_path / "ledger.duckdb", (good, bad))
        assert schema_migrations.version_of(con) == 1
        assert con.execute(tables).fetchall() == [("a",)]


def test_a_file_of_a_newer_program_is_refused_and_left_alone(ledger: Ledger) -> None:
    ledger.run(audit.record, actor="a", action="b", subject="c")
    with ledger.write() as con:
        con.execute("INSERT INTO schema_version VALUES (9999, 'future', current_timestamp)")
    ledger.close()
    with pytest.raises(LedgerNewer, match=r"9999.*`transcriber admin restore` and a backup"):
        Ledger.open(ledger.path)
    copy = backups.folder_of(ledger.path) / "before-9999-20260101T000000Z.duckdb"
    copy.parent.mkdir()
    copy.touch()
    with pytest.raises(LedgerNewer, match=f"restore {copy}`"):
        Ledger.open(ledger.path)
    with connect(ledger.path) as con:
        assert audit.head(con)[0] == 1


def test_opening_twice_applies_nothing_again(ledger: Ledger) -> None:
    ledger.close()
    with Ledger.open(ledger.path) as again, again.read() as con:
        rows = con.execute("SELECT count(*), count(DISTINCT version) FROM schema_version").fetchall()
    assert rows[0][0] == rows[0][1]
