"""Run benchmarks and write their tables into benchmarks/README.md: all of them, or those named.

Each module is run as a process of its own (`python -m benchmarks.bench_NAME`) and prints Markdown; the part of the
README between `<!-- NAME -->` and `<!-- /NAME -->` is replaced by what it printed, under the machine it ran on. What
follows `--` goes to the modules: `python -m benchmarks speech -- --kinds all`. Options without `--` only try something
out: `python -m benchmarks speech --kinds own` prints what one module measures, and the README stays as it is.
"""

import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import psutil

from tasks.models.devices import cuda_count

HERE = Path(__file__).parent
README = HERE / "README.md"
WANTED = dict.fromkeys(
    ("speech", "first_words", "short_clips", "clip_batch", "many_files", "alignment"),
    ("TRANSCRIBER_BENCH_MODEL", "TRANSCRIBER_BENCH_AUDIO"),
)
"""Folders: of a model that CTranslate2 loads, and of clips with their text."""
BY_NAME = {"batch", "chaos", "manifest", "many_files"}
"""Those that take hours run only if they are named."""


def machine() -> str:
    """Return the processor, its cores and the memory, in one line."""
    cpuinfo = Path("/proc/cpuinfo")
    names = re.findall(r"^model name\s*: (.+)$", cpuinfo.read_text(), re.MULTILINE) if cpuinfo.exists() else []
    memory_gib = psutil.virtual_memory().total / 2**30
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores, {memory_gib:.0f} GiB"


def with_part(text: str, name: str, part: str) -> str:
    """Return the README with the part of one benchmark replaced, or appended if it is new."""
    block = f"<!-- {name} -->\n{part.strip()}\n<!-- /{name} -->"
    pattern = re.compile(rf"<!-- {name} -->.*?<!-- /{name} -->", re.DOTALL)
    if pattern.search(text):
        return pattern.sub(lambda _: block, text)
    return f"{text.rstrip()}\n\n{block}\n"


def able() -> list[str]:
    """Return all benchmarks but those that want what is not here, and say which."""
    found = []
    for name in sorted({path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py")} - BY_NAME):
        missing = [each for each in WANTED.get(name, ()) if each not in os.environ]
        if name == "gpu" and not cuda_count():
            missing = ["a GPU"]
        if name == "schema" and find_spec("schemathesis") is None:
            missing = ["schemathesis: uv run --with schemathesis …"]
        if missing:
            print(f"left out: {name} wants {' and '.join(missing)}", file=sys.stderr)
        else:
            found.append(name)
    return found


def main() -> int:
    """Run what was asked for; a benchmark that fails leaves its old table and the exit status says so."""
    asked, more = sys.argv[1:], []
    options = next((place for place, each in enumerate(asked) if each.startswith("-")), None)
    if options == 1 and asked[1] != "--":
        return subprocess.run(
            [sys.executable, "-m", f"benchmarks.bench_{asked[0]}", *asked[1:]], check=False
        ).returncode
    if "--" in asked:
        asked, more = asked[: asked.index("--")], asked[asked.index("--") + 1 :]
    names = asked or able()
    failed = []
    for name in names:
        print(f"… {name}", file=sys.stderr)
        command = [sys.executable, "-m", f"benchmarks.bench_{name}", *more]
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            failed.append(name)
            continue
        stamp = f"*{machine()}; {datetime.now(UTC):%Y-%m-%d}*"
        README.write_text(with_part(README.read_text(), name, f"{done.stdout.strip()}\n\n{stamp}"))
    if failed:
        print("failed: " + ", ".join(failed), file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
