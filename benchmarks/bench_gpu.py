"""Our engine beside faster-whisper's batched pipeline on one GPU, and where the time goes, within eight minutes.

    python -m benchmarks gpu [--model FOLDER --speech FOLDER] [--budget-s 480] [--device cpu --quick]

Models: `base` from its folder (without one it is left out) and the shape of large-v3 with made-up weights (see
`made_model.py`). The made one never ends by itself: for both sides alike, each window is given three tokens for each
of its seconds, whatever was asked for, and ours hears nothing of it again. Each model, compute type and number of
workers is a process of its own, in which both sides use the same loaded model; the most telling come first, and what
is not measured when the time is up is left out. Seconds by part are summed over threads.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.gpu_timing import PARTS, GpuMemory, Timing, watch
from benchmarks.made_model import SHAPES, write_model
from benchmarks.speech_kinds import clips_in, make
from benchmarks.speech_material import TINY_SPEECH, assemble

REPO = Path(__file__).parents[1]
LARGE, BASE = "large-v3, made weights", "base"
OURS, BATCHED = "ours", "batched"
TYPES = ("float16", "int8_float16")
BATCHES = (16, 32, 64, 8)
MINUTES = {LARGE: 5.0, BASE: 20.0}
WARM_MINUTES = 0.5

Found = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What one process measures."""

    called: str
    model: str
    audio: str
    warm: str
    device: str
    compute_type: str
    workers: int
    batches: tuple[int, ...]
    made_width: int = 0


class Sides:
    """Both sides with one loaded model, watched."""

    def __init__(self, setup: Setup) -> None:
        from tasks.asr.engine import Engine
        from tasks.models.catalogue import Resolved, fingerprint

        self.setup, self.timing = setup, Timing()
        self.memory = GpuMemory(int(setup.device.partition(":")[2] or 0))
        watch(self.timing, made_width=setup.made_width)
        if setup.made_width:
            never_in_doubt()
        path = Path(setup.model)
        self.engine = Engine.loaded(
            Resolved(name=setup.called, path=path, fingerprint=fingerprint(path)),
            device=setup.device,
            compute_type=setup.compute_type,
            num_workers=setup.workers,
            batch_size=setup.batches[0],
        )

    def ours(self, audio: str, batch: int) -> Found:
        from storage.domain.records import Options
        from storage.files.file_store import Files
        from tasks.pipeline import transcribe_file

        self.engine.restore(replace(self.engine.plan, batch_size=batch))
        with tempfile.TemporaryDirectory() as store:
            options = Options(language="en")
            found = transcribe_file(Path(audio), engine=self.engine, files=Files(store), options=options)
        told: Found = {"duration_s": found.duration_s, "reheard": len(found.reheard), "given_up": found.given_up}
        told["doubts"] = [doubt for each in found.reheard for doubt in each.doubts]
        return told | {"words": len(found.text.split())}

    def batched(self, audio: str, batch: int) -> Found:
        from faster_whisper import BatchedInferencePipeline

        listener = BatchedInferencePipeline(self.engine.model)
        segments, info = listener.transcribe(audio, batch_size=batch, language="en", word_timestamps=True)
        return {"words": sum(len(segment.text.split()) for segment in segments), "duration_s": info.duration}

    def measured(self, side: str, batch: int) -> Found:
        """Return what one run took."""
        self.timing.begin()
        self.memory.begin()
        started, used = time.perf_counter(), time.process_time()
        found = {OURS: self.ours, BATCHED: self.batched}[side](self.setup.audio, batch)
        return found | {
            "side": side,
            "batch": batch,
            "wall_s": time.perf_counter() - started,
            "cpu_s": time.process_time() - used,
            "gpu_mb": self.memory.most_mb(),
            "gpu": self.memory.name(),
            "parts": dict(self.timing.seconds),
            "windows": dict(self.timing.windows),
        }


def never_in_doubt() -> None:
    """Have our engine hear nothing again: a made text never fits the sound, and would be doubted everywhere."""
    from tasks import pipeline  # noqa: F401 - the second imports all that asks the first
    from tasks.asr import confidence

    for module in [each for name, each in sys.modules.items() if name.startswith("tasks.")]:
        if getattr(module, "doubts", None) is confidence.doubts and module is not confidence:
            module.doubts = lambda *_given, **_named: ()  # type: ignore[attr-defined]


def child(setup: Setup) -> None:
    """Measure in this process, and print each run as soon as it is done; a batch too large is told as such."""
    sides = Sides(setup)
    known = {"model": setup.called, "type": setup.compute_type, "workers": setup.workers}
    sides.ours(setup.warm, setup.batches[0])
    sides.batched(setup.warm, setup.batches[0])
    for batch in setup.batches:
        for side in (OURS, BATCHED) if setup.workers == 1 else (OURS,):
            try:
                found = sides.measured(side, batch)
            except RuntimeError as error:
                found = {"side": side, "batch": batch, "error": str(error)[:200]}
            print(json.dumps(known | found), flush=True)


def setups(given: argparse.Namespace, folder: Path) -> Iterator[Setup]:
    """Write the models and recordings and yield what is to be measured, the most telling first."""
    quick = given.quick
    made = "tiny" if quick else "large-v3"
    models = {(LARGE if not quick else "tiny, made weights"): (str(folder / made), SHAPES[made].width)}
    write_model(folder / made, SHAPES[made])
    if given.model:
        models[BASE] = (str(given.model.resolve()), 0)
    warm = recording(given, folder / "warm.wav", WARM_MINUTES)
    sounds = {name: recording(given, folder / f"{len(name)}.wav", 1 if quick else MINUTES[name]) for name in models}
    types = given.types.split(",") if given.types else ["int8"] if given.device == "cpu" else list(TYPES)
    batches = (4,) if quick else BATCHES
    for workers, kind in [(1, each) for each in types] + [(2, each) for each in types]:
        for name, (path, width) in models.items():
            yield Setup(
                called=name,
                model=path,
                audio=sounds[name],
                warm=warm,
                device=given.device,
                compute_type=kind,
                workers=workers,
                batches=batches,
                made_width=width,
            )


