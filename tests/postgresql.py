"""A real PostgreSQL, Debian's, in a folder and on a port of the test's own."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

DEBIANS = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
PG_CTL = str(DEBIANS[-1]) if DEBIANS else shutil.which("pg_ctl")
ANOTHER_USER = "postgres"
"""PostgreSQL refuses to run as root."""

needs_postgresql = pytest.mark.skipif(PG_CTL is None, reason="PostgreSQL is not installed")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgreSQL:
    """One cluster; its folder outlives a stop."""

    folder: Path
    port: int

    @property
    def url(self) -> str:
        """The address for Prefect's server."""
        return f"postgresql+asyncpg://prefect@127.0.0.1:{self.port}/postgres"

    def control(self, *words: str) -> None:
        """Run `pg_ctl`, as another user where we are root."""
        assert PG_CTL is not None
        command = [PG_CTL, "-D", str(self.folder / "cluster"), "-s", *words]
        subprocess.run(command, check=True, cwd="/", user=ANOTHER_USER if os.getuid() == 0 else None)

    def create(self) -> None:
        if os.getuid() == 0:
            shutil.chown(self.folder, ANOTHER_USER)
        self.control("init", "-o", "--username=prefect --auth=trust --no-sync --encoding=UTF8 --locale=C.UTF-8")

    def start(self) -> None:
        """Start it, and return when it takes connections. What it wrote survives its own death without `fsync`."""
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        self.control("start", "-w", "-l", str(self.folder / "log"), "-o", options)

    def stop(self) -> None:
        """Stop it at once, without a checkpoint and without a word to its clients, as a crash would."""
        self.control("stop", "-w", "-m", "immediate")


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """Run PostgreSQL until the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    server = PostgreSQL(folder=folder, port=free_port())
    try:
        server.create()
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
