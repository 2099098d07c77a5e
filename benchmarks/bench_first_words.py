"""First words of a long recording: from the last byte of its upload to the first text that the API gives.

    python -m benchmarks first_words --speech FOLDER --model FOLDER [--minutes 120] [--language en]
        [--checkout FOLDER] [--baseline 01b573e] [--to-the-end]

Starts the whole platform of each checkout in turn, in a folder and on ports of its own, sends the recording to
`/api/v1/jobs` and asks `…/transcript?partial=true` four times a second. A commit that knows no partial transcripts
answers when the job is done; its figure is that.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import httpx

from benchmarks.bench_latency import Running, up
from benchmarks.bench_speech import BASELINE, checked_out
from benchmarks.speech_kinds import clips_in, make

REPO = Path(__file__).parents[1]
ASKED_EVERY_S = 0.25
PATIENCE_S = 3600.0


class Watched:
    """A file that knows when its last byte was read."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.last_read = file, 0.0

    def read(self, size: int = -1) -> bytes:
        found = self.file.read(size)
        self.last_read = time.monotonic()
        return found


@contextmanager
def client(platform: Running, checkout: Path) -> Iterator[httpx.Client]:
    """Return a client with the key of an account for programs."""
    env = os.environ | {"PYTHONPATH": str(checkout), "TRANSCRIBER_DATA_DIR": str(platform.data_dir)}
    env |= {"TRANSCRIBER_PORT": platform.url.rpartition(":")[2]}

    def admin(*more: str) -> str:
        command = [sys.executable, "-m", "flows.cli", "admin", *more]
        return subprocess.run(command, env=env, cwd=checkout, stdout=subprocess.PIPE, text=True, check=True).stdout

    admin("create-user", "programs")
    key = next(word for word in admin("create-key", "programs", "--name", "bench").split() if word.startswith("wt_"))
    with httpx.Client(base_url=platform.url, headers={"Authorization": f"Bearer {key}"}, timeout=300) as made:
        yield made


def has_text(body: Any) -> bool:
    """Return whether there is text anywhere in what the API gave."""
    if isinstance(body, dict):
        return any(bool(str(value).strip()) if key == "text" else has_text(value) for key, value in body.items())
    return any(map(has_text, body)) if isinstance(body, list) else False


def measured(http: httpx.Client, path: Path, *, to_the_end: bool) -> tuple[float, float | None]:
    """Return the seconds from the upload's end to the first text and, if asked for, to the job's end."""
    with path.open("rb") as opened:
        watched = Watched(opened)
        sent = http.post("/api/v1/jobs", files={"file": (path.name, watched)}).raise_for_status().json()  # type: ignore[dict-item]
    job = f"/api/v1/jobs/{sent['id']}"
    first_s: float | None = None
    while time.monotonic() < watched.last_read + PATIENCE_S:
        if first_s is None:
            answer = http.get(f"{job}/transcript", params={"partial": "true"})
            if answer.is_success and has_text(answer.json()):
                first_s = time.monotonic() - watched.last_read
                if not to_the_end:
                    return first_s, None
        state = http.get(job).raise_for_status().json()["state"]
        if state in {"failed", "cancelled"}:
            raise RuntimeError(f"the job is {state}")
        if state == "completed" and first_s is not None:
            return first_s, time.monotonic() - watched.last_read
        time.sleep(ASKED_EVERY_S)
    raise TimeoutError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    set_model, set_speech = (os.environ.get(f"TRANSCRIBER_BENCH_{name}") for name in ("MODEL", "AUDIO"))
    parser.add_argument("--speech", type=Path, default=set_speech, required=not set_speech, help="folder of clips")
    parser.add_argument("--model", type=Path, default=set_model, required=not set_model, help="CTranslate2 folder")
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--language", default="en", help="of the clips")
    parser.add_argument("--checkout", type=Path, default=REPO)
    parser.add_argument("--baseline", default=BASELINE, help="commit; empty: none")
    parser.add_argument("--to-the-end", action="store_true", help="measure the job's end as well")
    given = parser.parse_args()
    rows = [f"### First words of {given.minutes:g} minutes, `{Path(given.model).name}`", ""]
    rows += ["| seconds from the upload's end | first text | job completed |", "|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder:
        clips = clips_in(given.speech, given.language)
        recording = make(Path(folder) / "long.wav", clips, "level", minutes=given.minutes)
        sides = {"this checkout": given.checkout.resolve()}
        if given.baseline:
            sides[given.baseline] = checked_out(given.baseline, Path(folder))
        for name, checkout in sides.items():
            data_dir = Path(tempfile.mkdtemp(dir=folder), "data")
            with (
                up(data_dir, [], checkout=checkout, model=str(Path(given.model).resolve())) as platform,
                client(platform, checkout) as http,
            ):
                first_s, end_s = measured(http, recording.path, to_the_end=given.to_the_end)
            rows.append(f"| {name} | {first_s:.1f} | {'–' if end_s is None else f'{end_s:.1f}'} |")
            print(rows[-1], file=sys.stderr)
    print("\n".join(rows))


if __name__ == "__main__":
    main()
