"""A folder of short clips through `transcriber batch`, beside `transcriber transcribe` in one run.

TRANSCRIBER_BENCH_AUDIO=FOLDER TRANSCRIBER_BENCH_MODEL=MODEL python -m benchmarks.bench_clip_batch
    [--clips 60] [--seconds 5] [--rounds 1]

Each side gets clips that it has not heard before, in turns; language given, SRT wanted. `batch` has a platform that is
up, and waits for its results; `transcribe` has none, and loads the model first.
"""

import argparse
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.bench_latency import REPO, Running, up
from benchmarks.bench_short_clips import clip_arguments, clips, voices


def written(folder: Path, recordings: list[np.ndarray], asked: argparse.Namespace, random: np.random.Generator) -> Path:
    """Write new clips into a folder, as if an hour ago, and return it.

    For a file that has just been written `batch` waits ten seconds, because somebody may still be writing it.
    """
    folder.mkdir(parents=True)
    for number, clip in enumerate(clips(recordings, asked.clips, random, asked.seconds)):
        path, an_hour_ago = folder / f"clip-{number:03}.wav", time.time() - 3600
        path.write_bytes(clip)
        os.utime(path, (an_hour_ago, an_hour_ago))
    return folder


def run(arguments: list[str], data_dir: Path, target: Path, platform: Running | None = None) -> float:
    """Run a command of this checkout, check that it wrote a text for each clip, and return its seconds."""
    env = os.environ | {"TRANSCRIBER_DATA_DIR": str(data_dir), "PYTHONPATH": str(REPO)}
    if platform:
        env["TRANSCRIBER_PORT"] = platform.url.rpartition(":")[2]
    started = time.monotonic()
    command = [sys.executable, "-m", "flows.cli", *arguments]
    said = subprocess.run(command, check=False, env=env, cwd=REPO, capture_output=True)
    took_s = time.monotonic() - started
    texts = [path.read_text() for path in target.rglob("*.srt")]
    assert said.returncode == 0, said.stderr.decode()
    assert texts
    assert all("-->" in text for text in texts), said.stdout.decode()
    return took_s


def main() -> None:
    parser = clip_arguments()
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=1)
    asked = parser.parse_args()
    recordings, random, load_before = voices(asked.audio, asked.match), np.random.default_rng(7), os.getloadavg()[0]
    took: dict[str, list[float]] = {"transcribe": [], "batch": []}
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder, model = Path(name), ["--model", asked.model.name, "--language", asked.language]
        for side in took:
            shutil.copytree(asked.model, folder / side / "models" / asked.model.name)
        platform = stack.enter_context(up(folder / "batch", [], model=asked.model.name))
        for number in range(asked.rounds):
            source, target = folder / f"in-{number}", folder / f"out-{number}"
            alone = [str(path) for path in sorted(written(source / "alone", recordings, asked, random).iterdir())]
            command = ["transcribe", *alone, *model, "-f", "srt", "-o", str(target / "alone")]
            took["transcribe"].append(run(command, folder / "transcribe", target / "alone"))
            together = str(written(source / "together", recordings, asked, random))
            command = ["batch", together, *model, "-f", "srt", "--dest", str(target / "together")]
            took["batch"].append(run(command, folder / "batch", target / "together", platform))
    alone_s, batch_s = statistics.median(took["transcribe"]), statistics.median(took["batch"])
    print(f"## {asked.clips} clips of {asked.seconds} s from a folder\n")
    print(f"Model `{asked.model.name}`, {asked.rounds} rounds in turns, every clip new.\n")
    print("| `transcribe`, s | `batch`, s | `batch` / `transcribe` |\n|---|---|---|")
    print(f"| {alone_s:.1f} | {batch_s:.1f} | {batch_s / alone_s:.2f} |")
    print(f"\nLoad average {load_before:.1f} before. `python -m benchmarks clip_batch`.")


if __name__ == "__main__":
    main()
