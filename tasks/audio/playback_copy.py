"""Write a FLAC copy of sound that browsers cannot play.

Its clock is that of the transcript: mono, 16 kHz, from 0.
"""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.domain import names
from storage.files.file_store import Files
from storage.media.browser_playback import Playback
from tasks.audio.block_buffer import SAMPLE_RATE_HZ
from tasks.audio.channels import Samples, as_ints

logger = logging.getLogger(__name__)


class PlaybackCopy:
    """A copy that is being written to a file of this machine."""

    def __init__(self, path: Path) -> None:
        import soundfile

        self.path = path
        self._sound = soundfile.SoundFile(path, "w", SAMPLE_RATE_HZ, 1, subtype="PCM_16", format="FLAC")

    def add(self, block: Samples) -> None:
        """Write samples between -1 and 1."""
        self._sound.write(as_ints(block))

    def store(self, files: Files, media_sha256: str, audio_track: int | None, playback: Playback) -> None:
        """Move the finished copy to storage."""
        self._sound.close()
        files.put(names.playback_name(media_sha256, audio_track, playback), self.path, move=True)


@contextmanager
def playback_copy(playback: Playback) -> Iterator[PlaybackCopy | None]:
    """Begin a copy, if browsers need one; what is not stored is deleted."""
    if playback is Playback.SOURCE:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="playback-") as folder:
        yield PlaybackCopy(Path(folder, "sound.flac"))
