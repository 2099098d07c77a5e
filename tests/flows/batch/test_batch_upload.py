"""Batch uploads by command and flow: real web process, worker and S3 service."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from typer.testing import CliRunner, Result

from flows.batch import batch_run
from flows.batch.batch_upload import send_all
from flows.cli.main import app
from flows.platform import deploy
from storage.domain.batch_outcomes import BatchOutcome, Outcome
from storage.domain.errors import BadRequest, LedgerUnreachable, NotAllowed
from tests.conftest import PLAIN, Clip
from tests.flows.conftest import ROOT, Server, answers, free_port
from tests.processes import end, kill, killed_at_last
from tests.waiting import PATIENCE_S, until

S3_KEYS = {"AWS_ACCESS_KEY_ID": "access", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """A running web process, an S3 service with the bucket `store`, and the environment that leads to both."""

    web_url: str
    s3_url: str
    key: str
    env: dict[str, str]

    def batch(self, *arguments: str | Path) -> Result:
        return CliRunner(env=self.env).invoke(app, ["batch", *map(str, arguments)])

    def api(self, method: str, path: str) -> None:
        headers = {"Authorization": f"Bearer {self.key}"}
        httpx.request(method, f"{self.web_url}/api/v1{path}", headers=headers).raise_for_status()

    def jobs(self) -> dict[str, dict[str, Any]]:
        """Return all jobs by their id."""
        headers = {"Authorization": f"Bearer {self.key}"}
        found = httpx.get(
            f"{self.web_url}/api/v1/jobs", params={"limit": 100}, headers=headers, timeout=PATIENCE_S, verify=PLAIN
        )
        found.raise_for_status()
        return {job["id"]: job for job in found.json()["jobs"]}


@pytest.fixture(scope="module")
def platform(surroundings: dict[str, str]) -> Iterator[Platform]:
    web_url, s3_url = surroundings["TRANSCRIBER_WEB_URL"], f"http://127.0.0.1:{free_port()}"
    env = surroundings | S3_KEYS | {"TRANSCRIBER_STORAGE_ENDPOINT_URL": s3_url, "COLUMNS": "200"}
    alone = {
        "TRANSCRIBER_ADMIN_PASSWORD": "first-password",
        "TRANSCRIBER_PORT": web_url.rpartition(":")[2],
        "PREFECT_API_URL": "http://127.0.0.1:9/api",
    }
    moto = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", s3_url.rpartition(":")[2]]
    start = partial(subprocess.Popen[bytes], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    web = start([sys.executable, "-m", "flows.cli", "web"], env=env | alone)
    s3 = start(moto, env=env)
    try:
        until(lambda: answers(f"{web_url}/livez") and answers(f"{s3_url}/moto-api/"))
        httpx.put(f"{s3_url}/store", timeout=PATIENCE_S).raise_for_status()
        made = CliRunner(env=env).invoke(app, ["admin", "create-key", "admin"], catch_exceptions=False)
        yield Platform(web_url=web_url, s3_url=s3_url, key=made.stdout.split()[0], env=env)
    finally:
        for process in (web, s3):
            end(process)


@pytest.fixture
def folder(tmp_path: Path, speech: list[Clip]) -> Path:
    """Two recordings and some notes."""
    (tmp_path / "in").mkdir()
    for name, clip in zip(("a.wav", "b.wav"), speech, strict=False):
        (tmp_path / "in" / name).write_bytes(clip.path.read_bytes())
    (tmp_path / "in" / "notes.txt").write_text("what was said, in short\n" * 20)
    return tmp_path / "in"


def test_a_folder_becomes_jobs_once_and_notes_are_skipped(platform: Platform, folder: Path) -> None:
    first = platform.batch(folder)
    assert first.exit_code == 0, first.stderr
    assert "2 of 3 accepted, 1 skipped: not recordings; follow them at" in first.stdout
    assert f"{folder}/notes.txt: skipped: " in first.stderr
    made = platform.jobs()
    assert {job["name"] for job in made.values()} == {"a.wav", "b.wav"}

    again = platform.batch(folder)
    assert again.exit_code == 0
    assert "0 of 3 accepted, 2 known already, 1 skipped: not recordings" in again.stdout
    assert platform.jobs().keys() == made.keys()


def test_a_folder_is_watched_until_ctrl_c(platform: Platform, folder: Path, speech: list[Clip]) -> None:
    before = platform.jobs().keys()
    command = [sys.executable, "-m", "flows.cli", "batch", str(folder), "--watch", "1", "--language", "es"]
    watching = subprocess.Popen(command, env=platform.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with killed_at_last(watching):
        until(lambda: len(platform.jobs().keys() - before) == 2)
        (folder / "late.wav").write_bytes(speech[2].path.read_bytes())
        until(lambda: len(platform.jobs().keys() - before) == 3)
        watching.send_signal(signal.SIGINT)
        assert watching.wait(PATIENCE_S) == 0


def test_what_failed_or_was_deleted_comes_back_only_when_asked(platform: Platform, folder: Path) -> None:
    def batch(*more: str) -> Result:
        return platform.batch(folder, "--language", "en", *more)  # jobs of its own

    before = platform.jobs().keys()
    assert "2 of 3 accepted" in batch().stdout
    made = {job["name"]: job_id for job_id, job in platform.jobs().items() if job_id not in before}
    for job_id in made.values():
        platform.api("POST", f"/jobs/{job_id}/cancel")
    platform.api("DELETE", f"/jobs/{made['b.wav']}")

    known = batch()
    assert known.exit_code == 3
    assert "0 of 3 accepted, 1 skipped: not recordings, 1 skipped: deleted before, 1 failed before" in known.stdout
    assert f"{folder}/a.wav: failed before: it was cancelled; to try it again, repeat the batch with --" in known.stderr
    assert f"{folder}/b.wav: skipped: it was transcribed before and deleted; " in known.stderr
    assert platform.jobs().keys() - before == {made["a.wav"]}

    asked = batch("--again")
    assert asked.exit_code == 0
    assert "1 of 3 accepted, 1 retried, 1 skipped: not recordings" in asked.stdout
    jobs = platform.jobs()
    assert jobs[made["a.wav"]]["state"] == "queued"
    assert sorted(jobs[job_id]["name"] for job_id in jobs.keys() - before) == ["a.wav", "b.wav"]
    assert "0 of 3 accepted, 2 known already" in batch().stdout


def test_a_prefix_in_a_bucket_becomes_jobs(platform: Platform, speech: list[Clip]) -> None:
    with httpx.Client(base_url=f"{platform.s3_url}/store") as http:
        http.put("/talks/", content=b"").raise_for_status()  # as some consoles mark a folder
        http.put("/talks/one%20talk.wav", content=speech[2].path.read_bytes()).raise_for_status()
        http.put("/talks/notes.txt", content=b"what was said").raise_for_status()
        http.put("/talks/old/", content=b"").raise_for_status()
        http.put("/talks/old/two.wav", content=speech[3].path.read_bytes()).raise_for_status()

    before = platform.jobs().keys()
    flat = platform.batch("s3://store/talks/")
    assert flat.exit_code == 0, flat.stderr
    assert "1 of 2 accepted, 1 skipped" in flat.stdout
    assert "s3://store/talks/notes.txt: skipped: " in flat.stderr

    deep = platform.batch("s3://store/talks", "--recursive")
    assert deep.exit_code == 0, deep.stderr
    assert "1 of 3 accepted, 1 known already, 1 skipped" in deep.stdout
    made = [job["name"] for job_id, job in platform.jobs().items() if job_id not in before]
    assert sorted(made) == ["one talk.wav", "two.wav"]

    assert "0 of 1 accepted, 1 known already" in platform.batch("s3://store/talks/old/two.wav").stdout


def test_any_key_of_a_bucket_is_read(platform: Platform, speech: list[Clip]) -> None:
    """An object and a prefix of one name, a name too long for a file, and signs that mean something elsewhere."""
    keys = ["both", "both/in.wav", f"long/{'語' * 120}.wav", "odd/a?versionId=3.wav", "odd/a::b#[c].wav", "odd/store"]
    with httpx.Client(base_url=f"{platform.s3_url}/store") as http:
        for number, key in enumerate(keys):
            body = speech[number % len(speech)].path.read_bytes()
            http.put(f"/{quote(key)}", content=body).raise_for_status()
    before = platform.jobs().keys()

    def batch(source: str) -> str:
        done = platform.batch(source, "--language", "de")
        assert done.exit_code == 0, done.stderr
        return done.stdout.rpartition(";")[0].splitlines()[-1]

    assert batch("s3://store/both/") == "1 of 1 accepted"
    assert batch("s3://store/both") == "1 of 2 accepted, 1 known already"
    assert batch("s3://store/long") == "1 of 1 accepted"
    assert batch("s3://store/odd/a?versionId=3.wav") == "1 of 1 accepted"
    assert batch("s3://store/odd") == "2 of 3 accepted, 1 known already"
    jobs = platform.jobs()
    names = {jobs[job_id]["name"] for job_id in jobs.keys() - before}
    assert names == {"both", "in.wav", "語" * 83 + ".wav", "a?versionId=3.wav", "a::b#[c].wav", "store"}


@pytest.mark.parametrize("source", ["s3://store/gone", "s3://no-such-bucket", "s3://", "no/such/folder"])
def test_what_does_not_exist_is_named(platform: Platform, source: str) -> None:
    done = platform.batch(source)

    assert isinstance(done.exception, BadRequest)
    assert source in str(done.exception)


def test_what_was_asked_wrongly_is_no_skipped_file(platform: Platform, folder: Path) -> None:
    done = platform.batch(folder, "--owner", "nobody")

    assert done.exit_code == 1
    assert "0 of 3 accepted, 3 refused" in done.stdout


def test_outcomes_are_printed_even_if_the_web_process_stops(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first file is sent, as far as the command knows; then nobody answers."""
    monkeypatch.setenv("TRANSCRIBER_WEB_URL", "http://127.0.0.1:9")
    sent = [Outcome(name="a.wav", became=BatchOutcome.ACCEPTED, job_id="j1")]
    monkeypatch.setattr(batch_run, "send_all", lambda *what, **how: chain(sent, send_all(*what, **how)))

    result = CliRunner().invoke(app, ["batch", str(folder)])

    assert isinstance(result.exception, LedgerUnreachable)
    assert "1 of 3 accepted, 2 not sent" in result.stdout


