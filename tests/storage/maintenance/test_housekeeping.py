"""Live backups, restore, and deletion of expired rows."""

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from storage.accounts import sessions
from storage.accounts.users import authenticate
from storage.domain.clock import utc_now
from storage.domain.errors import LedgerHeld, LedgerUnreadable, NotSignedIn
from storage.domain.records import User
from storage.jobs import job_store
from storage.ledger import audit
from storage.ledger.database import Ledger
from storage.maintenance import housekeeping


def test_a_backup_holds_all_and_is_whole(ledger: Ledger, make_job: Any, tmp_path: Path) -> None:
    job = make_job()
    path = housekeeping.backup(ledger, tmp_path / "copies" / "one.duckdb")
    make_job()
    with Ledger.open(path) as copy, copy.read() as con:
        assert [one.id for one in job_store.page(con)] == [job.id]
        assert audit.verify(con) is None
    assert [one.name for one in (tmp_path / "copies").iterdir()] == ["one.duckdb"]


def test_backups_have_a_place_and_a_name_by_default(ledger: Ledger) -> None:
    first, second = housekeeping.backup(ledger), housekeeping.backup(ledger)
    assert first != second
    assert first.parent == second.parent == ledger.path.parent / "backups"


def test_a_backup_never_overwrites(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "x.duckdb").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        housekeeping.backup(ledger, tmp_path / "x.duckdb")
    assert (tmp_path / "x.duckdb").read_bytes() == b"mine"


def test_others_write_while_a_backup_is_taken(ledger: Ledger, tmp_path: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            ledger.run(audit.record, actor="a", action="b", subject="c")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        copies = [housekeeping.backup(ledger, tmp_path / f"{number}.duckdb") for number in range(3)]
    finally:
        stop.set()
        writer.join()
    for path in copies:
        with Ledger.open(path) as copy, copy.read() as con:
            assert audit.verify(con) is None


def test_a_backup_comes_back_and_what_it_replaces_is_kept(ledger: Ledger, make_job: Any, tmp_path: Path) -> None:
    before = make_job()
    copy = housekeeping.backup(ledger, tmp_path / "copy.duckdb")
    after = make_job()
    ledger.close()
    replaced = housekeeping.restore(copy, ledger.path)
    with Ledger.open(ledger.path) as back, back.read() as con:
        assert [job.id for job in job_store.page(con)] == [before.id]
        assert audit.verify(con) is None
    assert replaced
    with Ledger.open(replaced) as old, old.read() as con:
        assert {job.id for job in job_store.page(con)} == {before.id, after.id}
    assert copy.exists()


def test_nothing_is_restored_under_a_running_web_process(ledger: Ledger, tmp_path: Path) -> None:
    copy = housekeeping.backup(ledger, tmp_path / "copy.duckdb")
    with pytest.raises(LedgerHeld):
        housekeeping.restore(copy, ledger.path)
    ledger.run(audit.record, actor="a", action="b", subject="c")


def test_a_backup_that_was_tampered_with_is_refused(ledger: Ledger, make_job: Any, tmp_path: Path) -> None:
    make_job()
    copy = housekeeping.backup(ledger, tmp_path / "copy.duckdb")
    with Ledger.open(copy) as opened, opened.write() as con:
        con.execute("UPDATE audit SET actor = 'user:other' WHERE seq = 1")
    ledger.close()
    with pytest.raises(LedgerUnreadable, match="broken at row 1"):
        housekeeping.restore(copy, ledger.path)


def test_what_is_no_backup_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"text" * 5000)
    for path in (tmp_path / "x", tmp_path / "nothing"):
        with pytest.raises(LedgerUnreadable):
            housekeeping.restore(path, tmp_path / "ledger.duckdb")
    assert not (tmp_path / "ledger.duckdb").exists()


def test_a_damaged_ledger_can_be_replaced(ledger: Ledger, make_job: Any, tmp_path: Path) -> None:
    job = make_job()
    copy = housekeeping.backup(ledger, tmp_path / "copy.duckdb")
    ledger.close()
    ledger.path.write_bytes(b"damaged" * 1000)
    assert housekeeping.restore(copy, ledger.path)
    with Ledger.open(ledger.path) as back, back.read() as con:
        assert job_store.get(con, job.id) == job


def test_what_has_served_its_time_is_forgotten(ledger: Ledger, ann: User, make_job: Any, run_of: Any) -> None:
    ledger.run(sessions.start, ann, client="Firefox", now=utc_now(), max_days=1)
    done, running = make_job(), make_job()
    run_of(done).whole_way()
    run_of(running).start()
    with pytest.raises(NotSignedIn):
        authenticate(ledger, name="x", password="y", client="z")
    assert ledger.run(housekeeping.tidy, now=utc_now()) == housekeeping.Tidied(sessions=0, login_tries=0, answers=0)
    later = utc_now() + timedelta(days=8)
    assert ledger.run(housekeeping.tidy, now=later) == housekeeping.Tidied(sessions=1, login_tries=1, answers=6)
