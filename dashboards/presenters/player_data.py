"""What the player is told of a recording, on its own page and on one that is shared."""

from dataclasses import asdict
from typing import Any

from dashboards import present
from storage.records import Job, Transcript


def of(job: Job, transcript: Transcript | None, *, base: str) -> dict[str, Any]:
    """Return the facts; the transcript needs no segments, which the player fetches below `base`."""
    found = transcript.findings if transcript else ()
    limits = transcript.options.cues if transcript else job.options.cues
    return {
        "api": base,
        "transcript": f"{base}/transcript",
        "duration_s": job.duration_s,
        "language": job.language,
        "translated": job.options.task == "translate",
        "name": job.name,
        "findings": [present.finding(one) for one in found],
        "limits": asdict(limits),
    }
