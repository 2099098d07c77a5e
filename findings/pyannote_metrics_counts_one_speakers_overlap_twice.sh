#!/usr/bin/env bash
# Guess: the diarization error rate of pyannote.metrics asks who speaks at each moment, so a reference in which two segments
#   of one speaker overlap (as words of a forced alignment do, or RTTM files put together from parts) is that of their
#   union; what equals it has an error of 0.
# What happens: a moment with two segments of one speaker counts as two people's speech. A hypothesis that has the same speaker
#   at the same moments misses the second "one": 10% error, and the total is longer than the recording's speech. The
#   other way round it is false alarm, 11%. Annotation.support() joins them first, and the rate is 0.
# Versions: pyannote.metrics 4.2.0, pyannote.core 6.1.0
# Date: 2026-11-30
# Source: measured here
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyannote.metrics==4.2.0 pyannote.core==6.1.0
"$folder/venv/bin/python" - <<'PYTHON'
import warnings
from importlib.metadata import version

from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate

WORDS = [(0.0, 0.5), (0.4, 0.9), (0.8, 1.6), (1.5, 2.0)]  # each begins 0.1 s before the one before it ends
UEM = Timeline([Segment(0.0, 5.0)])


def annotation(ann: list[tuple[float, float]], bob: list[tuple[float, float]]) -> Annotation:
    made = Annotation()
    for speaker, segments in (("Ann", ann), ("Bob", bob)):
        for number, (start, end) in enumerate(segments):
            made[Segment(start, end), f"{speaker}{number}"] = speaker
    return made


print(f"pyannote.metrics {version('pyannote.metrics')}, pyannote.core {version('pyannote.core')}")
warnings.simplefilter("ignore")
words, turns = annotation(WORDS, [(2.0, 2.7)]), annotation([(0.0, 2.0)], [(2.0, 2.7)])
rate = DiarizationErrorRate()
for name, reference, hypothesis in (
    ("words as reference", words, turns),
    ("words as hypothesis", turns, words),
    ("words joined by support()", words.support(), turns),
):
    found = rate(reference, hypothesis, uem=UEM, detailed=True)
    print(f"  {name}: {found['total']:.1f} s of speech, missed {found['missed detection']:.1f}, "
          f"false alarm {found['false alarm']:.1f}, error {found['diarization error rate']:.0%}")
assert rate(words.support(), turns, uem=UEM) == 0
found = rate(words, turns, uem=UEM, detailed=True)
assert round(found["total"], 3) == 3.0 and round(found["missed detection"], 3) == 0.3, "the behaviour has changed"
assert round(rate(turns, words, uem=UEM), 3) == round(0.3 / 2.7, 3), "the behaviour has changed"
PYTHON
