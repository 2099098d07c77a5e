"""Live copies of the ledger, written atomically."""

from pathlib import Path

from duckdb import DuckDBPyConnection

from storage.domain.clock import new_id

NAME = "SELECT current_database()"


def folder_of(ledger_path: Path) -> Path:
    """Return the default folder for copies of this ledger."""
    return ledger_path.parent / "backups"


def copy_database(con: DuckDBPyConnection, to: Path) -> Path:
    """Copy the open database to the new file `to` while writers continue; return `to`.

    Raises:
        FileExistsError: `to` exists; nothing is overwritten.
    """
    if to.exists():
        raise FileExistsError(f"{to} is there already; choose another name")
    to.parent.mkdir(parents=True, exist_ok=True)
    part = to.with_name(f".{to.name}.{new_id()}.part")
    row = con.execute(NAME).fetchone()
    source = _quoted(str(row[0]) if row else "ledger", '"')
    target = _quoted(f"copy-{new_id()}", '"')
    try:
        con.execute(f"ATTACH {_quoted(str(part), chr(39))} AS {target}")
        try:
            con.execute(f"COPY FROM DATABASE {source} TO {target}")
        finally:
            con.execute(f"DETACH {target}")
        part.replace(to)
    finally:
        part.unlink(missing_ok=True)
        Path(f"{part}.wal").unlink(missing_ok=True)
    return to


def _quoted(text: str, mark: str) -> str:
    """Quote text for statements without parameters (ATTACH, COPY FROM DATABASE)."""
    return mark + text.replace(mark, mark * 2) + mark
