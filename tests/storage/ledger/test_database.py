"""The DuckDB file: one owner, atomic transactions, crash safety."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest

from storage.accounts import login_attempts
from storage.domain.errors import LedgerClosed, LedgerHeld, LedgerUnreadable, NotSignedIn
from storage.ledger import audit
from storage.ledger.database import Ledger

HOLD = """
import sys, time
from pathlib import Path
from storage.ledger.database import Ledger
with Ledger.open(Path(sys.argv[1])):
    print("open", flush=True)
    time.sleep(60)
"""
WRITE_FOR_EVER = """
import sys
from pathlib import Path
from storage.ledger import audit
from storage.ledger.database import Ledger
ledger = Ledger.open(Path(sys.argv[1]))
while True:
    print(ledger.run(audit.record, actor="a", action="b", subject="c" * 200), flush=True)
"""


def started(code: str, path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)


def test_a_second_process_learns_who_holds_the_file(tmp_path: Path) -> None:
    with started(HOLD, tmp_path / "a.duckdb") as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(LedgerHeld, match=str(holder.pid)) as caught:
            Ledger.open(tmp_path / "a.duckdb")
        holder.kill()
    assert pickle.loads(pickle.dumps(caught.value)).holder == caught.value.holder  # noqa: S301


def test_opening_twice_in_one_process_is_refused(ledger: Ledger) -> None:
    with pytest.raises(LedgerHeld, match=str(os.getpid())):
        Ledger.open(ledger.path)


def test_it_opens_again_after_closing(ledger: Ledger) -> None:
    ledger.run(audit.record, actor="a", action="b", subject="c")
    ledger.close()
    ledger.close()
    with Ledger.open(ledger.path) as again, again.read() as con:
        assert audit.head(con)[0] == 1


def test_what_is_no_ledger_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "a.duckdb").write_bytes(b"not a database" * 1000)
    with pytest.raises(LedgerUnreadable, match="rebuild"):
        Ledger.open(tmp_path / "a.duckdb")


def test_an_error_inside_a_write_takes_everything_back(ledger: Ledger) -> None:
    def write_and_stop(con: duckdb.DuckDBPyConnection) -> None:
        audit.record(con, actor="a", action="b", subject="c")
        raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        ledger.run(write_and_stop)
    with ledger.read() as con:
        assert audit.head(con) == (0, "")


def test_a_caught_failure_inside_a_write_is_not_committed_as_if_nothing_were(ledger: Ledger) -> None:
    def go_on_after_a_failure(con: duckdb.DuckDBPyConnection) -> None:
        audit.record(con, actor="a", action="b", subject="c")
        with suppress(duckdb.Error):
            con.execute("SELECT 1 / 'x'::INTEGER").fetchall()

    with pytest.raises(duckdb.TransactionException):
        ledger.run(go_on_after_a_failure)
    with ledger.read() as con:
        assert audit.head(con) == (0, "")


def test_a_read_refuses_to_write(ledger: Ledger) -> None:
    with ledger.read() as con, pytest.raises(duckdb.Error, match="read-only"):
        audit.record(con, actor="a", action="b", subject="c")


def test_a_read_sees_one_moment(ledger: Ledger) -> None:
    with ledger.read() as con:
        assert audit.head(con)[0] == 0
        ledger.run(audit.record, actor="a", action="b", subject="c")
        assert audit.head(con)[0] == 0


def test_a_write_within_a_write_is_refused_rather_than_waiting_for_ever(ledger: Ledger) -> None:
    with ledger.write(), pytest.raises(RuntimeError, match="already"), ledger.write():
        pass


def test_many_threads_write_one_chain(ledger: Ledger) -> None:
    def write() -> None:
        for _ in range(25):
            ledger.run(audit.record, actor="a", action="b", subject="c")

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with ledger.read() as con:
        assert audit.head(con)[0] == 100
        assert audit.verify(con) is None


def test_run_tries_again_after_a_clash(ledger: Ledger) -> None:
    tries = []

    def clash_once(con: duckdb.DuckDBPyConnection) -> int:
        tries.append(1)
        if len(tries) == 1:
            raise duckdb.TransactionException("conflict on update")
        return audit.record(con, actor="a", action="b", subject="c")

    assert ledger.run(clash_once) == 1
    assert len(tries) == 2


def test_run_gives_a_clash_up_in_the_end(ledger: Ledger) -> None:
    def clash(con: duckdb.DuckDBPyConnection) -> None:
        raise duckdb.TransactionException("conflict on update")

    with pytest.raises(duckdb.TransactionException):
        ledger.run(clash)


def test_a_note_beside_a_read_stands_when_the_read_fails(ledger: Ledger) -> None:
    def refuse(con: duckdb.DuckDBPyConnection) -> None:
        ledger.note(login_attempts.count, "ann", "10.0.0.1")
        raise NotSignedIn("no")

    with pytest.raises(NotSignedIn), ledger.read() as con:
        refuse(con)
    with ledger.read() as con:
        assert con.execute("SELECT count(*) FROM login_tries").fetchall() == [(1,)]


def test_a_note_waits_for_no_writer(ledger: Ledger) -> None:
    with ledger.write():
        ledger.note(login_attempts.count, "ann", "10.0.0.1")


def test_a_closed_ledger_takes_no_note(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "a.duckdb") as ledger:
        pass
    with pytest.raises(LedgerClosed):
        ledger.note(login_attempts.count, "ann", "10.0.0.1")


def test_kill_9_in_the_middle_of_writing_loses_nothing_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    for _ in range(2):
        with started(WRITE_FOR_EVER, path) as writer:
            assert writer.stdout
            said = writer.stdout.readline()
            time.sleep(0.4)
            writer.send_signal(signal.SIGKILL)
            acknowledged = int((said + writer.stdout.read()).split()[-1])
        with Ledger.open(path) as ledger, ledger.read() as con:
            assert audit.verify(con) is None
            assert audit.head(con)[0] >= acknowledged


def test_times_come_back_as_utc_whatever_the_machine_says(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from storage.ledger.database import Ledger\n"
        "with Ledger.open(Path(sys.argv[1])) as ledger, ledger.read() as con:\n"
        "    print(con.execute(\"SELECT TIMESTAMPTZ '2026-01-02 03:04:05.678901+00'\").fetchall()[0][0].isoformat())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.duckdb")],
        env=os.environ | {"TZ": "America/New_York"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "2026-01-02T03:04:05.678901+00:00"
