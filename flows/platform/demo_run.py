"""`transcriber up --demo`: a human voice through the web process's API, as any program would send it."""

import json
import sys
import time
from pathlib import Path

import httpx

from storage.client import WebClient
from storage.errors import TranscriberError
from storage.files import Files
from storage.records import Job, JobState, Transcript, from_json
from storage.settings import Settings
from storage.tokens import worker_token

SAMPLE = Path(__file__).parents[1] / "demo" / "jfk.flac"
SAID_BY = "John F. Kennedy's inaugural address, 1961"
PATIENCE_S = 300.0
DOWNLOADING = "downloading"
SHOWN = ("srt", "vtt")


def submit(settings: Settings, path: Path, *, model: str, lane: str = "interactive") -> Job:
    """Send one file to the web process as a job of the administrator.

    Raises:
        TranscriberError: the web process refused it, in its words.
        LedgerUnreachable: the web process does not answer.
    """
    from flows.sending import send_file

    return send_file(settings, path, options={"model": model}, lane=lane, owner="admin", key=None)


def follow(web: WebClient, job_id: str, *, patience_s: float = PATIENCE_S) -> Job:
    """Wait until the job is finished, or nothing about it has changed for as long as the patience lasts.

    What is said of a model that is downloaded meanwhile is passed on to the console.
    """
    last, until = "", time.monotonic() + patience_s
    while True:
        job = from_json(Job, web.call("GET", f"/internal/v1/jobs/{job_id}"))
        if job.state.finished or time.monotonic() > until:
            return job
        if (now := f"{job.state} {job.detail}") != last:
            last, until = now, time.monotonic() + patience_s
            if DOWNLOADING in job.detail:
                _say(job.detail)
        time.sleep(0.05)


def demonstrate(settings: Settings) -> bool:
    """Have the recording transcribed by the default model; print what was heard and where its subtitles are.

    Returns whether it completed.
    """
    started = time.monotonic()
    try:
        with WebClient(settings.web.base_url, worker_token(settings), patience_s=30) as web:
            job = follow(web, submit(settings, SAMPLE, model="auto").id)
            if job.state is not JobState.COMPLETED:
                return _complain(job.error or f"the sample is still {job.state} ({job.detail})")
            transcript = from_json(Transcript, web.call("GET", f"/internal/v1/jobs/{job.id}/transcript"))
            exports: dict[str, str] = json.loads(web.call("GET", f"/internal/v1/jobs/{job.id}/exports"))
        paths = {fmt: _path_of(settings, fmt, exports[fmt]) for fmt in SHOWN}
    except (TranscriberError, httpx.HTTPError, OSError) as error:
        return _complain(str(error))
    _show(transcript, paths, time.monotonic() - started)
    return True


def _path_of(settings: Settings, fmt: str, name: str) -> Path:
    """Return a real file with the export: the stored one where storage is a folder, else a copy of it."""
    files = Files.from_settings(settings.storage)
    if "://" not in files.url:
        return Path(files.url, name)
    copy = settings.storage.data_dir / "demo" / f"{SAMPLE.stem}.{fmt}"
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_bytes(files.read(name))
    return copy


def _show(transcript: Transcript, paths: dict[str, Path], taken_s: float) -> None:
    lines = [
        "",
        f"{SAMPLE.name} ({SAID_BY}): {transcript.duration_s:.1f} s of sound, {taken_s:.1f} s after it was sent,",
        f"heard by model {transcript.model}:",
        "",
        transcript.text,
        "",
        *(f"{fmt.upper()}: {path.absolute()}" for fmt, path in paths.items()),
        "",
    ]
    _say("\n".join(lines))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _complain(message: str) -> bool:
    sys.stderr.write(f"the demonstration failed: {message}\n")
    sys.stderr.flush()
    return False
