"""The Prefect server leaves out what it does not need, and migrates its database in a process of its own."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from flows.platform import prefect_server
from tests.processes import ROOT, killed_at_last

HOST = """
import json, os, sys
from prefect.context import refresh_global_settings_context
from flows.platform import lean_server
lean_server.import_server(on_sqlite=True)
for line in sys.stdin:
    case = json.loads(line)
    pid = os.fork()
    if not pid:
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT, dir_fd=os.open(case["folder"], os.O_PATH)), number)
        os.chdir(case["folder"])
        os.environ.update(case["env"])
        refresh_global_settings_context()
        exec(case["program"], {"__name__": "__main__"})
        sys.exit()
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""
"""Imports the server once, which takes seconds, and runs each program in a fork with an environment of its own."""
MIGRATED = """
import sys
from pathlib import Path
from prefect.settings import get_current_settings
from flows.platform import lean_server
with lean_server.migrate_apart(lambda: Path("prepared").touch()):
    print(get_current_settings().server.database.migrate_on_start)
print(*sorted({name.split(".")[0] for name in sys.modules} & {"alembic", "asyncpg", "beartype", "mako"}))
"""
Run = Callable[..., list[str]]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator["subprocess.Popen[str]"]:
    env = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
    env |= {"PYTHONPATH": str(ROOT), "PREFECT_HOME": str(tmp_path_factory.mktemp("host"))}
    command = [sys.executable, "-c", HOST]
    process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process, killed_at_last(process):
        yield process


@pytest.fixture
def printed_by(host: "subprocess.Popen[str]", tmp_path: Path) -> Run:
    """Return `printed_by(program, **env)`: what a program prints that has the server imported."""

    def run(program: str, **env: str) -> list[str]:
        case = {"program": program, "folder": str(tmp_path), "env": {"PREFECT_HOME": str(tmp_path), **env}}
        assert host.stdin
        assert host.stdout
        host.stdin.write(json.dumps(case) + "\n")
        host.stdin.flush()
        status = int(host.stdout.readline())
        out, err = ((tmp_path / name).read_text() for name in ("out", "err"))
        if status:
            raise subprocess.CalledProcessError(status, "the program", out, err)
        return out.splitlines()

    return run


def tables(database: Path) -> set[str]:
    with closing(sqlite3.connect(database)) as con:
        return {name for (name,) in con.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


@pytest.mark.parametrize("wanted", [True, False])
def test_the_database_is_migrated_apart_if_that_is_wanted(tmp_path: Path, printed_by: Run, *, wanted: bool) -> None:
    database = tmp_path / "prefect.db"
    url, on_start = f"sqlite+aiosqlite:///{database}", str(wanted)
    env = {"PREFECT_SERVER_DATABASE_CONNECTION_URL": url, "PREFECT_SERVER_DATABASE_MIGRATE_ON_START": on_start}
    assert printed_by(MIGRATED, **env) == ["False", ""]
    assert (tmp_path / "prepared").exists()
    assert (database.exists() and "flow_run" in tables(database)) == wanted


def test_a_database_that_cannot_be_migrated_ends_the_server(tmp_path: Path, printed_by: Run) -> None:
    (tmp_path / "prefect.db").write_text("of another program")
    url = f"sqlite+aiosqlite:///{tmp_path}/prefect.db"
    with pytest.raises(subprocess.CalledProcessError):
        printed_by(MIGRATED, PREFECT_SERVER_DATABASE_CONNECTION_URL=url)


@pytest.mark.parametrize("name", [":memory:", "file::memory:?cache=shared&uri=true", "file:x?mode=memory&uri=true"])
def test_a_database_in_memory_is_migrated_by_the_server_that_has_it(printed_by: Run, name: str) -> None:
    url = f"sqlite+aiosqlite:///{name}"
    assert prefect_server.database_of(url) is None
    assert printed_by(MIGRATED, PREFECT_SERVER_DATABASE_CONNECTION_URL=url)[0] == "True"


def test_a_migration_that_was_killed_is_said(tmp_path: Path, printed_by: Run) -> None:
    program = MIGRATED.replace('Path("prepared").touch()', "__import__('os').kill(__import__('os').getpid(), 9)")
    with pytest.raises(subprocess.CalledProcessError) as killed:
        printed_by(program, PREFECT_SERVER_DATABASE_CONNECTION_URL=f"sqlite+aiosqlite:///{tmp_path}/x.db")
    assert killed.value.returncode == 1
    assert "the process that does it ended with -9" in killed.value.stderr
