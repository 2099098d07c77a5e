"""The whole pipeline beside bare faster-whisper: same audio, model, device and settings, in turns within one run.

    python -m benchmarks.bench_engine [--model FOLDER] [--audio FOLDER] [--match GLOB] [--minutes 10] [--rounds 3]
        [--openai PYTHON WEIGHTS]

Each side runs in a process of its own, with the model loaded before the clock starts; the clock runs from the path
of the file to the last word (for the pipeline: to the subtitles as well, with all that it stores).

TRANSCRIBER_BENCH_MODEL and TRANSCRIBER_BENCH_AUDIO (see bench_words) add a second table, for that model. `--openai`, or
TRANSCRIBER_BENCH_OPENAI with both, adds openai-whisper to it: an interpreter that has it, and the same weights as it
loads them.
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

from benchmarks.bench_words import Material, material
from benchmarks.speech_material import Recording, assemble, peak_memory_mb, word_errors
from tasks.models import DEMO_MODEL

REPO = Path(__file__).parents[1]
BARE = "WhisperModel.transcribe, defaults"
SAME = "BatchedInferencePipeline, 4 threads, batch 8"
TWO = "BatchedInferencePipeline, 2 threads, batch 8"
WIDE = "BatchedInferencePipeline, 4 threads, batch 16"
OPENAI = "openai-whisper, 4 threads"
OURS = "pipeline"
PADDING = """
Bare faster-whisper pads every window to 30 s; the demo model was trained on 8 s and is given that by the pipeline. Most
of the distance comes from there, and models of Whisper's own length do not have it.
"""

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
    TWO: lambda model, audio: bare(model, audio, threads=2, batch=8),
    WIDE: lambda model, audio: bare(model, audio, threads=4, batch=16),
    OURS: pipeline,
}


OPENAI_SIDE = """
import json, re, sys, time
import soundfile, torch, whisper
torch.set_num_threads(4)
model = whisper.load_model(sys.argv[1], device="cpu")
sound, rate = soundfile.read(sys.argv[2], dtype="float32")
assert rate == 16000
started = time.perf_counter()
found = model.transcribe(sound, language="en", word_timestamps=True, beam_size=5, fp16=False)
seconds = time.perf_counter() - started
peak = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024
print(json.dumps({"seconds": seconds, "text": found["text"], "peak_mb": peak}))
"""


def one_side(side: str, model: Path, audio: Path) -> None:
    """Run one side in this process and print what it took."""
    seconds, text = SIDES[side](model, audio)
    peak_mb = peak_memory_mb()
    print(json.dumps({"seconds": seconds, "text": text, "peak_mb": peak_mb}))


def measured(
    model: Path, recording: Recording, rounds: int, *, without: list[str], openai: list[str] | None
) -> dict[str, list[dict[str, Any]]]:
    """Run all sides in turns, each in a process of its own."""
    what = ["--model", str(model), "--audio", str(recording.path)]
    commands = {side: [sys.executable, "-m", "benchmarks.bench_engine", "--side", side, *what] for side in SIDES}
    commands = {side: command for side, command in commands.items() if side not in without}
    if openai:
        python, weights = openai
        commands[OPENAI] = [python, "-c", OPENAI_SIDE, weights, str(recording.path)]
    found: dict[str, list[dict[str, Any]]] = {side: [] for side in commands}
    for number in range(rounds):
        for side, command in commands.items():
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
    if model == DEMO_MODEL:
        rows.append(PADDING)
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=DEMO_MODEL)
    parser.add_argument("--audio", type=Path, default=REPO / "demo" / "speech", help="folder of clips with their text")
    parser.add_argument("--match", default="*", help="which clips of the folder, such as '*en*'")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--openai", nargs=2, metavar=("PYTHON", "WEIGHTS"), default=None)
    parser.add_argument("--without", action="append", choices=list(SIDES), default=[], help="leave this side out")
    parser.add_argument("--side", choices=list(SIDES), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        one_side(given.side, given.model, given.audio)
        return
    more = list(material())[1:] if given.model == DEMO_MODEL else []
    openai = given.openai or os.environ.get("TRANSCRIBER_BENCH_OPENAI", "").split() or None
    every = [Material(name="", model=given.model, folder=given.audio, match=given.match), *more]
    with tempfile.TemporaryDirectory() as folder:
        for each in every:
            recording = assemble(each.folder, each.match, given.minutes, Path(folder) / "speech.wav")
            beside = openai if each.model != DEMO_MODEL else None  # its weights are of the other model
            found = measured(each.model, recording, given.rounds, without=given.without, openai=beside)
            print(table(found, recording, each.model, given.rounds))
            print()


if __name__ == "__main__":
    main()
