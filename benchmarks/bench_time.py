"""Word times of a long recording against the known ones: how far off, and whether they drift.

    python -m benchmarks.bench_time [--hours 3]

The tiny model on its own voices, whose word times come from the synthesisers that spoke them.
"""

import argparse
import statistics
import tempfile
from bisect import bisect_left
from pathlib import Path

from benchmarks.speech_material import TINY_MODEL, TINY_SPEECH, Recording, assemble, word_errors, words_in
from storage.domain.records import Options, Transcript
from storage.domain.settings import EngineSettings
from storage.files.file_store import Files
from tasks.asr.engine import Engine
from tasks.models.catalogue import Resolved, fingerprint
from tasks.pipeline import transcribe_file

LOOKED_FOR_S = 2.0  # a heard word is looked for this far around its said time; further off counts as not found
HOUR_S = 3600.0


def errors_s(recording: Recording, found: Transcript) -> list[tuple[float, float]]:
    """Return for each word that was found: when it was said, and how much later it is placed."""
    heard = sorted((word.start_s, word.text) for segment in found.segments for word in segment.words)
    result = []
    for text, said_s, _ in recording.words:
        first = bisect_left(heard, (said_s - LOOKED_FOR_S, ""))
        last = bisect_left(heard, (said_s + LOOKED_FOR_S, ""))
        offsets = [at_s - said_s for at_s, word in heard[first:last] if words_in(word) == words_in(text)]
        if offsets:
            result.append((said_s, min(offsets, key=abs)))
    return result


def row(name: str, errors: list[float], of: int) -> str:
    sizes = sorted(map(abs, errors))
    late_s = sizes[int(0.95 * (len(sizes) - 1))]
    offset_s = statistics.median(errors)
    return (
        f"| {name} | {len(errors)} of {of} | {1000 * statistics.median(sizes):.0f} | {1000 * late_s:.0f} |"
        f" {1000 * offset_s:+.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=3.0)
    given = parser.parse_args()
    resolved = Resolved(name=TINY_MODEL.name, path=TINY_MODEL, fingerprint=fingerprint(TINY_MODEL))
    with (
        Engine.from_settings(resolved, EngineSettings(device="cpu")) as engine,
        tempfile.TemporaryDirectory() as folder,
    ):
        path = Path(folder) / "speech.wav"
        recording = assemble(TINY_SPEECH, "*", given.hours * 60, path)
        found = transcribe_file(path, engine=engine, files=Files(folder), options=Options(language="en"))
    errors = errors_s(recording, found)
    last_s = recording.duration_s - HOUR_S
    parts = {"whole recording": (0.0, recording.duration_s)}
    if given.hours > 1:
        parts |= {"first hour": (0.0, HOUR_S), "last hour": (last_s, recording.duration_s)}
    wrong = word_errors(recording.text, found.text)
    rows = [f"### Word starts, {given.hours:g} hours, tiny model on its own voices ({wrong:.1f}% word errors)", ""]
    rows += ["| | words found | median error, ms | 95%, ms | median offset, ms |", "|---|---|---|---|---|"]
    for name, (start_s, end_s) in parts.items():
        here = [error for said_s, error in errors if start_s <= said_s < end_s]
        rows.append(row(name, here, sum(start_s <= said_s < end_s for _, said_s, _ in recording.words)))
    print("\n".join(rows))


if __name__ == "__main__":
    main()