def test_the_deployment_does_the_same_on_a_worker(platform: Platform, server: Server, folder: Path) -> None:
    deployment = server.http.get("/deployments/name/ingest-batch/ingest-batch").raise_for_status().json()
    assert deployment["work_queue_name"] == "batch"

    def run(source: str | Path, **more: str) -> dict[str, Any]:
        body = {"parameters": {"source": str(source)} | more}
        made = server.http.post(f"/deployments/{deployment['id']}/create_flow_run", json=body).raise_for_status()
        return server.end(str(made.json()["id"]))

    before = platform.batch(folder)
    jobs = platform.jobs()
    done = run(folder)
    assert before.exit_code == 0
    assert done["state_type"] == "COMPLETED", done["state"]
    assert done["state"]["message"] == "0 of 3 accepted, 2 known already, 1 skipped: not recordings"
    assert platform.jobs().keys() == jobs.keys()

    shown = server.http.post("/artifacts/filter", json={"artifacts": {"flow_run_id": {"any_": [done["id"]]}}}).json()
    assert len(shown) == 1
    assert shown[0]["data"].count('"outcome": "known already"') == 2

    gone = run(folder / "gone")
    assert gone["state_type"] == "FAILED"
    assert "does not exist" in gone["state"]["message"]

    for refused in (run("/etc"), run(folder / ".." / ".." / ".." / ".." / "etc"), run(folder, owner="mallory")):
        assert refused["state_type"] == "FAILED"
        assert "requires an entry in TRANSCRIBER_BATCH_SOURCES" in refused["state"]["message"]

    (folder / "secret.wav").symlink_to("/etc/hostname")
    assert run(folder)["state"]["message"] == ("0 of 4 accepted, 2 known already, 1 skipped: not recordings, 1 refused")
    assert platform.jobs().keys() == jobs.keys()


