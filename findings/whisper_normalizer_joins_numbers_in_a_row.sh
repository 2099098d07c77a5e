#!/usr/bin/env bash
# Guess: Whisper's English text normalizer, by which word error rates are published, makes "one, two, three" into
#   "1 2 3", so that a transcript with other numbers has word errors.
# What happens: it joins them to one number, over commas too. "Pages one, two, three" and "pages twelve, three" both
#   become "pages 123", and a transcript that is wrong in every number has no error; "oh no" becomes "0 no". A list of
#   numbers counts as one word, right or wrong, so a rate of read-out digits (telephone numbers, scores) says little.
# Versions: whisper-normalizer 0.1.15 (the code of openai/whisper as a package)
# Date: 2026-11-30
# Source: measured here
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check whisper-normalizer==0.1.15
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

from whisper_normalizer.english import EnglishTextNormalizer

normalized = EnglishTextNormalizer()
print(f"whisper-normalizer {version('whisper-normalizer')}")
for said, transcript in (
    ("Read pages one, two, three.", "Read pages twelve, three."),
    ("Press two, zero, one, one.", "Press twenty eleven."),
    ("She said oh no.", "She said zero no."),
):
    print(f"  {said!r} -> {normalized(said)!r}; {transcript!r} -> {normalized(transcript)!r}")
    assert normalized(said) == normalized(transcript), "the behaviour has changed"
PYTHON
