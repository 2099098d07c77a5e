"""Start and idle memory of the whole platform, beside another checkout's in one run.

    python -m benchmarks.bench_idle [--model FOLDER] [--checkout FOLDER [--python FILE]] [--rounds 3]

Each round starts the checkouts in turns, with data of their own that an earlier start made, waits until the model is
loaded, and adds up what the processes have resident: RSS counts a shared page in each process, PSS once. But in PSS, a
page of a library that other programs use too is partly theirs; root also learns of all pages that the platform uses.
"""

import argparse
import array
import contextlib
import mmap
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.bench_latency import REPO, Running, up
from benchmarks.speech_material import TINY_MODEL

MB = 1e6
ENTRY_BYTES, PRESENT, FRAME = 8, 1 << 63, (1 << 55) - 1
USER_SPACE_END = 1 << 47
SETTLE_S = 20.0
"""The model counts as loaded when no process has grown for so long."""


@dataclass(kw_only=True)
class Side:
    """A checkout with its interpreter, and what its starts took."""

    name: str
    checkout: Path
    python: str
    data_dir: Path
    ready_s: list[float] = field(default_factory=list)
    processes: list[dict[str, tuple[float, float]]] = field(default_factory=list)
    pages_mb: list[float] = field(default_factory=list)

    def total_mb(self, kind: int) -> float:
        return statistics.median(sum(each[kind] for each in found.values()) for found in self.processes)


def what(process: psutil.Process) -> str:
    """Return which process of the platform it is."""
    words = [each.removeprefix("flows.") for each in process.cmdline()]
    after = words[words.index("-m") + 1 :] if "-m" in words else words
    pool = [words[words.index("--pool") + 1]] if "--pool" in words else []
    names = [each for each in after[:2] if each.replace("_", "").replace(".", "").isalpha()]
    return " ".join([*names, *pool])


def resident_mb(supervisor: psutil.Process) -> dict[str, tuple[float, float]]:
    """Return RSS and PSS of each process of the platform."""
    found: dict[str, tuple[float, float]] = {}
    for process in (supervisor, *supervisor.children(recursive=True)):
        try:
            memory, name = process.memory_full_info(), what(process)
        except psutil.NoSuchProcess:  # it has ended meanwhile, as a reader of one recording does
            continue
        found[name if name not in found else f"{name} {process.pid}"] = (memory.rss / MB, memory.pss / MB)
    return found


def distinct_pages_mb(supervisor: psutil.Process) -> float:
    """Return the memory of all pages that the platform uses, each counted once; 0 unless root asks.

    https://docs.kernel.org/admin-guide/mm/pagemap.html
    """
    frames: set[int] = set()
    for process in (supervisor, *supervisor.children(recursive=True)):
        with contextlib.suppress(OSError), Path(f"/proc/{process.pid}/pagemap").open("rb") as pages:
            for line in Path(f"/proc/{process.pid}/maps").read_text().splitlines():
                begin, end = (int(each, 16) for each in line.split()[0].split("-"))
                if end > USER_SPACE_END:
                    continue
                pages.seek(begin // mmap.PAGESIZE * ENTRY_BYTES)
                entries = array.array("Q", pages.read((end - begin) // mmap.PAGESIZE * ENTRY_BYTES))
                frames.update(entry & FRAME for entry in entries if entry & PRESENT and entry & FRAME)
    return len(frames) * mmap.PAGESIZE / MB


def settled(platform: Running) -> dict[str, tuple[float, float]]:
    """Wait until nothing grows any more."""
    supervisor = psutil.Process(platform.pid)
    most, since = 0.0, time.monotonic()
    while time.monotonic() - since < SETTLE_S:
        total = sum(rss for rss, _ in resident_mb(supervisor).values())
        if total > most + 2:
            most, since = total, time.monotonic()
        time.sleep(1)
    return resident_mb(supervisor)


def round_of(side: Side, model: str, *, counted: bool) -> None:
    with up(side.data_dir, [], checkout=side.checkout, model=model, python=side.python) as platform:
        found = settled(platform) if counted else {}
        pages_mb = distinct_pages_mb(psutil.Process(platform.pid)) if counted else 0.0
    if counted:
        side.pages_mb.append(pages_mb)
        side.ready_s.append(platform.ready_s)
        side.processes.append(found)


def rows_of_processes(side: Side) -> list[str]:
    """Return the processes of a side, largest first; those of the last round."""
    rows = [f"### Processes of {side.name}, last round, MB", "", "| process | RSS | PSS |", "|---|---|---|"]
    found = sorted(side.processes[-1].items(), key=lambda each: -each[1][1])
    return [*rows, *(f"| `{name}` | {rss:.0f} | {pss:.0f} |" for name, (rss, pss) in found), ""]


def table(sides: list[Side]) -> list[str]:
    """Return the sides, and each as a share of the last one."""
    rows = ["| | ready, s | of the other | RSS, MB | of the other | PSS, MB | of the other | processes |"]
    rows += ["|---|---|---|---|---|---|---|---|"]
    other = sides[-1]
    for side in sides:
        values = ((statistics.median(each.ready_s), each.total_mb(0), each.total_mb(1)) for each in (side, other))
        cells = [
            f"{ours:.{1 if n == 0 else 0}f} | {ours / its:.2f}"
            for n, (ours, its) in enumerate(zip(*values, strict=True))
        ]
        rows.append(f"| {side.name} | {' | '.join(cells)} | {len(side.processes[-1])} |")
    if other.pages_mb[-1]:
        counted = [statistics.median(side.pages_mb) for side in sides]
        told = ", ".join(f"{side.name} {pages_mb:.0f} MB" for side, pages_mb in zip(sides, counted, strict=True))
        rows += ["", f"Pages in use, each once: {told}; {counted[0] / counted[-1]:.3f} of the other."]
    return [*rows, ""]


def main() -> None:
    """Start the sides in turns and print their tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=TINY_MODEL)
    parser.add_argument("--checkout", type=Path, help="another checkout")
    parser.add_argument("--python", default=sys.executable, help="the interpreter of the other checkout")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="bench-idle-") as folder:
        sides = [Side(name="this checkout", checkout=REPO, python=sys.executable, data_dir=Path(folder, "ours"))]
        if given.checkout:
            name, path = git_name(given.checkout), given.checkout.absolute()
            sides.append(Side(name=name, checkout=path, python=given.python, data_dir=Path(folder, "its")))
        for number in range(given.rounds + 1):
            for side in sides:
                round_of(side, str(given.model.absolute()), counted=number > 0)
    rows = [f"## Start and idle memory, model `{given.model.name}`, medians of {given.rounds} rounds in turns", ""]
    rows += table(sides)
    for side in sides:
        rows += rows_of_processes(side)
    print("\n".join(rows))
    print(f"Load average {load:.1f} before, {os.getloadavg()[0]:.1f} after. `python -m benchmarks idle`.")


def git_name(checkout: Path) -> str:
    """Return the short name of the commit that a checkout stands on."""
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=checkout, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.strip()


if __name__ == "__main__":
    main()
