"""Prefect tasks and blocks of the Python client, with a real Prefect server and the real app."""

import csv
import json
import runpy
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from prefect.settings import PREFECT_API_URL, temporary_settings

from dashboards.runtime import context
from storage.domain.records import JobState
from storage.domain.settings import Settings, WebSettings
from storage.jobs import job_store
from tests.clients.conftest import seeded, settings, tone
from tests.dashboards.served import SRT, Served, played_workers, secret_of, serving
from tests.flows.conftest import ROOT, Server
from transcriber.client import JobFailed
from transcriber.client.prefect import TranscriberCredentials, transcribe_file, trigger_of

__all__ = ["seeded", "settings", "tone"]  # fixtures: pytest finds them here

EXAMPLES = ROOT / "clients" / "python" / "examples"


@pytest.fixture
def archive(tmp_path: Path, tone: Callable[..., bytes]) -> Path:
    """A folder with recordings, of which one cannot be transcribed."""
    folder = tmp_path / "archive"
    folder.mkdir()
    for number, name in enumerate(("monday.wav", "tuesday.wav", "bad.wav"), start=1):
        (folder / name).write_bytes(tone(float(number)))
    return folder


@pytest.fixture
def platform(settings: Settings, archive: Path) -> Iterator[Served]:
    """The app, which may read the archive for ada; its workers complete everything but what is bad."""
    told = settings.web.model_dump() | {"batch_sources": f"ada={archive}"}
    settings.__dict__["web"] = WebSettings(**told, _env_file=None)
    with serving(settings) as served, played_workers(served):
        yield served


@pytest.fixture
def credentials(platform: Served, server: Server) -> Iterator[TranscriberCredentials]:
    """A block that is stored at the Prefect server, and its key nowhere else."""
    with temporary_settings({PREFECT_API_URL: server.api_url}):
        TranscriberCredentials(url=platform.url, api_key=secret_of("ada")).save("archive", overwrite=True)
        block = TranscriberCredentials.load("archive")
        assert isinstance(block, TranscriberCredentials)
        yield block


def jobs() -> list[Any]:
    with context.ledger().read() as con:
        return job_store.page(con)


def test_a_flow_of_others_transcribes_a_file_once(
    server: Server, credentials: TranscriberCredentials, archive: Path, tmp_path: Path
) -> None:
    @flow
    def of_others(path: str) -> str:
        done = transcribe_file(path, credentials, formats=["srt"], save_to=tmp_path / "out")
        return done.job.id

    ids = {of_others(str(archive / "monday.wav")) for _ in range(2)}
    assert [job.id for job in jobs()] == list(ids)
    assert (tmp_path / "out" / "monday.srt").read_text() == SRT
    with pytest.raises(JobFailed, match="could not be read"):
        of_others(str(archive / "bad.wav"))
    with pytest.raises(JobFailed):
        of_others(str(archive / "bad.wav"))
    attempts = {job.name: job.attempt for job in jobs()}
    assert (len(jobs()), attempts["monday.wav"]) == (2, 1)
    assert attempts["bad.wav"] >= 2  # the second run found the failed job, and tried it again
    task_runs = server.http.post("/task_runs/filter", json={}).json()
    assert {run["run_count"] for run in task_runs if run["name"].startswith("transcribe-file")} == {1}
    assert credentials.api_key.get_secret_value() not in json.dumps(task_runs)


def test_the_example_flow_saves_a_table_of_a_prefix(
    server: Server, credentials: TranscriberCredentials, archive: Path, tmp_path: Path
) -> None:
    table = tmp_path / "table.csv"
    example = runpy.run_path(str(EXAMPLES / "archive_table.py"))
    assert example["archive_table"](str(archive), str(table)) == 2
    with table.open(newline="") as file:
        rows = {Path(row["source"]).name: row for row in csv.DictReader(file)}
    assert {name: row["state"] for name, row in rows.items()} == {
        "bad.wav": "failed",
        "monday.wav": "completed",
        "tuesday.wav": "completed",
    }
    assert (rows["monday.wav"]["language"], rows["monday.wav"]["words"]) == ("de", "3")
    assert "could not be read" in rows["bad.wav"]["error"]
    artifacts = json.dumps(server.http.post("/artifacts/filter", json={}).json())
    assert "monday.wav" in artifacts
    assert "Grüße" not in artifacts.encode().decode("unicode_escape")


def test_the_example_script_writes_subtitles_beside(
    platform: Served, archive: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(archive / "monday.wav", archive / "copy.wav")
    monkeypatch.setenv("TRANSCRIBER_URL", platform.url)
    monkeypatch.setenv("TRANSCRIBER_API_KEY", secret_of("ada"))
    monkeypatch.setattr("sys.argv", ["transcribe_folder.py", str(archive)])
    with pytest.raises(SystemExit, match="1"):
        runpy.run_path(str(EXAMPLES / "transcribe_folder.py"), run_name="__main__")
    assert sorted(path.name for path in archive.glob("*.srt")) == ["copy.srt", "monday.srt", "tuesday.srt"]
    assert "bad.wav: the sound could not be read" in capsys.readouterr().err
    assert len([job for job in jobs() if job.state is JobState.COMPLETED]) == 2


def test_an_event_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match=r"transcriber\.job\.completed"):
        trigger_of("transcriber.job.done", {})
