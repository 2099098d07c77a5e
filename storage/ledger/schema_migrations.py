"""Schema migrations: numbered SQL files, each committed with its record, after a backup."""

import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from duckdb import DuckDBPyConnection

from storage.domain.clock import utc_now
from storage.domain.errors import LedgerNewer
from storage.ledger import backups

VERSIONS = """
CREATE TABLE IF NOT EXISTS schema_version (
    version INTEGER PRIMARY KEY, name VARCHAR NOT NULL, applied_at TIMESTAMPTZ NOT NULL)
"""
CURRENT = "SELECT coalesce(max(version), 0) FROM schema_version"
RECORD = "INSERT INTO schema_version (version, name, applied_at) VALUES ($version, $name, $applied_at)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One numbered step of the schema."""

    version: int
    name: str
    sql: str


def shipped() -> tuple[Migration, ...]:
    """Return the migrations in `storage/ledger/migrations`, in order."""
    folder = resources.files("storage.ledger").joinpath("migrations")
    found = [
        Migration(version=int(match[1]), name=match[2], sql=entry.read_text(encoding="utf-8"))
        for entry in folder.iterdir()
        if (match := re.fullmatch(r"(\d{4})_(\w+)\.sql", entry.name))
    ]
    return tuple(sorted(found, key=lambda step: step.version))


def bring_up_to_date(con: DuckDBPyConnection, path: Path, steps: tuple[Migration, ...] | None = None) -> int:
    """Apply the missing migrations, and return the file's version.

    A step and its record are one transaction, so a failing step leaves the file as the previous step left it.

    Raises:
        LedgerNewer: the file's version is newer than every known step.
    """
    steps = shipped() if steps is None else steps
    con.execute(VERSIONS)
    have = version_of(con)
    known = max((step.version for step in steps), default=0)
    if have > known:
        raise LedgerNewer(str(path), have, known, copy_before(path, known))
    missing = [step for step in steps if step.version > have]
    if missing and have:
        backups.copy_database(con, backups.folder_of(path) / f"before-{missing[-1].version:04d}-{_stamp()}.duckdb")
    for step in missing:
        _apply(con, step)
    if missing:
        con.execute("CHECKPOINT").fetchall()
    return known


def copy_before(path: Path, known: int) -> str | None:
    """Return the copy that a newer program made before it migrated the ledger."""
    found = sorted(backups.folder_of(path).glob("before-*.duckdb"))
    newer = [one for one in found if (number := one.name.split("-")[1]).isdecimal() and int(number) > known]
    return str(newer[-1]) if newer else None


def version_of(con: DuckDBPyConnection) -> int:
    """Return the number of the file's last migration."""
    row = con.execute(CURRENT).fetchone()
    return int(row[0]) if row else 0


def _apply(con: DuckDBPyConnection, step: Migration) -> None:
    con.execute("BEGIN TRANSACTION")
    try:
        con.execute(step.sql)
        con.execute(RECORD, {"version": step.version, "name": step.name, "applied_at": utc_now()})
        con.execute("COMMIT")
    except BaseException:
        con.execute("ROLLBACK")
        raise


def _stamp() -> str:
    return utc_now().strftime("%Y%m%dT%H%M%S%fZ")