def test_files_without_a_header_are_sent_as_the_options_say(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "call.ulaw").write_bytes(bytes(range(256)) * 50)
    asked = platform.batch(tmp_path)
    assert "0 of 1 accepted, 1 skipped: not recordings" in asked.stdout
    assert "such as --input-format" in asked.stderr

    before, said = platform.jobs().keys(), ("--input-format", "mulaw", "--rate", "8000")
    assert "1 of 1 accepted" in platform.batch(tmp_path, *said).stdout
    (made,) = [job for job_id, job in platform.jobs().items() if job_id not in before]
    assert made["name"] == "call.wav"
    assert "1 known already" in platform.batch(tmp_path, *said).stdout
    assert "1 of 1 accepted" in platform.batch(tmp_path, "--input-format", "mulaw", "--rate", "16000").stdout


def test_a_schedule_is_one_of_the_deployment_in_utc_and_outlives_an_upgrade(
    server: Server, folder: Path, tmp_path: Path
) -> None:
    """What Prefect is told is what the flow takes: its form refuses everything else."""
    env = server.env | {"TRANSCRIBER_BATCH_TARGETS": f"admin={tmp_path}"}

    def batch(*arguments: str) -> Result:
        return CliRunner(env=env).invoke(app, ["batch", str(folder), "--dest", f"{tmp_path}/out", *arguments])

    def deployment() -> dict[str, Any]:
        found: dict[str, Any] = server.http.get("/deployments/name/ingest-batch/ingest-batch").raise_for_status().json()
        return found

    ids: set[str] = set()
    for cron in ("17 3 * * *", "18 3 * * *"):
        assert batch("--schedule", cron).exit_code == 0
        ids.update(made["id"] for made in deployment()["schedules"])
    assert len(ids) == 1, "a schedule is replaced in one step: there is no moment without one"
    upgraded = tmp_path / "prefect.yaml"
    upgraded.write_text(deploy.PREFECT_YAML.read_text() + "\n# another version\n")
    deploy.apply(server.api_url, path=upgraded)
    deploy.apply(server.api_url)
    (made,) = deployment()["schedules"]
    assert (made["schedule"]["cron"], made["schedule"]["timezone"]) == ("18 3 * * *", "UTC")
    assert made["parameters"]["dest"] == f"{tmp_path}/out"
    url = f"/deployments/{deployment()['id']}/create_flow_run"
    for wrong in ({"source": ""}, {"source": "/x", "task": "sing"}, {"source": "/x", "langauge": "en"}):
        assert server.http.post(url, json={"parameters": wrong}).status_code == httpx.codes.CONFLICT

    for never in ("daily", "0 0 30 2 *", "*/1 * * * * *"):  # Prefect takes a date that never comes, and seconds
        assert isinstance(batch("--schedule", never).exception, BadRequest)
    assert isinstance(batch("--schedule", "17 3 * * *", "--rejects", "/etc/x").exception, NotAllowed)
    assert batch("--schedule", "off").exit_code == 0
    assert deployment()["schedules"] == []
    assert f"{folder} of admin with {tmp_path}/out has no schedule to end" in str(batch("--schedule", "off").exception)


def test_a_batch_started_twice_at_once_and_killed_makes_each_job_once(
    platform: Platform, tmp_path: Path, speech: list[Clip]
) -> None:
    for number, clip in enumerate(speech[:4]):
        (tmp_path / f"{number}.wav").write_bytes(clip.path.read_bytes())
        (tmp_path / f"{number}-again.wav").write_bytes(clip.path.read_bytes())
    before = platform.jobs().keys()
    command = [sys.executable, "-m", "flows.cli", "batch", str(tmp_path), "--language", "fr"]
    start = partial(subprocess.Popen[bytes], command, cwd=ROOT, env=platform.env, stdout=subprocess.DEVNULL)
    killed, running = start(), start()
    with killed_at_last(killed, running):
        until(lambda: platform.jobs().keys() - before)
        kill(killed)
        assert running.wait(PATIENCE_S) == 0
    assert "0 of 8 accepted, 8 known already" in platform.batch(tmp_path, "--language", "fr").stdout
    assert len(platform.jobs().keys() - before) == 4
