"""Find the playback copy of a recording that browsers cannot play."""

from contextlib import suppress

from storage.domain import names
from storage.domain.errors import StorageUnreachable
from storage.domain.records import Job
from storage.files.file_store import Files
from storage.media.browser_playback import Playback


def playback_for(files: Files, job: Job) -> Playback:
    """Return what browsers play of a recording; the source if storage is away."""
    with suppress(StorageUnreachable):
        for playback in (Playback.COPY, Playback.EITHER):
            if files.exists(names.playback_name(job.media_sha256, job.options.audio_track, playback)):
                return playback
    return Playback.SOURCE
