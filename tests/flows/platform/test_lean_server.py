"""The Prefect server leaves out what it does not need, and migrates its database in a process of its own."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from flows.platform import prefect_server
from tests.flows.conftest import ROOT

MIGRATED = """
import sys
from pathlib import Path
from prefect.settings import get_current_settings
from flows.platform import lean_server
lean_server.import_server(on_sqlite=True)
with lean_server.migrate_apart(lambda: Path("prepared").touch()):
    print(get_current_settings().server.database.migrate_on_start)
print(*sorted({name.split(".")[0] for name in sys.modules} & {"alembic", "asyncpg", "beartype", "mako"}))
"""


def printed_by(program: str, folder: Path, **env: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PREFECT_HOME": str(folder), **env},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def tables(database: Path) -> set[str]:
    with closing(sqlite3.connect(database)) as con:
        return {name for (name,) in con.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


@pytest.mark.parametrize("wanted", [True, False])
def test_the_database_is_migrated_apart_if_that_is_wanted(tmp_path: Path, *, wanted: bool) -> None:
    database = tmp_path / "prefect.db"
    url, on_start = f"sqlite+aiosqlite:///{database}", str(wanted)
    env = {"PREFECT_SERVER_DATABASE_CONNECTION_URL": url, "PREFECT_SERVER_DATABASE_MIGRATE_ON_START": on_start}
    assert printed_by(MIGRATED, tmp_path, **env) == ["False", ""]
    assert (tmp_path / "prepared").exists()
    assert (database.exists() and "flow_run" in tables(database)) == wanted


def test_a_database_that_cannot_be_migrated_ends_the_server(tmp_path: Path) -> None:
    (tmp_path / "prefect.db").write_text("of another program")
    url = f"sqlite+aiosqlite:///{tmp_path}/prefect.db"
    with pytest.raises(subprocess.CalledProcessError):
        printed_by(MIGRATED, tmp_path, PREFECT_SERVER_DATABASE_CONNECTION_URL=url)


@pytest.mark.parametrize("name", [":memory:", "file::memory:?cache=shared&uri=true", "file:x?mode=memory&uri=true"])
def test_a_database_in_memory_is_migrated_by_the_server_that_has_it(tmp_path: Path, name: str) -> None:
    url = f"sqlite+aiosqlite:///{name}"
    assert prefect_server.database_of(url) is None
    assert printed_by(MIGRATED, tmp_path, PREFECT_SERVER_DATABASE_CONNECTION_URL=url)[0] == "True"


def test_a_migration_that_was_killed_is_said(tmp_path: Path) -> None:
    program = MIGRATED.replace('Path("prepared").touch()', "__import__('os').kill(__import__('os').getpid(), 9)")
    with pytest.raises(subprocess.CalledProcessError) as killed:
        printed_by(program, tmp_path, PREFECT_SERVER_DATABASE_CONNECTION_URL=f"sqlite+aiosqlite:///{tmp_path}/x.db")
    assert killed.value.returncode == 1
    assert "the process that does it ended with -9" in killed.value.stderr
