"""Many recordings sent at once, by the command and by the flow: real web process, real worker, real S3 service."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import Clip
from tests.flows.conftest import ROOT, Server, Worker, answers, free_port, until

S3_KEYS = {"AWS_ACCESS_KEY_ID": "access", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """A running web process, an S3 service with the bucket `store`, and the environment that leads to both."""

    web_url: str
    s3_url: str
    env: dict[str, str]

    def batch(self, *arguments: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "flows.cli", "batch", *map(str, arguments)]
        return subprocess.run(command, env=self.env | env, cwd=ROOT, capture_output=True, text=True, check=False)

    def jobs(self, name: str) -> list[dict[str, Any]]:
        """Return the audit rows of the jobs made of recordings called so."""
        token = Path(self.env["TRANSCRIBER_DATA_DIR"], "worker-token").read_text().strip()
        with httpx.Client(base_url=self.web_url, headers={"Authorization": f"Bearer {token}"}) as http:
            found = http.get("/internal/v1/jobs", params={"name": name}).raise_for_status().json()
        return list(found)


@pytest.fixture(scope="module")
def platform(surroundings: dict[str, str]) -> Iterator[Platform]:
    web_url, s3_url = surroundings["TRANSCRIBER_WEB_URL"], f"http://127.0.0.1:{free_port()}"
    env = surroundings | S3_KEYS | {"TRANSCRIBER_STORAGE_ENDPOINT_URL": s3_url, "COLUMNS": "200"}
    alone = {"TRANSCRIBER_PORT": web_url.rpartition(":")[2], "PREFECT_API_URL": "http://127.0.0.1:9/api"}
    moto = [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", s3_url.rpartition(":")[2]]
    quiet = {"cwd": ROOT, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    web = subprocess.Popen([sys.executable, "-m", "flows.cli", "web"], env=env | alone, **quiet)
    s3 = subprocess.Popen(moto, env=env, **quiet)
    try:
        until(lambda: answers(f"{web_url}/livez") and answers(f"{s3_url}/moto-api/"), within_s=90)
        httpx.put(f"{s3_url}/store").raise_for_status()
        yield Platform(web_url=web_url, s3_url=s3_url, env=env)
    finally:
        for process in (web, s3):
            process.terminate()
            process.wait(30)


@pytest.fixture
def folder(tmp_path: Path, speech: list[Clip]) -> Path:
    """Two recordings and some notes."""
    (tmp_path / "in").mkdir()
    for name, clip in zip(("a.wav", "b.wav"), speech, strict=False):
        (tmp_path / "in" / name).write_bytes(clip.path.read_bytes())
    (tmp_path / "in" / "notes.txt").write_text("what was said, in short\n" * 20)
    return tmp_path / "in"
