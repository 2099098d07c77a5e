"""Maintenance of the ledger: backup, restore, and deletion of expired rows."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from duckdb import DuckDBPyConnection

from storage.domain.clock import new_id, utc_now
from storage.domain.errors import LedgerNewer, LedgerUnreadable
from storage.ledger import audit, backups, schema_migrations
from storage.ledger.database import Ledger
from storage.ledger.database_file import connect

ANSWERS_FOR = timedelta(days=7)
TRIES_FOR = timedelta(days=1)

OLD_SESSIONS = "DELETE FROM sessions WHERE expires_at < $before RETURNING id"
OLD_TRIES = "DELETE FROM login_tries WHERE tried_at < $before RETURNING id"
OLD_ANSWERS = """
DELETE FROM answers WHERE answered_at < $before AND job_id NOT IN (
    SELECT id FROM jobs WHERE state NOT IN ('completed', 'failed', 'cancelled'))
RETURNING report_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tidied:
    """How many rows were deleted."""

    sessions: int
    login_tries: int
    answers: int


def backup(ledger: Ledger, to: Path | None = None, *, actor: str = "system:backup") -> Path:
    """Copy the ledger to a new file, by default in `backups` next to it.

    Raises:
        FileExistsError: `to` exists already.
    """
    to = to or backups.folder_of(ledger.path) / f"ledger-{utc_now():%Y%m%dT%H%M%S%fZ}.duckdb"
    ledger.run(audit.record, actor=actor, action="ledger.backup", subject=str(to))
    with ledger.cursor() as con:
        return backups.copy_database(con, to)


def restore(backup_path: Path, ledger_path: Path) -> Path | None:
    """Replace the ledger with a backup; return the old file's new path.

    Raises:
        LedgerHeld: the web process is running.
        LedgerUnreadable: the backup is not a ledger, or its audit chain is broken.
    """
    _examine(backup_path)
    aside = None
    fresh = ledger_path.with_name(f".{ledger_path.name}.{new_id()}.part")
    ledger_path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with connect(backup_path) as source:
            backups.copy_database(source, fresh)
        if ledger_path.exists():
            aside = backups.folder_of(ledger_path) / f"replaced-{utc_now():%Y%m%dT%H%M%S%fZ}.duckdb"
            aside.parent.mkdir(parents=True, exist_ok=True)
            _fold_in(ledger_path)
            ledger_path.rename(aside)
        fresh.rename(ledger_path)
    finally:
        fresh.unlink(missing_ok=True)
    return aside


def tidy(con: DuckDBPyConnection, *, now: datetime) -> Tidied:
    """Delete expired sessions, old login attempts, and old answers to reports."""

    def gone(statement: str, before: datetime) -> int:
        return len(con.execute(statement, {"before": before}).fetchall())

    return Tidied(
        sessions=gone(OLD_SESSIONS, now),
        login_tries=gone(OLD_TRIES, now - TRIES_FOR),
        answers=gone(OLD_ANSWERS, now - ANSWERS_FOR),
    )


def _examine(path: Path) -> None:
    if not path.is_file():
        raise LedgerUnreadable(str(path), "there is no such file")
    with connect(path) as con:
        if not con.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'schema_version'").fetchall():
            raise LedgerUnreadable(str(path), "it is a DuckDB file, but no ledger of ours")
        newest = schema_migrations.shipped()[-1].version
        if (version := schema_migrations.version_of(con)) > newest:
            raise LedgerNewer(str(path), version, newest)
        if (broken := audit.verify(con)) is not None:
            raise LedgerUnreadable(str(path), f"its audit chain is broken at row {broken}")


def _fold_in(path: Path) -> None:
    """Check that no process has the file open, and merge or move its write-ahead log."""
    try:
        with connect(path) as con:
            con.execute("CHECKPOINT").fetchall()
    except LedgerUnreadable:  # it is replaced because it is damaged
        wal = Path(f"{path}.wal")
        if wal.exists():
            wal.rename(backups.folder_of(path) / f"{wal.name}.{new_id()}")
