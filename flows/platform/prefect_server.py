"""Run the Prefect server for `transcriber up`: `python -m flows.platform.prefect_server HOST PORT [--rotating]`.

It ends with the supervisor. Prefect needs several seconds for the 120 migrations of a new SQLite database, so the first
one is kept, empty, next to the installed packages, and later ones start as copies of it. `python -m
flows.platform.prefect_server prepare`, a part of `make install`, creates it beforehand.
"""

import asyncio
import contextlib
import os
import shutil
import sqlite3
import sys
import tempfile
from functools import partial
from importlib.metadata import distribution, version
from pathlib import Path
from urllib.parse import urlsplit

from starlette.types import ASGIApp

from flows.platform.lean_server import is_in_memory
from flows.platform.prefect_address import LOOPBACK
from flows.platform.prefect_door import PrefectDoor
from storage.domain.settings import Settings
from storage.media.parent_death import die_with_supervisor
from storage.remote.service_tokens import prefect_secret

SQLITE = "sqlite+aiosqlite:///"
ROTATING = "--rotating"


def blank_database() -> Path:
    """Return the path of the empty database of this Prefect version."""
    return Path(sys.prefix, "share", "whisper-transcriber", f"prefect-{version('prefect')}.sqlite")


def database_of(url: str) -> Path | None:
    """Return the file of an SQLite URL; None for memory or a server."""
    path = url.removeprefix(SQLITE).partition("?")[0]
    return Path(path) if url.startswith(SQLITE) and path and not is_in_memory(url) else None


def start_from_copy(database: Path) -> None:
    """Copy the empty database if there is none yet; otherwise the server migrates."""
    blank = blank_database()
    if database.exists() or not blank.exists():
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    fresh = database.with_name(f".{database.name}.{os.getpid()}")
    shutil.copyfile(blank, fresh)
    fresh.rename(database)


def keep_blank(database: Path) -> None:
    """Migrate a missing database, and keep an empty copy for later ones."""
    from prefect.server.database import provide_database_interface

    blank = blank_database()
    if database.exists() or blank.exists():
        return
    asyncio.run(provide_database_interface().create_db())
    with contextlib.suppress(OSError, sqlite3.Error):  # a folder that we cannot write to: the next server migrates too
        blank.parent.mkdir(parents=True, exist_ok=True)
        fresh = blank.with_name(f".{blank.name}.{os.getpid()}")
        with contextlib.closing(sqlite3.connect(database)) as con:
            con.execute("VACUUM INTO ?", (str(fresh),))
        fresh.rename(blank)


def prepare() -> None:
    """Create the empty database now, in a temporary folder, unless it exists."""
    if blank_database().exists():
        return
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder, "prefect.db")
        os.environ["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = f"{SQLITE}{database}"
        keep_blank(database)


def ui_place(home: Path, packages: Path | None = None) -> dict[str, str]:
    """Return the setting that names another place for Prefect's pages.

    Prefect writes them beside its code; where that is read-only, they go into its home. Prefect reads the setting when
    it is imported.
    """
    packages = packages or Path(str(distribution("prefect").locate_file("")))
    if os.access(packages / "prefect" / "server", os.W_OK):
        return {}
    return {"PREFECT_SERVER_UI_STATIC_DIRECTORY": str(home / "ui")}


def build(*, rotating: bool = False) -> ASGIApp:
    """Return Prefect's server behind our door; `rotating` if its secret came from the data dir."""
    from prefect.server.api.server import create_app
    from prefect.settings import get_current_settings

    server = get_current_settings().server
    origins = [each.strip() for each in server.api.cors_allowed_origins.split(",")]
    names = {urlsplit(each).hostname for each in (*origins, server.ui.api_url or "")} - {None}
    auth = server.api.auth_string.get_secret_value() if server.api.auth_string else None
    return PrefectDoor(
        create_app(),
        auth=auth,
        kept=prefect_secret(Settings()) if rotating else None,
        origins=origins,
        hosts={*LOOPBACK, *(name for name in names if name)} if server.api.host in LOOPBACK else None,
        home=server.ui.serve_base,
    )


def main() -> None:
    """Serve Prefect's API and UI until told to stop."""
    if sys.argv[1:] == ["prepare"]:
        prepare()
        return
    die_with_supervisor()
    home = Path(os.environ.get("PREFECT_HOME", Path.home() / ".prefect"))
    os.environ.update(ui_place(home) | os.environ)
    import uvicorn
    from prefect.settings import get_current_settings

    from flows.platform import lean_server
    from flows.platform.sqlite_patches import apply_patches

    host, port = sys.argv[1], int(sys.argv[2])
    url = get_current_settings().server.database.connection_url
    database = database_of(url.get_secret_value()) if url is not None else None
    lean_server.import_server(on_sqlite=database is not None)
    apply_patches()
    with lean_server.migrate_apart(partial(_prepare, database)):
        uvicorn.run(
            partial(build, rotating=ROTATING in sys.argv[3:]),
            factory=True,
            host=host,
            port=port,
            log_level="warning",
            access_log=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=2,
        )


def _prepare(database: Path | None) -> None:
    if database is not None:
        start_from_copy(database)
        keep_blank(database)


if __name__ == "__main__":
    main()
