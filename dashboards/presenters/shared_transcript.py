"""What a share link's page shows of a transcript, and nothing else of it."""

import json
from dataclasses import asdict
from typing import Any

from storage.domain.records import Segment, Transcript

SHOWN = ("start_s", "end_s", "text", "speaker", "language")
"""Fields of a segment; prompts, vocabulary, hashes, findings, models and settings stay with the owner."""
WORD = ("start_s", "end_s", "text")


def of(transcript: Transcript) -> bytes:
    """Return the text with its times, speakers and languages as JSON."""
    segments = [_segment(segment) for segment in transcript.segments]
    return json.dumps({"version": transcript.version, "segments": segments}, ensure_ascii=False).encode()


def _segment(segment: Segment) -> dict[str, Any]:
    whole = asdict(segment)
    words = [{name: word[name] for name in WORD} for word in whole["words"]]
    return {name: whole[name] for name in SHOWN} | {"words": words}
