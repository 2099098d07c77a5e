"""Measure short clips through `/v1/audio/transcriptions`, beside another checkout and another server.

TRANSCRIBER_BENCH_AUDIO=FOLDER TRANSCRIBER_BENCH_MODEL=MODEL python -m benchmarks.bench_short_clips
    [--checkout FOLDER] [--peer http://127.0.0.1:9000] [--clips 12] [--rounds 3]

The clips are 9 s of real speech that no side has heard before, in turns; language given, SRT wanted. The peer is a
server with whisper-asr-webservice's `/asr`, started by hand with the same weights.
"""

import argparse
import contextlib
import io
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import soundfile

from benchmarks.bench_latency import REPO, Running, up
from tasks.audio.decode import SAMPLE_RATE_HZ
from tests.tasks.sounds import decoded

CLIP_S, AT_ONCE = 9, 4
Ask = Callable[[bytes], httpx.Response]


def voices(folder: Path, match: str) -> list[np.ndarray]:
    """Return the recordings of a folder, int16 mono at 16 kHz."""
    return [(decoded(path) * 32767).astype(np.int16) for path in sorted(folder.glob(match))]


def clips(recordings: list[np.ndarray], count: int, random: np.random.Generator, clip_s: int = CLIP_S) -> list[bytes]:
    """Return WAV files of so many seconds whose bytes are new, because their level is."""
    made, length = [], clip_s * SAMPLE_RATE_HZ
    for number in range(count):
        sound = recordings[number % len(recordings)][:length] * random.uniform(0.9, 1.0)
        file = io.BytesIO()
        soundfile.write(file, np.pad(sound, (0, length - len(sound))).astype(np.int16), SAMPLE_RATE_HZ, format="WAV")
        made.append(file.getvalue())
    return made


@contextlib.contextmanager
def ours(checkout: Path, model: Path, language: str) -> Iterator[Ask]:
    """Start a checkout's platform, and yield what transcribes a clip there."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        data_dir = Path(folder)
        shutil.copytree(model, data_dir / "models" / model.name)
        platform = stack.enter_context(up(data_dir, [], checkout=checkout, model=model.name))
        http = stack.enter_context(httpx.Client(base_url=platform.url, headers=key_of(platform, checkout), timeout=120))
        data = {"model": model.name, "language": language, "response_format": "srt"}
        yield lambda clip: http.post("/v1/audio/transcriptions", files={"file": ("clip.wav", clip)}, data=data)


def key_of(platform: Running, checkout: Path) -> dict[str, str]:
    """Return the headers of a new key of the administrator."""
    env = os.environ | {"TRANSCRIBER_DATA_DIR": str(platform.data_dir), "PYTHONPATH": str(checkout)}
    env["TRANSCRIBER_PORT"] = platform.url.rpartition(":")[2]
    command = [sys.executable, "-m", "flows.cli", "admin", "create-key", "admin"]
    told = subprocess.run(command, env=env, cwd=checkout, capture_output=True, text=True, check=True).stdout
    found = re.search(r"\S{30,}", told)
    assert found, told
    return {"Authorization": f"Bearer {found.group()}"}


@contextlib.contextmanager
def peer(url: str, language: str) -> Iterator[Ask]:
    """Yield what transcribes a clip at `/asr` of a server that runs."""
    with httpx.Client(base_url=url, timeout=120, trust_env=False) as http:
        asked = {"language": language, "output": "srt"}
        yield lambda clip: http.post("/asr", params=asked, files={"audio_file": ("clip.wav", clip)})


def seconds(ask: Ask, clip: bytes) -> float:
    started = time.monotonic()
    assert "-->" in ask(clip).raise_for_status().text
    return time.monotonic() - started


def measure(sides: dict[str, Ask], recordings: list[np.ndarray], count: int, rounds: int) -> Iterator[str]:
    """Yield the table's rows: every side in turns, one clip at a time, then four."""
    random = np.random.default_rng(7)
    alone: dict[str, list[float]] = {name: [] for name in sides}
    together: dict[str, list[float]] = {name: [] for name in sides}
    for ask in sides.values():
        seconds(ask, clips(recordings, 1, random)[0])
    for _ in range(rounds):
        for name, ask in sides.items():
            alone[name] += [seconds(ask, clip) for clip in clips(recordings, count, random)]
        for name, ask in sides.items():
            some, started = clips(recordings, count, random), time.monotonic()
            with ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(lambda clip, ask=ask: seconds(ask, clip), some))
            together[name].append(count * CLIP_S / (time.monotonic() - started))
    ours_s, ours_times = statistics.median(alone["this checkout"]), statistics.median(together["this checkout"])
    for name in sides:
        median_s, times = statistics.median(alone[name]), statistics.median(together[name])
        yield f"| {name} | {median_s:.2f} | {ours_s / median_s:.2f} | {times:.1f} | {ours_times / times:.2f} |"


def clip_arguments() -> argparse.ArgumentParser:
    """Return a parser of the options that name the model, and the voices that clips are made of."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--audio", type=Path, default=os.environ.get("TRANSCRIBER_BENCH_AUDIO"))
    parser.add_argument("--model", type=Path, default=os.environ.get("TRANSCRIBER_BENCH_MODEL"))
    parser.add_argument("--match", default="*-en-*.ogg")
    parser.add_argument("--language", default="en")
    return parser


def main() -> None:
    parser = clip_arguments()
    parser.add_argument("--checkout", type=Path)
    parser.add_argument("--peer")
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    load_before = os.getloadavg()[0]
    with contextlib.ExitStack() as stack:
        sides = {"this checkout": stack.enter_context(ours(REPO, asked.model, asked.language))}
        if asked.checkout:
            sides["the other checkout"] = stack.enter_context(ours(asked.checkout, asked.model, asked.language))
        if asked.peer:
            sides["whisper-asr-webservice"] = stack.enter_context(peer(asked.peer, asked.language))
        rows = list(measure(sides, voices(asked.audio, asked.match), asked.clips, asked.rounds))
    print("## Short clips through the API\n")
    print(f"{asked.clips} clips of {CLIP_S} s, {asked.rounds} rounds in turns, model `{asked.model.name}`, SRT.\n")
    print("| server | one at a time, median s | ours / its | four at a time, times real time | ours / its |")
    print("|---|---|---|---|---|")
    print("\n".join(rows))
    print(f"\nLoad average {load_before:.1f} before. `python -m benchmarks short_clips`.")


if __name__ == "__main__":
    main()
