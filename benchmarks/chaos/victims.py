"""A platform with a bucket, a cable, a small disk and, if asked for, PostgreSQL."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from benchmarks.chaos.cable import Cable
from benchmarks.chaos.material import SPAN_MAX_S
from benchmarks.speech_material import TINY_MODEL
from tests.postgresql import PostgreSQL

READY_WITHIN_S, ENDED_WITHIN_S = 180.0, 20.0
DISK_MIB = 192
KEYS = {"AWS_ACCESS_KEY_ID": "access", "AWS_SECRET_ACCESS_KEY": "very-secret", "AWS_EC2_METADATA_DISABLED": "true"}


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(kw_only=True)
class Bucket:
    """rclone's S3 server over a folder; what it has stored outlives it."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        (self.folder / "store").mkdir(parents=True, exist_ok=True)
        command = [str(Path(sys.executable).parent / "rclone"), "serve", "s3", str(self.folder)]
        command += ["--addr", f"127.0.0.1:{self.port}", "--config", os.devnull, "--vfs-cache-mode", "off"]
        command += ["--auth-key", f"{KEYS['AWS_ACCESS_KEY_ID']},{KEYS['AWS_SECRET_ACCESS_KEY']}"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(self.url, timeout=1, trust_env=False)
                return
            time.sleep(0.05)
        raise TimeoutError("the storage server does not answer")

    def kill(self) -> None:
        """Kill it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)


class Platform:
    """One `transcriber up`: its storage is the bucket, and workers reach it by the cable."""

    def __init__(self, folder: Path, database: PostgreSQL | None = None) -> None:
        self.data_dir, self.log, self.temporary = folder / "data", folder / "up.log", folder / "temporary"
        self.database, self.left_running = database, list[str]()
        self.disk_is_small, self._frozen = False, list[psutil.Process]()
        for each in (self.data_dir, self.temporary):
            each.mkdir(mode=0o700)
        self.bucket = Bucket(folder=folder / "bucket")
        self.port, cable_port, prefect_port = free_port(), free_port(), free_port()
        self.cable = Cable(cable_port, self.port)
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PREFECT_", "TRANSCRIBER_"))}
        limits = {f"TRANSCRIBER_RATE_LIMIT_{kind}": "off" for kind in ("API", "UPLOAD", "GENERAL")}
        self.env = {**kept, **KEYS, **limits} | {
            "TRANSCRIBER_DATA_DIR": str(self.data_dir),
            "TRANSCRIBER_PORT": str(self.port),
            "TRANSCRIBER_WEB_URL": f"http://127.0.0.1:{cable_port}",
            "TRANSCRIBER_STORAGE_URL": "s3://store/chaos",
            "TRANSCRIBER_STORAGE_ENDPOINT_URL": self.bucket.url,
            "TRANSCRIBER_MODEL": str(TINY_MODEL),
            "TRANSCRIBER_SPAN_MAX_S": f"{SPAN_MAX_S:g}",
            "TRANSCRIBER_CPU_THREADS": "1",
            "TRANSCRIBER_ADMIN_PASSWORD": "of no importance",
            "PREFECT_SERVER_API_PORT": str(prefect_port),
            "TMPDIR": str(self.temporary),
        }
        if database is not None:
            self.env["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = database.url

    def start(self) -> None:
        """Start everything and wait until it is ready."""
        if self.bucket.process is None:
            self.bucket.start()
            self._mount()
        command = [sys.executable, "-m", "flows.cli", "up"]
        with self.log.open("ab") as log:
            before = log.tell()
            self.process = subprocess.Popen(command, env=self.env, stdout=log, stderr=log, start_new_session=True)
        until = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < until:
            if b"Ready after" in self.log.read_bytes()[before:]:
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise TimeoutError(self.log.read_text(errors="replace")[-3000:])

    def stop(self) -> None:
        """Stop the platform as its user would; storage stays."""
        self.thaw()
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)

    def await_end(self) -> None:
        """Wait until all processes have ended by themselves; others are noted, and killed."""
        self.thaw()
        if self.process is not None:
            self.process.wait(ENDED_WITHIN_S)
        until = time.monotonic() + ENDED_WITHIN_S
        while (left := self.processes()) and time.monotonic() < until:
            time.sleep(0.1)
        self.left_running += [command_of(each) for each in left]
        self._kill(left)

    def close(self) -> None:
        """End everything that is left."""
        self._kill(self.processes())
        self.cable.close()
        self.bucket.kill()

    def unmount(self) -> None:
        """Take the small disk away, and all that is on it."""
        if self.disk_is_small:
            subprocess.run(["umount", "-l", str(self.data_dir)], check=True)

    def _mount(self) -> None:
        """Give the data folder a disk of its own, where we may."""
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=700", "tmpfs", str(self.data_dir)]
        if os.geteuid() == 0:
            self.disk_is_small = subprocess.run(command, check=False, capture_output=True).returncode == 0

    @contextlib.contextmanager
    def full_disk(self) -> Iterator[None]:
        """Leave no byte free on the disk of the data folder while the block runs."""
        filler = self.data_dir / "filler"
        try:
            with filler.open("wb", buffering=0) as opened:
                for size in (1 << 20, 4096, 1):
                    with contextlib.suppress(OSError):
                        while True:
                            opened.write(bytes(size))
            yield
        finally:
            filler.unlink()

    def freeze(self, process: psutil.Process, for_s: float) -> None:
        """Stop a process, and let it go on after so long, wherever it is then."""
        with contextlib.suppress(psutil.NoSuchProcess):
            process.suspend()
            self._frozen.append(process)
            timer = threading.Timer(for_s, self._go_on, [process])
            timer.daemon = True
            timer.start()

    def thaw(self) -> None:
        """Let everything go on that is frozen."""
        for process in list(self._frozen):
            self._go_on(process)

    def _go_on(self, process: psutil.Process) -> None:
        with contextlib.suppress(psutil.NoSuchProcess, ValueError):
            self._frozen.remove(process)
            process.resume()

    def _kill(self, processes: list[psutil.Process]) -> None:
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def processes(self, *words: str) -> list[psutil.Process]:
        """Return this platform's processes whose command line has all these words."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                ours = process.environ().get("TMPDIR") == str(self.temporary)
                if ours and process.status() != psutil.STATUS_ZOMBIE and all(one in process.cmdline() for one in words):
                    found.append(process)
        return found

    def http(self) -> httpx.Client:
        """Return a client of the web process with the command line's token."""
        token = (self.data_dir / "operator-token").read_text().strip()
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=30)


def command_of(process: psutil.Process) -> str:
    """Return the beginning of a process's command line."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return " ".join(process.cmdline())[:120]
    return "a process that has ended"
