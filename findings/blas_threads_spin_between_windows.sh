#!/usr/bin/env bash
# Guess: faster-whisper's features (one matrix product for each window) cost what they cost, and a program that does
#   everything else on one thread uses one core.
# What happens: NumPy's OpenBLAS starts a thread for every core at that product, and its threads spin for tens of
#   milliseconds after it. Windows of 10 s come about every 70 ms on one core: the second core never sleeps, and the
#   program takes nearly twice the processor time for the same work. With threadpoolctl's limit of one BLAS thread it
#   takes once. Seen in a transcriber with CTranslate2 at cpu_threads=1, whose own work is played here by a loop.
# Versions: faster-whisper 1.2.1, numpy 2.4.6, threadpoolctl 3.8.0; Linux x86_64, two cores and more
# Date: 2026-11-28
# Source: measured here; OpenBLAS documents the time-out of its threads (THREAD_TIMEOUT in Makefile.rule)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
[ "$(nproc)" -ge 2 ] || { echo "one core alone: nothing to see"; exit 0; }
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check faster-whisper==1.2.1 numpy==2.4.6 threadpoolctl==3.8.0
cat >"$folder/measure.py" <<'PYTHON'
import sys
import time

import numpy
from faster_whisper.feature_extractor import FeatureExtractor
from threadpoolctl import threadpool_limits

if sys.argv[1] == "one":
    threadpool_limits(limits=1, user_api="blas")
extractor = FeatureExtractor()
sound = numpy.random.default_rng(7).standard_normal(10 * 16_000).astype(numpy.float32)


def window() -> None:
    extractor(sound)
    sum(range(3_000_000))  # an engine's own work, on one thread


window()
cpu = time.process_time()
for _ in range(60):
    window()
print(time.process_time() - cpu)
PYTHON
usual=$("$folder/venv/bin/python" "$folder/measure.py" usual)
one=$("$folder/venv/bin/python" "$folder/measure.py" one)
"$folder/venv/bin/python" - "$usual" "$one" <<'PYTHON'
import sys
from importlib.metadata import version

usual, one = map(float, sys.argv[1:])
print(f"faster-whisper {version('faster-whisper')}, numpy {version('numpy')}: processor seconds for the same work of one thread: "
      f"{usual:.1f} as it comes, {one:.1f} with one BLAS thread")
if usual < 1.3 * one:
    sys.exit("the behaviour has changed, or no second core was free")
PYTHON
