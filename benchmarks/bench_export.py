"""Files of a long transcript: seconds and memory of each format, from the stored transcript.

    python -m benchmarks.bench_export [--hours 6]

The transcript is made up, with words of usual lengths at a usual pace. Each file is made in a process of its own; the
memory is what making it added to the peak of a process that holds the transcript and the libraries. Nothing here
waits, so the time is that of the processor, which other work on the machine hardly changes.
"""

import argparse
import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.speech_material import peak_memory_mb
from storage.domain.records import CueLimits, ExportFormat, Options, Segment, Transcript, Word
from tasks.exports.writers import export

REPO = Path(__file__).parents[1]
CASES: dict[str, tuple[ExportFormat, CueLimits]] = {
    **{fmt.value: (fmt, CueLimits()) for fmt in ExportFormat},
    "srt, words highlighted": (ExportFormat.SRT, CueLimits(highlight_words=True)),
    "srt, 8 characters, 1 line": (ExportFormat.SRT, CueLimits(max_line_width=8, max_line_count=1)),
    "srt, 200 characters, 6 lines, 60 s": (
        ExportFormat.SRT,
        CueLimits(max_line_width=200, max_line_count=6, max_duration_s=60.0, max_chars_per_s=5.0),
    ),
}


def long_talk(hours: float) -> Transcript:
    """Return so many hours of made-up talk."""
    dice = random.Random(6)  # noqa: S311
    known = ["".join(dice.choices("etaoinshrdlu", k=min(14, max(1, round(dice.gauss(4.6, 2.4)))))) for _ in range(3000)]
    segments: list[Segment] = []
    now = 0.0
    while now < 3600 * hours:
        words: list[Word] = []
        for place in range(length := dice.randint(4, 22)):
            text = f" {dice.choice(known)}{dice.choice('.,?') if place == length - 1 else ''}"
            end_s = now + dice.uniform(0.1, 0.45)
            words.append(Word(start_s=now, end_s=end_s, text=text, probability=0.9))
            now = end_s + dice.choice((0.0, 0.0, 0.02, 0.1))
        told = "".join(word.text for word in words)
        segments.append(Segment(start_s=words[0].start_s, end_s=words[-1].end_s, text=told, words=tuple(words)))
        now += dice.choice((0.0, 0.1, 0.3, 0.5))
    facts: dict[str, Any] = {"language": "en", "language_probability": 0.9, "model": "m", "engine": "e"}
    return Transcript(
        job_id="0",
        media_sha256="0" * 64,
        name="long.mp3",
        duration_s=now,
        speech_s=now,
        fingerprint="f",
        options=Options(),
        segments=tuple(segments),
        **facts,
    )


def make(case: str, hours: float) -> None:
    """Make one file in this process and print what it took."""
    fmt, limits = CASES[case]
    export(long_talk(0.05), fmt, limits=limits)  # the libraries are there before the clock runs
    talk = long_talk(hours)
    before_mb = peak_memory_mb()
    started = time.process_time()
    body = export(talk, fmt, limits=limits)
    told = {"seconds": time.process_time() - started, "bytes": len(body), "added_mb": peak_memory_mb() - before_mb}
    print(json.dumps(told | {"words": sum(len(segment.words) for segment in talk.segments)}))


def measured(case: str, hours: float) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.bench_export", "--make", case, "--hours", str(hours)]
    done = subprocess.run(command, cwd=REPO, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=6)
    parser.add_argument("--make", choices=CASES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.make:
        make(given.make, given.hours)
        return
    found = {case: measured(case, given.hours) for case in CASES}
    words = next(iter(found.values()))["words"]
    rows = [f"### Files of a {given.hours:g}-hour transcript ({words:,} words), from what is stored", ""]
    rows += ["| file | CPU seconds | added to peak MB | file, kB |", "|---|---|---|---|"]
    rows += [
        f"| {case} | {one['seconds']:.2f} | {one['added_mb']:.0f} | {one['bytes'] / 1000:,.0f} |"
        for case, one in found.items()
    ]
    print("\n".join(rows))


if __name__ == "__main__":
    main()
