"""What a backup's manifest says: its files with checksums, and what its ledger has."""

from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from storage.backup.packing import Packed, digest_of
from storage.domain.errors import LedgerUnreadable
from storage.domain.records import to_json
from storage.ledger import audit, schema_migrations
from storage.ledger.database_file import connect

FORMAT = 1
TABLES = "SELECT table_name FROM duckdb_tables() WHERE NOT internal ORDER BY table_name"
COUNT = "SELECT count(*) FROM query_table($table)"
FIRST = "SELECT hash FROM audit WHERE seq = 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a ledger has: schema version, rows of its tables, head of its audit chain.

    `origin` is the hash of the chain's first row, which tells ledgers apart that have their backups at one place.
    """

    schema_version: int
    rows: dict[str, int]
    audit_rows: int
    audit_head: str
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupManifest:
    """One backup; it is written last, so that a backup without one is none.

    `ledger` is the ledger itself, `stored` the file as it lies there, compressed and perhaps encrypted; `recipient` is
    the public part of the key that opens it.
    """

    id: str
    made_at: datetime
    program: str
    contents: Contents
    ledger: Packed
    stored_as: str
    stored: Packed
    recipient: str | None
    format: int = FORMAT

    def to_bytes(self) -> bytes:
        return to_json(self)


def program_version() -> str:
    return version("whisper-transcriber")


def contents_of(con: DuckDBPyConnection) -> Contents:
    """Count the rows of all tables, and look up the head of the audit chain."""
    tables = [str(row[0]) for row in con.execute(TABLES).fetchall()]
    rows = {table: int(con.execute(COUNT, {"table": table}).fetchall()[0][0]) for table in tables}
    audit_rows, audit_head = audit.head(con)
    return Contents(
        schema_version=schema_migrations.version_of(con),
        rows=rows,
        audit_rows=audit_rows,
        audit_head=audit_head,
        origin=origin_of(con),
    )


def origin_of(con: DuckDBPyConnection) -> str:
    """Return the hash of the audit chain's first row, or "" without one."""
    row = con.execute(FIRST).fetchone()
    return str(row[0]) if row else ""


def origin_at(path: Path) -> str:
    """Return the origin of the ledger in a file; "" if unreadable."""
    try:
        if path.exists():
            with connect(path) as con:
                return origin_of(con)
    except (LedgerUnreadable, duckdb.Error):
        pass
    return ""


def contents_and_digest(path: Path) -> tuple[Contents, Packed]:
    """Return what the ledger in a closed file has, and the file's checksum."""
    with connect(path) as con:
        contents = contents_of(con)
        con.execute("CHECKPOINT").fetchall()
    return contents, digest_of(path)
