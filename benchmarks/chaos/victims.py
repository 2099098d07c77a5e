"""A platform with a bucket and a cable to its web process, and what can be killed of it."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from benchmarks.chaos.cable import Cable
from benchmarks.chaos.material import SPAN_MAX_S
from benchmarks.speech_material import TINY_MODEL

CUT_S = (0.5, 4.0)
STORAGE_AWAY_S = (0.5, 3.0)
READY_WITHIN_S = 180.0
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
    """One `transcriber up` whose storage is the bucket, and whose workers reach the web process by the cable."""

    def __init__(self, folder: Path) -> None:
        self.data_dir, self.log = folder / "data", folder / "up.log"
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
        }

    def start(self) -> None:
        """Start everything and wait until it is ready."""
        if self.bucket.process is None:
            self.bucket.start()
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
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)

    def close(self) -> None:
        """End everything that is left."""
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.cable.close()
        self.bucket.kill()

    def processes(self, *words: str) -> list[psutil.Process]:
        """Return the processes of this data dir whose command line has all these words."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                ours = process.environ().get("TRANSCRIBER_DATA_DIR") == str(self.data_dir)
                if ours and process.status() != psutil.STATUS_ZOMBIE and all(one in process.cmdline() for one in words):
                    found.append(process)
        return found

    def http(self) -> httpx.Client:
        """Return a client of the web process with the command line's token."""
        token = (self.data_dir / "operator-token").read_text().strip()
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=30)


PROCESSES: dict[str, tuple[str, ...]] = {
    "web": ("flows.cli", "web"),
    "Prefect server": ("flows.platform.prefect_server",),
    "cpu worker": ("flows.cli", "worker", "cpu"),
    "gpu worker": ("flows.cli", "worker", "gpu"),
    "process that reads": ("flows.worker.child_main", "cpu"),
    "process that hears": ("flows.worker.child_main", "gpu"),
}
STORAGE, NETWORK, EVERYTHING = "storage", "network", "everything"
KINDS = (*PROCESSES, STORAGE, NETWORK, EVERYTHING)


def strike(platform: Platform, kind: str, chance: random.Random) -> bool:
    """Kill one of a kind, or cut the network for a while; return whether there was one."""
    strikes: dict[str, Callable[[Platform, random.Random], bool]] = {
        STORAGE: _storage,
        NETWORK: _network,
        EVERYTHING: _everything,
    }
    if kind in strikes:
        return strikes[kind](platform, chance)
    found = platform.processes(*PROCESSES[kind])
    for process in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    return bool(found)


def _storage(platform: Platform, chance: random.Random) -> bool:
    platform.bucket.kill()
    time.sleep(chance.uniform(*STORAGE_AWAY_S))
    platform.bucket.start()
    return True


def _network(platform: Platform, chance: random.Random) -> bool:
    platform.cable.cut()
    time.sleep(chance.uniform(*CUT_S))
    platform.cable.mend()
    return True


def _everything(platform: Platform, chance: random.Random) -> bool:
    """Kill all processes of the platform, as when its machine loses power, and start it again."""
    for process in platform.processes():
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    if platform.process is not None:
        platform.process.wait(10)
    time.sleep(chance.uniform(0.1, 1.0))
    platform.start()
    return True
