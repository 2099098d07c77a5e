"""The whole pipeline beside bare faster-whisper: same audio, model, device and settings, in turns within one run.

    python -m benchmarks.bench_engine [--model FOLDER] [--audio FOLDER] [--match GLOB] [--minutes 10] [--rounds 3]

Each side runs in a process of its own, with the model loaded before the clock starts; the clock runs from the path
of the file to the last word (for the pipeline: to the subtitles as well, with all that it stores).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.speech_material import Recording, assemble, peak_memory_mb, word_errors
from tasks.models import DEMO_MODEL

REPO = Path(__file__).parents[1]
BARE = "WhisperModel.transcribe, defaults"
SAME = "BatchedInferencePipeline, 4 threads, batch 8"
BEST = "BatchedInferencePipeline, 2 threads, batch 8"
OURS = "pipeline"

Heard = tuple[float, str]  # seconds, text


def bare(model: Path, audio: Path, *, threads: int, batch: int) -> Heard:
    """Transcribe with faster-whisper alone: its defaults, with words, as a batch where one is asked for."""
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    loaded = WhisperModel(str(model), device="cpu", compute_type="int8", cpu_threads=threads)
    loaded.transcribe(str(REPO / "demo" / "sample.flac"))
    listener: Any = BatchedInferencePipeline(loaded) if batch else loaded
    more = {"batch_size": batch} if batch else {}
    started = time.perf_counter()
    segments, _ = listener.transcribe(str(audio), word_timestamps=True, language="en", **more)
    text = " ".join(segment.text.strip() for segment in segments)
    return time.perf_counter() - started, text


def pipeline(model: Path, audio: Path) -> Heard:
    """Transcribe with our own settings, from the file to the subtitles."""
    from storage.files import Files
    from storage.records import Options
    from storage.settings import EngineSettings
    from tasks.engine import Engine
    from tasks.export import export
    from tasks.models import Resolved, fingerprint
    from tasks.transcribe import transcribe_file

    settings = EngineSettings(device="cpu")
    resolved = Resolved(name="bench", path=model, fingerprint=fingerprint(model))
    with Engine.by_settings(resolved, settings) as engine, tempfile.TemporaryDirectory() as folder:
        files = Files(folder)
        transcribe_file(REPO / "demo" / "sample.flac", engine=engine, files=files, options=Options(beam_size=1))
        started = time.perf_counter()
        found = transcribe_file(audio, engine=engine, files=files, options=Options(language="en"))
        export(found, "srt")
        return time.perf_counter() - started, found.text


SIDES: dict[str, Callable[[Path, Path], Heard]] = {
    BARE: lambda model, audio: bare(model, audio, threads=0, batch=0),
    SAME: lambda model, audio: bare(model, audio, threads=4, batch=8),
    BEST: lambda model, audio: bare(model, audio, threads=2, batch=8),
    OURS: pipeline,
}


def one_side(side: str, model: Path, audio: Path) -> None:
    """Run one side in this process and print what it took."""
    seconds, text = SIDES[side](model, audio)
    peak_mb = peak_memory_mb()
    print(json.dumps({"seconds": seconds, "text": text, "peak_mb": peak_mb}))


def measured(model: Path, recording: Recording, rounds: int) -> dict[str, list[dict[str, Any]]]:
    """Run all sides in turns, each in a process of its own."""
    found: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    for number in range(rounds):
        for side in SIDES:
            command = [sys.executable, "-m", "benchmarks.bench_engine", "--side", side]
            command += ["--model", str(model), "--audio", str(recording.path)]
            done = subprocess.run(command, cwd=REPO, stdout=subprocess.PIPE, text=True, check=True)
            found[side].append(json.loads(done.stdout.splitlines()[-1]))
            print(f"round {number + 1}: {side}: {found[side][-1]['seconds']:.1f} s", file=sys.stderr)
    return found


def table(found: dict[str, list[dict[str, Any]]], recording: Recording, model: Path, rounds: int) -> str:
    """Return the medians as Markdown; the ratio is that of each side's time to the pipeline's."""
    ours_s = statistics.median(run["seconds"] for run in found[OURS])
    what = f"{recording.duration_s / 60:.0f} minutes of speech, model `{model.name}`, int8, words"
    rows = [
        f"### Pipeline beside bare faster-whisper ({what}, median of {rounds}, load {os.getloadavg()[0]:.1f})",
        "",
        "| | seconds | times real time | side / pipeline | word errors, % | peak MB |",
        "|---|---|---|---|---|---|",
    ]
    for side, runs in found.items():
        seconds = statistics.median(run["seconds"] for run in runs)
        errors = f"{word_errors(recording.text, runs[-1]['text']):.1f}" if recording.text else "-"
        peak_mb = statistics.median(run["peak_mb"] for run in runs)
        speed = recording.duration_s / seconds
        rows.append(f"| {side} | {seconds:.1f} | {speed:.1f} | {seconds / ours_s:.2f} | {errors} | {peak_mb:.0f} |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=DEMO_MODEL)
    parser.add_argument("--audio", type=Path, default=REPO / "demo" / "speech", help="folder of clips with their text")
    parser.add_argument("--match", default="*", help="which clips of the folder, such as '*en*'")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", choices=list(SIDES), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        one_side(given.side, given.model, given.audio)
        return
    with tempfile.TemporaryDirectory() as folder:
        recording = assemble(given.audio, given.match, given.minutes, Path(folder) / "speech.wav")
        print(table(measured(given.model, recording, given.rounds), recording, given.model, given.rounds))


if __name__ == "__main__":
    main()
