"""The segments of OpenAI's `diarized_json`, each with the label of its speaker.

https://platform.openai.com/docs/guides/speech-to-text#speaker-diarization
"""

import re
from collections.abc import Iterator
from string import ascii_uppercase
from typing import Any

from storage.domain.records import Transcript

DIARIZED = "diarized_json"
NUMBERED = re.compile(r"(Speaker|Channel) [0-9]+")
UNKNOWN = "unknown"
"""The label of a segment whose speaker could not be told."""


def speaker_segments(transcript: Transcript) -> Iterator[dict[str, Any]]:
    """Yield the segments with their speakers.

    Those without a name are A, B and so on, in the order in which they speak.
    """
    labels: dict[str, str] = {}
    for place, segment in enumerate(transcript.segments):
        name = segment.speaker or UNKNOWN
        if NUMBERED.fullmatch(name):
            name = labels.setdefault(name, _letters(len(labels)))
        yield {
            "type": "transcript.text.segment",
            "id": f"seg_{place:03}",
            "start": segment.start_s,
            "end": segment.end_s,
            "text": segment.text,
            "speaker": name,
        }


def _letters(number: int) -> str:
    rounds, letter = divmod(number, len(ascii_uppercase))
    return (_letters(rounds - 1) if rounds else "") + ascii_uppercase[letter]
