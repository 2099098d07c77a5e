"""Thousands of short files through the whole way: files a minute, none lost, memory; beside an older commit.

    TRANSCRIBER_BENCH_AUDIO=FOLDER TRANSCRIBER_BENCH_MODEL=MODEL python -m benchmarks many_files
        [-- --files 2000 --baseline 01b573e --baseline-files 200 --seconds 3]

Each side has a platform of its own, one after the other, and a folder of clips that are all new. `transcriber batch`
sends them; the time is from its start until all are transcribed. The older commit gets fewer files.
"""

import argparse
import contextlib
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import psutil
import soundfile

from benchmarks.batch_material import AN_HOUR_S, LIMITS
from benchmarks.bench_idle import what
from benchmarks.bench_latency import REPO, Running, up
from benchmarks.bench_short_clips import clip_arguments, voices
from benchmarks.bench_speech import BASELINE, checked_out
from tasks.audio.decode import SAMPLE_RATE_HZ

LOOK_EVERY_S = 2.0
MARKS = (0.05, 0.25, 0.5, 0.75, 1.0)
"""Shares of the files between which the memory of each process is averaged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Seconds until so many files were done; median memory of each process since the mark before, in MiB."""

    done_s: dict[int, float]
    memory_mib: dict[int, dict[str, float]]
    ended: dict[str, int]


def written(folder: Path, recordings: list[np.ndarray], count: int, seconds: int, random: np.random.Generator) -> Path:
    """Write parts of recordings from random places into a folder, as if an hour ago, and return it.

    Each begins with its number, since two parts may be the same, and would be one job.
    """
    folder.mkdir(parents=True)
    length, an_hour_ago = seconds * SAMPLE_RATE_HZ, time.time() - AN_HOUR_S
    for number in range(count):
        sound = recordings[number % len(recordings)]
        first, path = random.integers(0, len(sound) - length), folder / f"clip-{number:05}.wav"
        part = sound[first : first + length].copy()
        part[0] = number
        soundfile.write(path, part, SAMPLE_RATE_HZ, subtype="PCM_16")
        os.utime(path, (an_hour_ago, an_hour_ago))
    return folder


def states(http: httpx.Client) -> dict[str, int]:
    """Return how many jobs are in each state."""
    text = http.get("/metrics").raise_for_status().text
    return {
        state: int(float(count))
        for state, count in re.findall(r'^transcriber_jobs\{state="(\w+)"\} (\S+)$', text, re.M)
    }


def memory_mib(platform: Running) -> dict[str, float]:
    """Return what each process of the platform has resident."""
    found = dict[str, float]()
    supervisor = psutil.Process(platform.pid)
    for process in (supervisor, *supervisor.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            if resident := process.memory_info().rss:  # one that has ended and is not waited for has none
                found[what(process)] = found.get(what(process), 0.0) + resident / 2**20
    return found


def medians(looks: list[dict[str, float]]) -> dict[str, float]:
    """Return the median of each process over the looks at which it was there."""
    return {
        name: statistics.median(look[name] for look in looks if name in look) for name in sorted(set().union(*looks))
    }


def go(platform: Running, checkout: Path, source: Path, asked: argparse.Namespace, count: int) -> Way:
    """Send a folder, and wait until all of it is transcribed."""
    env = os.environ | {"TRANSCRIBER_DATA_DIR": str(platform.data_dir), "PYTHONPATH": str(checkout)}
    env["TRANSCRIBER_PORT"] = platform.url.rpartition(":")[2]
    options = ["--model", asked.model.name, "--language", asked.language]
    began, done_s, memory = time.monotonic(), dict[int, float](), dict[int, dict[str, float]]()
    marks = [max(1, round(share * count)) for share in MARKS]
    looks = list[dict[str, float]]()
    with (
        httpx.Client(base_url=platform.url, headers=platform.headers, timeout=60, trust_env=False) as http,
        subprocess.Popen(
            [sys.executable, "-m", "flows.cli", "batch", str(source), *options],
            env=env,
            cwd=checkout,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as sending,
    ):
        while True:
            ended = {
                state: number for state, number in states(http).items() if state in {"completed", "failed", "cancelled"}
            }
            looks.append(memory_mib(platform))
            while marks and sum(ended.values()) >= marks[0]:
                done_s[marks[0]], memory[marks[0]] = time.monotonic() - began, medians(looks)
                del looks[:-1]
                print(f"… {marks[0]} after {done_s[marks.pop(0)]:.0f} s", file=sys.stderr, flush=True)
            assert sending.poll() in {None, 0}
            if not marks:
                assert sending.wait(60) == 0
                return Way(done_s=done_s, memory_mib=memory, ended=ended)
            time.sleep(LOOK_EVERY_S)


def show(found: dict[str, Way], counts: dict[str, int], baseline: str) -> None:
    print("| | files | seconds | files a minute | completed | lost or failed |\n|---|---|---|---|---|---|")
    for side, way in found.items():
        count, completed = counts[side], way.ended.get("completed", 0)
        seconds = way.done_s[max(way.done_s)]
        print(
            f"| {side} | {count:,} | {seconds:.0f} | {60 * count / seconds:.0f} | {completed:,} | {count - completed} |"
        )
    if baseline:
        rates = [counts[side] / way.done_s[max(way.done_s)] for side, way in found.items()]
        print(f"\n{rates[0] / rates[1]:.2f} times as many files a minute (wanted: 2).")
    now = found["now"]
    print("\n### Memory, MiB, median since the column before\n")
    print("| process | " + " | ".join(f"to {mark:,} files" for mark in now.memory_mib) + " |")
    print("|---|" + "---|" * len(now.memory_mib))
    for name in sorted(set().union(*now.memory_mib.values())):
        print(f"| `{name}` | " + " | ".join(f"{each.get(name, 0):.0f}" for each in now.memory_mib.values()) + " |")


def main() -> None:
    parser = clip_arguments()
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--baseline", default=BASELINE, help="commit; empty: none")
    parser.add_argument("--baseline-files", type=int, default=200)
    asked = parser.parse_args()
    recordings, random, load_before = voices(asked.audio, asked.match), np.random.default_rng(7), os.getloadavg()[0]
    found, counts = dict[str, Way](), {"now": asked.files}
    counts |= {asked.baseline: asked.baseline_files} if asked.baseline else {}
    with tempfile.TemporaryDirectory() as name:
        for side, count in counts.items():
            folder = Path(name, side)
            checkout = REPO if side == "now" else checked_out(side, Path(name))
            shutil.copytree(asked.model, folder / "data" / "models" / asked.model.name)
            source = written(folder / "in", recordings, count, asked.seconds, random)
            with up(folder / "data", [], checkout=checkout, model=asked.model.name, settings=LIMITS) as platform:
                found[side] = go(platform, checkout, source, asked, count)
    print(f"## {asked.files:,} files of {asked.seconds} s through the whole way, model `{asked.model.name}`\n")
    show(found, counts, asked.baseline)
    print(f"\nLoad average {load_before:.1f} before. `python -m benchmarks many_files`.")


if __name__ == "__main__":
    main()
