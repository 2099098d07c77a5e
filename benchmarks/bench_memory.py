"""Memory of decoding, finding speech and cutting, by length: it must not grow.

    python -m benchmarks.bench_memory [--audio FOLDER] [--match GLOB] [--minutes 10 120] [--silence-hours 10]
        [--heard-minutes 10 60] [--model FOLDER]

Each length is read in a process of its own; the peak is the process's whole, with its libraries, and that of the
child that decodes for it. The second table is the whole way through an engine, and what it takes beside the model.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import soundfile

from benchmarks.speech_material import TINY_MODEL, TINY_SPEECH, assemble, peak_memory_mb

REPO = Path(__file__).parents[1]


def read(audio: Path) -> None:
    """Ingest one recording in this process and print what it took."""
    from storage.domain.records import Options
    from storage.files.file_store import Files
    from tasks.audio.ingest import ingest

    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        with decoders_peak_mb() as decoder_mb:
            plan = ingest(audio, name=audio.name, files=Files(folder), options=Options())
        seconds = time.perf_counter() - started
    peak_mb = peak_memory_mb() + max(decoder_mb, default=0.0)
    told = {"seconds": seconds, "peak_mb": peak_mb, "spans": len(plan.spans), "duration_s": plan.duration_s}
    print(json.dumps(told))


@contextmanager
def decoders_peak_mb() -> Iterator[list[float]]:
    """Collect what the processes that decode for this one have had resident at most."""
    seen: list[float] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            for child in psutil.Process().children():
                with suppress(psutil.Error, OSError, TypeError):
                    seen.append(peak_memory_mb(child.pid))

    watcher = threading.Thread(target=look)
    watcher.start()
    yield seen
    over.set()
    watcher.join()


def hear(audio: Path, model: Path) -> None:
    """Transcribe one recording in this process and print what it took beside the model."""
    from storage.domain.records import Options
    from storage.domain.settings import EngineSettings
    from storage.files.file_store import Files
    from tasks.asr.engine import Engine
    from tasks.models.catalogue import Resolved, fingerprint
    from tasks.pipeline import transcribe_file

    resolved = Resolved(name="bench", path=model, fingerprint=fingerprint(model))
    settings, options = EngineSettings(device="cpu"), Options(language="en")
    with Engine.from_settings(resolved, settings) as engine, tempfile.TemporaryDirectory() as folder:
        loaded_mb, started = peak_memory_mb(), time.perf_counter()
        with decoders_peak_mb() as decoder_mb:
            found = transcribe_file(audio, engine=engine, files=Files(folder), options=options)
        seconds = time.perf_counter() - started
    told = {"seconds": seconds, "peak_mb": peak_memory_mb(), "loaded_mb": loaded_mb}
    print(json.dumps(told | {"decoder_mb": max(decoder_mb, default=0.0), "duration_s": found.duration_s}))


def measured(way: str, audio: Path, *more: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.bench_memory", way, str(audio), *more]
    done = subprocess.run(command, cwd=REPO, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def quiet(path: Path, hours: float) -> Path:
    """Write hours of a faint tone at 8 kHz, an hour at a time."""
    hour = (0.001 * np.sin(np.arange(8000 * 3600) * 0.3)).astype(np.float32)
    with soundfile.SoundFile(path, "w", 8000, 1, "PCM_16", format="RF64") as out:
        for _ in range(int(hours)):
            out.write(hour)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--audio", type=Path, default=TINY_SPEECH, help="folder of clips")
    parser.add_argument("--match", default="*")
    parser.add_argument("--minutes", type=float, nargs="+", default=[10, 120])
    parser.add_argument("--silence-hours", type=float, default=10, help="also so many hours without speech; 0: none")
    parser.add_argument("--heard-minutes", type=float, nargs="*", default=[10, 60], help="through an engine")
    parser.add_argument("--model", type=Path, default=TINY_MODEL)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--hear", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.read:
        read(given.read)
        return
    if given.hear:
        hear(given.hear, given.model)
        return
    rows = ["### Decoding, speech finding, cutting and storing spans", ""]
    rows += ["| recording | peak MB | seconds | times real time | spans |", "|---|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder:
        sounds = {}
        for minutes in given.minutes:
            path = Path(folder) / f"{minutes:g}.wav"
            sounds[f"{minutes:g} minutes of speech"] = assemble(given.audio, given.match, minutes, path).path
        if given.silence_hours:
            sounds[f"{given.silence_hours:g} hours of a faint tone, 8 kHz"] = quiet(
                Path(folder) / "quiet.wav", given.silence_hours
            )
        for name, path in sounds.items():
            found = measured("--read", path)
            speed = found["duration_s"] / found["seconds"]
            rows.append(
                f"| {name} | {found['peak_mb']:.0f} | {found['seconds']:.1f} | {speed:.0f} | {found['spans']} |"
            )
        rows += heard_rows(given, Path(folder) / "heard.wav")
    print("\n".join(rows))


def heard_rows(given: argparse.Namespace, path: Path) -> list[str]:
    rows = ["", f"### The whole way through an engine, model `{given.model.name}`", ""]
    rows += ["| recording | with the model, MB | peak MB | beside the model | its decoder | times real time |"]
    rows += ["|---|---|---|---|---|---|"]
    for minutes in given.heard_minutes:
        assemble(given.audio, given.match, minutes, path)
        found = measured("--hear", path, "--model", str(given.model))
        loaded_mb, peak_mb = found["loaded_mb"], found["peak_mb"]
        rows.append(
            f"| {minutes:g} minutes | {loaded_mb:.0f} | {peak_mb:.0f} | {peak_mb - loaded_mb:.0f} |"
            f" {found['decoder_mb']:.0f} | {found['duration_s'] / found['seconds']:.0f} |"
        )
    return rows


if __name__ == "__main__":
    main()