def recording(given: argparse.Namespace, target: Path, minutes: float) -> str:
    """Write speech of some minutes: the clips that were given, else the project's own voices."""
    if given.speech:
        return str(make(target, clips_in(given.speech, "en"), "level", minutes=minutes).path)
    return str(assemble(TINY_SPEECH, "*", minutes, target).path)


def within(setup: Setup, left_s: float) -> Iterator[Found]:
    """Yield what a process measures until the time is up, when it is killed."""
    command = [sys.executable, "-m", "benchmarks.bench_gpu", "--setup", json.dumps(as_json(setup))]
    with subprocess.Popen(command, cwd=REPO, stdout=subprocess.PIPE, text=True) as process:
        timer = subprocess.Popen(["sleep", str(max(1.0, left_s))])
        try:
            yield from _lines(process, timer)
        finally:
            process.kill()
            timer.kill()
            timer.wait()


def _lines(process: "subprocess.Popen[str]", timer: "subprocess.Popen[bytes]") -> Iterator[Found]:
    import selectors

    assert process.stdout is not None
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdout, selectors.EVENT_READ)
        while timer.poll() is None:
            if ready.select(timeout=0.5):
                line = process.stdout.readline()
                if not line:
                    return
                yield json.loads(line)


def as_json(setup: Setup) -> Found:
    return {name: getattr(setup, name) for name in Setup.__dataclass_fields__}


def tables(found: Sequence[Found], given: argparse.Namespace, note: str) -> str:
    """Return what was measured as Markdown."""
    device = next((each["gpu"] for each in found if each.get("gpu")), given.device)
    rows = [f"### {device}: ours beside the batched pipeline ({note})", ""]
    rows += [
        "| model, type, workers, batch | ours, times real time | batched | ours / batched | GPU MB, ours / batched |"
    ]
    rows[-1] += " windows decoded, ours / batched | second hearings |"
    rows += ["|" + "---|" * 7]
    for key in dict.fromkeys(map(place, found)):
        here = {each["side"]: each for each in found if place(each) == key}
        ours, batched = here.get(OURS, {}), here.get(BATCHED, {})
        speeds = [each["duration_s"] / each["wall_s"] if "wall_s" in each else None for each in (ours, batched)]
        ratio = f"{speeds[0] / speeds[1]:.2f}" if speeds[0] and speeds[1] else "–"
        memory = " / ".join("–" if not each.get("gpu_mb") else f"{each['gpu_mb']:.0f}" for each in (ours, batched))
        decoded = " / ".join(str(each.get("windows", {}).get("generate", "–")) for each in (ours, batched))
        told = [cell(speed, each) for speed, each in zip(speeds, (ours, batched), strict=True)]
        rows.append(f"| {key} | {' | '.join(told)} | {ratio} | {memory} | {decoded} | {ours.get('reheard', '–')} |")
    rows += ["", "### Where the seconds go (summed over threads)", ""]
    rows += [
        f"| model, type, workers, batch: side | wall | processor | {' | '.join(PARTS)} |",
        "|" + "---|" * (len(PARTS) + 3),
    ]
    for each in found:
        if "parts" in each:
            parts = " | ".join(f"{each['parts'].get(part, 0.0):.2f}" for part in PARTS)
            rows.append(f"| {place(each)}: {each['side']} | {each['wall_s']:.2f} | {each['cpu_s']:.2f} | {parts} |")
    return "\n".join(rows)


def cell(speed: float | None, each: Found) -> str:
    return f"{speed:.1f}" if speed else each.get("error", "–")


def place(each: Found) -> str:
    return f"{each['model']}, {each['type']}, {each['workers']}, {each['batch']}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    set_model, set_speech = (os.environ.get(f"TRANSCRIBER_BENCH_{name}") for name in ("MODEL", "AUDIO"))
    parser.add_argument("--model", type=Path, default=set_model, help="folder of base")
    parser.add_argument(
        "--speech", type=Path, default=set_speech, help="folder of clips; default: the project's voices"
    )
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--types", default="", help=f"by commas; default: {','.join(TYPES)}, int8 on a CPU")
    parser.add_argument("--quick", action="store_true", help="a small made model, a minute, one size of batch")
    parser.add_argument("--budget-s", type=float, default=480.0)
    parser.add_argument("--out", type=Path, help="file for the results as JSON")
    parser.add_argument("--setup", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.setup:
        told = json.loads(given.setup)
        child(Setup(**(told | {"batches": tuple(told["batches"])})))
        return
    end = time.monotonic() + given.budget_s - 5.0  # to end what runs, and to print
    found: list[Found] = []
    left_out: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for setup in setups(given, Path(folder)):
            called = f"{setup.called}, {setup.compute_type}, {setup.workers}"
            if time.monotonic() > end:
                left_out.append(called)
                continue
            before = len(found)
            for each in within(setup, end - time.monotonic()):
                found.append(each)
                print(f"{place(each)}: {each['side']} {each.get('wall_s', 0):.2f} s", file=sys.stderr, flush=True)
                if given.out:
                    given.out.write_text(json.dumps(found, indent=1))
            if len(found) < before + len(setup.batches) * (3 - setup.workers):
                left_out.append(f"some of {called}")
    note = f"{len(found)} runs; not measured: {'; '.join(left_out) or 'nothing'}"
    print(tables(found, given, note))


if __name__ == "__main__":
    main()
