"""`transcriber up --demo`: sends a speech recording through the public API, as any program would.

`samples/jfk.flac` is John F. Kennedy's inaugural address, 20 January 1961: a work of the United States' government and
in the public domain.
"""

import json
import sys
import time
from pathlib import Path

import httpx

from storage.domain.errors import TranscriberError
from storage.domain.job_messages import DownloadingModel, decode, text_of
from storage.domain.model_names import display_name
from storage.domain.records import Job, JobState, Transcript, from_json
from storage.domain.settings import Settings
from storage.files.file_store import Files
from storage.remote.service_tokens import strongest_token
from storage.remote.web_client import WebClient

SAMPLE = Path(__file__).parent / "samples" / "jfk.flac"
SAID_BY = "John F. Kennedy's inaugural address, 1961"
PATIENCE_S = 300.0
SHOWN = ("srt", "vtt")


def submit(settings: Settings, path: Path, *, model: str, lane: str = "interactive") -> Job:
    """Send one file to the web process as a job of the administrator.

    Raises:
        TranscriberError: the web process refused it; the message is its own.
        LedgerUnreachable: the web process does not answer.
    """
    from flows.platform.api_upload import send_file

    return send_file(settings, path, options={"model": model}, lane=lane, owner="admin", key=None).job


def follow(web: WebClient, job_id: str, *, patience_s: float = PATIENCE_S) -> Job:
    """Wait until the job ends, or nothing about it changes for `patience_s`.

    Progress of a model download is printed to the console.
    """
    last, until = "", time.monotonic() + patience_s
    while True:
        job = from_json(Job, web.call("GET", f"/internal/v1/jobs/{job_id}"))
        if job.state.finished or time.monotonic() > until:
            return job
        if (now := f"{job.state} {job.detail}") != last:
            last, until = now, time.monotonic() + patience_s
            if isinstance(decode(job.detail), DownloadingModel):
                _say(text_of(job.detail))
        time.sleep(0.05)


def demonstrate(settings: Settings) -> bool:
    """Transcribe the sample with the default model; print the text and the subtitle paths.

    Returns whether the job completed.
    """
    started = time.monotonic()
    try:
        with WebClient(settings.web.base_url, strongest_token(settings), patience_s=30) as web:
            job = follow(web, submit(settings, SAMPLE, model="auto").id)
            if job.state is not JobState.COMPLETED:
                return _complain(text_of(job.error) or f"the sample is still {job.state} ({text_of(job.detail)})")
            transcript = from_json(Transcript, web.call("GET", f"/internal/v1/jobs/{job.id}/transcript"))
            exports: dict[str, str] = json.loads(web.call("GET", f"/internal/v1/jobs/{job.id}/exports"))
        paths = {fmt: _path_of(settings, fmt, exports[fmt]) for fmt in SHOWN}
    except (TranscriberError, httpx.HTTPError, OSError) as error:
        return _complain(str(error))
    _show(transcript, paths, time.monotonic() - started)
    return True


def _path_of(settings: Settings, fmt: str, name: str) -> Path:
    """Return the stored export in a local folder, or else a copy."""
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
        f"{SAMPLE.name} ({SAID_BY}): {transcript.duration_s:.1f} s of audio, transcribed in {taken_s:.1f} s",
        f"by model {display_name(transcript.model)}:",
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
