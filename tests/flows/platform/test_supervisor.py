"""The parts of `up`: data lock, ports, restarted services, the empty database."""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from flows.platform import prefect_server
from flows.platform.ports import holder_of, must_be_free
from flows.platform.service import FIRST_PAUSE_S, READY_LINE, Service
from flows.platform.supervisor import hold
from storage.domain.errors import AlreadyUp, PortTaken
from tests.waiting import PATIENCE_S


def test_a_second_holder_learns_who_the_first_is(tmp_path: Path) -> None:
    with (
        hold(tmp_path, "http://127.0.0.1:8501"),
        pytest.raises(AlreadyUp, match=rf"process {os.getpid()}, which has served http://127.0.0.1:8501 since \d{{4}}"),
        hold(tmp_path, "http://127.0.0.1:9999"),
    ):
        pass


def test_the_data_is_free_again_afterwards(tmp_path: Path) -> None:
    for _ in range(2):
        with hold(tmp_path, "http://127.0.0.1:8501"):
            pass


def test_a_taken_port_is_said_with_its_holder_and_its_setting() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        assert f"process {os.getpid()} " in (holder_of(port) or "")
        with pytest.raises(PortTaken, match="TRANSCRIBER_PORT"):
            must_be_free("127.0.0.1", port, "TRANSCRIBER_PORT")


def make(tmp_path: Path, code: str, said: list[str], *, first_pause_s: float = FIRST_PAUSE_S) -> Service:
    return Service(
        "probe",
        [sys.executable, "-c", code],
        env=dict(os.environ),
        logs_dir=tmp_path,
        say=lambda _, what: said.append(what),
        first_pause_s=first_pause_s,
    )


def logged(folder: Path) -> str:
    return "".join(path.read_text() for path in folder.rglob("*.log*"))


async def test_a_service_that_dies_is_started_again_and_its_output_logged(tmp_path: Path) -> None:
    said: list[str] = []
    code = f"import sys; print({READY_LINE!r}, flush=True); print('a line', file=sys.stderr, flush=True); exit(3)"
    service = make(tmp_path, code, said)

    running = asyncio.create_task(service.run())
    async with asyncio.timeout(PATIENCE_S):
        while len(said) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    service.terminate()
    await service.end(running, within_s=60)

    assert all("ended with status 3; starting it again" in line for line in said)
    assert service.ready.is_set()
    assert "a line" in (tmp_path / "probe.log").read_text()


async def test_json_lines_of_a_service_are_logged_as_they_are(tmp_path: Path) -> None:
    said: list[str] = []
    code = """import sys; sys.stderr.write('{"at": "2026", "level": "info"}\\na warning of a library\\n{not JSON\\n')"""
    service = make(tmp_path, code, said)

    running = asyncio.create_task(service.run())
    async with asyncio.timeout(PATIENCE_S):
        while not said:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    service.terminate()
    await service.end(running, within_s=60)

    first, second, third, *_ = (tmp_path / "probe.log").read_text().splitlines()
    assert json.loads(first)["level"] == "info"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d [\d:,]+ a warning of a library", second)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d [\d:,]+ {not JSON", third)


async def test_what_a_service_shows_its_reader_is_in_no_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    service = make(tmp_path, "import sys; print('password: once'); sys.exit('a line')", [])

    running = asyncio.create_task(service.run())
    async with asyncio.timeout(PATIENCE_S):
        await service.ended_early
    service.terminate()
    await service.end(running, within_s=60)

    assert "password: once" in capsys.readouterr().out
    assert "a line" in logged(tmp_path)
    assert "password" not in logged(tmp_path)


async def test_a_full_disk_costs_log_lines_and_one_line_on_the_console(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "probe.log").symlink_to("/dev/full")
    service = make(tmp_path, "import sys; sys.exit('one\\ntwo\\nthree')", [])

    running = asyncio.create_task(service.run())
    async with asyncio.timeout(PATIENCE_S):
        await service.ended_early
    service.terminate()
    await service.end(running, within_s=60)

    assert list(service.last_lines)[:3] == ["one", "two", "three"]
    console = capsys.readouterr().err
    assert console.count("cannot be written") == 1
    assert "Traceback" not in console


async def test_a_service_that_is_to_end_in_its_pause_is_not_started_again(tmp_path: Path) -> None:
    service = make(tmp_path, "exit(1)", [], first_pause_s=0.5)
    running = asyncio.create_task(service.run())
    async with asyncio.timeout(PATIENCE_S):
        await service.ended_early
    first = service.process

    service.terminate()
    await service.end(running, within_s=60)

    assert service.process is first


async def test_a_service_that_will_not_end_is_killed(tmp_path: Path) -> None:
    deaf = (
        f"import signal, time; signal.signal({int(signal.SIGTERM)}, signal.SIG_IGN); print({READY_LINE!r}, flush=True)"
    )
    service = make(tmp_path, f"{deaf}; time.sleep(60)", [])
    running = asyncio.create_task(service.run())
    async with asyncio.timeout(PATIENCE_S):
        await service.ready.wait()
    assert service.process is not None

    service.terminate()
    await service.end(running, within_s=0.3)

    assert not psutil.pid_exists(service.process.pid)


async def test_a_service_that_fails_at_once_says_so(tmp_path: Path) -> None:
    service = make(tmp_path, "import sys; sys.stderr.write('port 1 is taken'); exit(1)", [])
    running = asyncio.create_task(service.run())

    async with asyncio.timeout(PATIENCE_S):
        assert await service.ended_early == 1

    assert list(service.last_lines) == ["port 1 is taken"]
    service.terminate()
    await service.end(running, within_s=1)


def test_a_new_database_starts_as_a_copy_of_the_empty_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blank = tmp_path / "blank.sqlite"
    with sqlite3.connect(blank) as con:
        con.execute("CREATE TABLE migrated (id INTEGER)")
    con.close()
    monkeypatch.setattr(prefect_server, "blank_database", lambda: blank)
    database = prefect_server.database_of(f"sqlite+aiosqlite:///{tmp_path}/home/prefect.db?timeout=5")
    assert database is not None

    prefect_server.start_from_copy(database)

    assert database.read_bytes() == blank.read_bytes()
    assert prefect_server.database_of("postgresql+asyncpg://somewhere/prefect") is None


def test_the_empty_database_is_made_once_beforehand(tmp_path: Path) -> None:
    blank = tmp_path / "kept.sqlite"
    code = (
        "from pathlib import Path; from flows.platform import prefect_server as server;"
        f"server.blank_database = lambda: Path({str(blank)!r}); server.prepare(); server.prepare()"
    )

    subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE_S)

    with contextlib.closing(sqlite3.connect(blank)) as con:
        assert con.execute("SELECT count(*) FROM flow_run").fetchone() == (0,)
        assert con.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)
