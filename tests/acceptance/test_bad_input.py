"""Bad input: a status, a message with the next step, and nothing lost or half-written."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile

from storage.domain import names
from tests.acceptance.conftest import Stack
from tests.conftest import SAMPLE
from tests.fuzz.corpus import Malformed, corpus
from tests.tasks.sounds import tone, write_media, write_wav
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.acceptance
HOUR_S = 3600


def not_audio(folder: Path) -> Path:
    path = folder / "notes.mp3"
    path.write_bytes(b"these are only words\n" * 500)
    return path


def empty(folder: Path) -> Path:
    path = folder / "empty.wav"
    path.touch()
    return path


def zero_length(folder: Path) -> Path:
    return write_wav(folder / "zero.wav", np.zeros(0, dtype=np.float32))


def video_without_sound(folder: Path) -> Path:
    return write_media(folder / "mute.mp4", [], picture=True)


def many_hours(folder: Path) -> Path:
    """Return a file whose header and length say 30 hours: silence, which FLAC packs into next to nothing."""
    rate_hz = 1000
    path = folder / "archive.flac"
    with soundfile.SoundFile(path, "w", samplerate=rate_hz, channels=1) as out:
        for _ in range(30):
            out.write(np.zeros(HOUR_S * rate_hz, dtype=np.int16))
    return path


def send(stack: Stack, path: Path, *, name: str | None = None, **options: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {(stack.data_dir / 'operator-token').read_text().strip()}"}
    form = {"options": json.dumps(options), "lane": "interactive"}
    with path.open("rb") as opened:
        files = {"file": (name or path.name, opened)}
        return httpx.post(f"{stack.url}/internal/v1/jobs", headers=headers, data=form, files=files, timeout=PATIENCE_S)


def leftovers(stack: Stack) -> set[str]:
    """Return what lies among the uploads, and what is half-written anywhere on storage."""
    uploads = {str(path) for path in (stack.data_dir / "uploads").rglob("*") if path.is_file()}
    return uploads | {str(path) for path in stack.store.rglob("*.part*")}


@pytest.mark.parametrize(
    ("make", "status", "said"),
    [
        (not_audio, 415, "not readable audio"),
        (empty, 400, "is empty"),
        (zero_length, 400, "is empty"),
        (video_without_sound, 422, "no audio track"),
        (many_hours, 413, "hours and the limit is 24"),
    ],
)
def test_unreadable_files_are_refused_on_upload(
    make: Callable[[Path], Path], status: int, said: str, stack: Stack, tmp_path: Path
) -> None:
    before = leftovers(stack)
    answer = send(stack, make(tmp_path))

    assert answer.status_code == status, answer.text
    assert said in answer.json()["error"]["message"]
    assert leftovers(stack) <= before


def test_silence_completes_with_no_text(stack: Stack, tmp_path: Path) -> None:
    path = write_wav(tmp_path / "silent.wav", np.zeros(20 * 16_000, dtype=np.float32))
    job = stack.wait_for(stack.submit(path), lambda job: job["state"] in {"completed", "failed"})

    assert job["state"] == "completed", job
    assert stack.transcript(job["id"]).text == ""


def test_a_tone_gives_no_text(stack: Stack, tmp_path: Path) -> None:
    job = stack.wait_for(
        stack.submit(write_wav(tmp_path / "tone.wav", tone(20))), lambda job: job["state"] in {"completed", "failed"}
    )

    assert job["state"] == "completed", job
    assert stack.transcript(job["id"]).text == ""


def test_a_truncated_recording_keeps_what_there_is_and_says_so(stack: Stack, tmp_path: Path) -> None:
    path = tmp_path / "cut-off.flac"
    whole = SAMPLE.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    job = stack.wait_for(stack.submit(path), lambda job: job["state"] in {"completed", "failed"})

    assert job["state"] == "completed", job
    transcript = stack.transcript(job["id"])
    assert "meeting" in transcript.text
    assert transcript.given_up or transcript.findings


def test_a_name_with_a_path_stays_a_name(stack: Stack) -> None:
    answer = send(stack, SAMPLE, name="../../../etc/passwd.flac")

    assert answer.json()["name"] == "passwd.flac"
    assert not list(stack.data_dir.parent.rglob("passwd*"))


def test_a_model_that_is_not_there_fails_the_job_and_keeps_its_source(stack: Stack) -> None:
    job_id = send(stack, SAMPLE, model="tiny").json()["id"]
    job = stack.wait_for(job_id, lambda job: job["state"] in {"completed", "failed"})

    assert job["state"] == "failed", job
    assert "tiny" in job["error"]
    assert "transcriber models" in job["error"]
    media = stack.data_dir / "store" / "media" / job["media_sha256"][:2] / job["media_sha256"]
    assert media.stat().st_size == SAMPLE.stat().st_size


def past_the_door(stack: Stack, file: Malformed) -> str:
    """Put a malformed file on storage and make a job of it, as if nobody had looked into it; return the job's id."""
    sha256 = hashlib.sha256(file.data).hexdigest()
    media = stack.data_dir / "store" / names.media_name(sha256)
    media.parent.mkdir(parents=True, exist_ok=True)
    media.write_bytes(file.data)
    media.chmod(0o600)
    media.parent.chmod(0o700)
    asked = {"name": file.name, "media_sha256": sha256, "media_bytes": len(file.data)}
    return str(stack.call("POST", "/internal/v1/jobs", json=asked).json()["id"])


def test_malformed_media_fail_their_jobs_and_nothing_else(stack: Stack) -> None:
    wanted = ("letter.mp3", "nested.mp4", "picture-65000.png", "net.m3u8", "many-channels.wav", "garbage.mkv")
    files = [each for each in corpus() if each.name.endswith(wanted)]
    assert len(files) == len(wanted)
    before = leftovers(stack)
    workers = {process.pid for process in stack.processes() if "worker" in process.cmdline()}
    ids = [past_the_door(stack, each) for each in files]
    for job_id in ids:
        job = stack.wait_for(job_id, lambda job: job["state"] in {"completed", "failed"})
        assert job["state"] == "failed", job
        assert job["error_code"] in {"audio_unreadable", "no_audio_track", "empty_upload"}
        assert "upload" in job["error"]
        assert job["attempt"] == 1
    assert {process.pid for process in stack.processes() if "worker" in process.cmdline()} == workers
    until(lambda: leftovers(stack) <= before)  # a job's record is written after its state


def test_a_wrong_token_is_refused(stack: Stack) -> None:
    headers = {"Authorization": "Bearer wrong"}
    answer = httpx.post(f"{stack.url}/internal/v1/jobs", headers=headers, files={"file": SAMPLE.read_bytes()})

    assert answer.status_code == 401
    assert "error" in answer.json()


def test_the_command_line_says_what_is_wrong_in_one_line(stack: Stack, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "flows.cli", "transcribe", str(not_audio(tmp_path)), "-o", str(tmp_path / "out")]
    done = subprocess.run(command, env=stack.env, capture_output=True, text=True, timeout=PATIENCE_S, check=False)

    assert done.returncode == 1
    assert "not readable audio" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
