"""`python -m flows.server HOST PORT`: the Prefect server as `transcriber up` runs it, ending when the supervisor does.

A new SQLite database takes Prefect some 120 migrations, several seconds long. The first one made is therefore kept,
empty as it is, beside the installed packages, and later ones start from a copy. `python -m flows.server prepare`, a
part of `make install`, makes it beforehand.
"""

import asyncio
import contextlib
import os
import shutil
import sqlite3
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from flows.lifeline import die_with_supervisor

SQLITE = "sqlite+aiosqlite:///"


def blank_database() -> Path:
    """Return where the empty database of this Prefect version is kept."""
    return Path(sys.prefix, "share", "whisper-transcriber", f"prefect-{version('prefect')}.sqlite")


def database_of(url: str) -> Path | None:
    """Return the file that a connection URL names; None for a database in memory or on a server."""
    path = url.removeprefix(SQLITE).partition("?")[0]
    return Path(path) if url.startswith(SQLITE) and path not in {"", ":memory:"} else None


def start_from_copy(database: Path) -> None:
    """Put a copy of the empty database where there is none yet; without one the server migrates by itself."""
    blank = blank_database()
    if database.exists() or not blank.exists():
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    fresh = database.with_name(f".{database.name}.{os.getpid()}")
    shutil.copyfile(blank, fresh)
    fresh.rename(database)


def keep_blank(database: Path) -> None:
    """Migrate a database that is not there yet, and keep a copy of it for the next one."""
    from prefect.server.database import provide_database_interface

    blank = blank_database()
    if database.exists() or blank.exists():
        return
    asyncio.run(provide_database_interface().create_db())
    with contextlib.suppress(OSError, sqlite3.Error):  # a folder that is not ours to write: the next one migrates too
        blank.parent.mkdir(parents=True, exist_ok=True)
        fresh = blank.with_name(f".{blank.name}.{os.getpid()}")
        with contextlib.closing(sqlite3.connect(database)) as con:
            con.execute("VACUUM INTO ?", (str(fresh),))
        fresh.rename(blank)


def prepare() -> None:
    """Make the empty database now, in a folder that goes again; does nothing where it is there."""
    if blank_database().exists():
        return
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder, "prefect.db")
        os.environ["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = f"{SQLITE}{database}"
        keep_blank(database)


def main() -> None:
    """Serve Prefect's API and UI until told to stop."""
    if sys.argv[1:] == ["prepare"]:
        prepare()
        return
    die_with_supervisor()
    import uvicorn
    from prefect.settings import get_current_settings

    from flows.sqlite_care import take_care

    take_care()
    host, port = sys.argv[1], int(sys.argv[2])
    url = get_current_settings().server.database.connection_url
    database = database_of(url.get_secret_value()) if url is not None else None
    if database is not None:
        start_from_copy(database)
        keep_blank(database)
    uvicorn.run(
        "prefect.server.api.server:create_app",
        factory=True,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=2,
    )


if __name__ == "__main__":
    main()
