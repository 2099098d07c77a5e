"""The player's data about a recording, on its own page and when shared."""

from dataclasses import asdict
from typing import TYPE_CHECKING, cast

from dashboards.presenters import formatting
from storage.domain.records import Job, Transcript
from storage.media.browser_playback import Playback

if TYPE_CHECKING:
    from dashboards.components import contracts


def of(
    job: Job, transcript: Transcript | None, *, base: str, media: "contracts.PlayedMedia"
) -> "contracts.RecordingFacts":
    """Return the data; the player fetches segments below `base` itself."""
    found = transcript.findings if transcript else ()
    limits = transcript.options.cues if transcript else job.options.cues
    return {
        "api": base,
        "transcript": f"{base}/transcript",
        "duration_s": job.duration_s,
        "media": media,
        "language": job.language,
        "translated": job.options.task == "translate",
        "timed": transcript is None or transcript.timed,
        "name": job.name,
        "findings": [formatting.finding(one) for one in found],
        "limits": cast("contracts.CueSettings", asdict(limits)),
    }


def media(job: Job, playback: Playback, *, source: str, copy: str) -> "contracts.PlayedMedia":
    """Return what the player plays, by the URLs of source and copy."""
    return {
        "source": source,
        "start_s": job.media_start_s,
        "copy": None if playback is Playback.SOURCE else copy,
        "copy_first": playback is Playback.COPY,
    }
