"""Write a FLAC copy of sound that browsers cannot play.

Its clock is that of the transcript: mono, 16 kHz, from 0. A recording is transcribed without one where the disk has no
room for it.
"""

import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO

from storage.domain import names
from storage.files.file_store import Files
from storage.media.browser_playback import Playback
from tasks.audio.block_buffer import SAMPLE_RATE_HZ
from tasks.audio.centre import CentreMixer
from tasks.audio.channels import Samples, as_ints
from tasks.audio.decode import Decoding, Patience
from tasks.audio.offset import OffsetRemover

logger = logging.getLogger(__name__)

CHUNK_BYTES = 1 << 20


class PlaybackCopy:
    """A copy that is being written.

    Its file has no name, so that the kernel deletes it with the process.
    """

    def __init__(self, file: IO[bytes]) -> None:
        import soundfile

        self._file = file
        self.broken: Exception | None = None
        self._refusals = soundfile.LibsndfileError, AssertionError  # the second of soundfile itself, after the first
        told = {"samplerate": SAMPLE_RATE_HZ, "channels": 1, "subtype": "PCM_16", "format": "FLAC"}
        self._sound = soundfile.SoundFile(os.dup(file.fileno()), "w", **told)

    def add(self, block: Samples) -> None:
        """Write samples between -1 and 1, unless an earlier write failed."""
        if not self.broken:
            self._try(lambda: self._sound.write(as_ints(block)))

    def store(self, files: Files, media_sha256: str, audio_track: int | None, playback: Playback) -> None:
        """Store the finished copy, if all of it was written."""
        self._try(self._sound.close)
        if self.broken:
            logger.warning("no copy of the sound for browsers: %s", self.broken)
            return
        self._file.seek(0)
        chunks = iter(partial(self._file.read, CHUNK_BYTES), b"")
        files.write(names.playback_name(media_sha256, audio_track, playback), chunks)

    def _try(self, write: Callable[[], None]) -> None:
        try:
            write()
        except self._refusals as error:
            self.broken = error


@contextmanager
def playback_copy(playback: Playback) -> Iterator[PlaybackCopy | None]:
    """Begin a copy, if browsers need one."""
    if playback is Playback.SOURCE:
        yield None
        return
    with tempfile.TemporaryFile() as file:
        yield PlaybackCopy(file)


def copy_once_more(
    path: Path, media_sha256: str, *, name: str, files: Files, track: int | None, patience: Patience
) -> None:
    """Decode a recording again, and store a copy.

    Only its end showed that browsers need one.

    Raises:
        AudioUnreadable, DecoderKilled: it could not be decoded again.
    """
    with Decoding(path, name=name, track=track, patience=patience) as decoding, playback_copy(Playback.COPY) as copy:
        assert copy is not None  # noqa: S101
        offset = OffsetRemover()
        mixer: CentreMixer | None = None
        for block in chain(decoding.blocks(), [None]):
            for level in offset.finish() if block is None else offset.push(block):
                mixer = mixer or CentreMixer(decoding.channel_names)
                copy.add(mixer.mono(level))
        copy.store(files, media_sha256, track, Playback.COPY)
