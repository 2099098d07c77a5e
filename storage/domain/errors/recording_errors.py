"""Errors about recordings and their uploads."""

from storage.domain.errors.base_error import TranscriberError
from storage.domain.translation import gettext as _
from storage.domain.translation import ngettext


class AudioUnreadable(TranscriberError):
    """The bytes could not be decoded as audio."""

    status, code = 415, "audio_unreadable"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name, self.reason = name, reason

    def __str__(self) -> str:
        return _(
            "{name} is not readable audio ({reason}); upload WAV, FLAC, MP3, M4A, OGG or a video with audio",
            name=self.name,
            reason=self.reason,
        )


class HeaderMissing(TranscriberError):
    """Nothing in the file says what its bytes are."""

    status, code = 415, "header_missing"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return _(
            "{name} has no header that says its format and rate: which are they? Answer with input_format and "
            "sample_rate (on the command line, such as --input-format alaw --rate 8000), or put it into a WAV file",
            name=self.name,
        )


class IndexMissing(TranscriberError):
    """An MP4 or QuickTime file without the index of its samples (`moov`)."""

    status, code = 415, "index_missing"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return _(
            "{name} has no index (moov), so nothing in it can be found: the recording or copy was interrupted; copy "
            "the file again, or repair it with the recorder that made it",
            name=self.name,
        )


class RecordingEncrypted(TranscriberError):
    """The sound is encrypted, as by a shop or a streaming service."""

    status, code = 415, "recording_encrypted"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return _(
            "the sound of {name} is encrypted (DRM), and cannot be read without its key; upload a copy without",
            name=self.name,
        )


class CodecUnknown(TranscriberError):
    """FFmpeg has no decoder for the sound; `kind` is that of the file."""

    status, code = 415, "codec_unknown"

    def __init__(self, name: str, kind: str) -> None:
        super().__init__(name, kind)
        self.name, self.kind = name, kind

    def __str__(self) -> str:
        return _(
            "the sound of {name} ({kind}) is in a codec that no decoder here knows; export it as WAV, FLAC, MP3, M4A "
            "or OGG with the program that made it",
            name=self.name,
            kind=self.kind,
        )


class NoAudioTrack(TranscriberError):
    """The container has no audio."""

    status, code = 422, "no_audio_track"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return _("{name} has no audio track; export it again with audio, or upload the audio alone", name=self.name)


class NoSuchTrack(TranscriberError):
    """The requested audio track does not exist; `have` describes the tracks that do."""

    status, code = 422, "no_such_track"

    def __init__(self, name: str, track: int, have: tuple[str, ...]) -> None:
        super().__init__(name, track, have)
        self.name, self.track, self.have = name, track, have

    def __str__(self) -> str:
        count = ngettext("one audio track", "{n} audio tracks", len(self.have))
        return _(
            "{name} has {count} ({have}) and no track {track}; choose an existing one",
            name=self.name,
            count=count,
            have="; ".join(self.have),
            track=self.track,
        )


class DecoderKilled(TranscriberError):
    """The decoding process was killed from outside, most likely because memory ran out.

    The file is not at fault.
    """

    status, code, transient = 503, "decoder_killed", True

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return _(
            "the process that decoded {name} was killed from outside; check that the machine has free memory, and "
            "try again",
            name=self.name,
        )


class OpeningTooSlow(TranscriberError):
    """The recording was not opened in time, by a slow machine or disk.

    A file that costs too much processor time is `AudioUnreadable`.
    """

    status, code, transient = 503, "opening_too_slow", True

    def __init__(self, name: str, within_s: float) -> None:
        super().__init__(name, within_s)
        self.name, self.within_s = name, within_s

    def __str__(self) -> str:
        return _(
            "{name} could not be opened within {within_s:g} s; the machine or its disk is busy, try again",
            name=self.name,
            within_s=self.within_s,
        )


class EmptyUpload(TranscriberError):
    """No bytes, or a container without samples."""

    status, code = 400, "empty_upload"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return _("{name} is empty; check that the recording was saved, then upload it again", name=self.name)


class RecordingTooLong(TranscriberError):
    """More hours than this installation accepts."""

    status, code = 413, "recording_too_long"

    def __init__(self, name: str, hours: float, limit_hours: float) -> None:
        super().__init__(name, hours, limit_hours)
        self.name, self.hours, self.limit_hours = name, hours, limit_hours

    def __str__(self) -> str:
        return _(
            "{name} lasts {hours:.1f} hours and the limit is {limit_hours:g}; split it, or ask the administrator to "
            "raise TRANSCRIBER_MAX_HOURS",
            name=self.name,
            hours=self.hours,
            limit_hours=self.limit_hours,
        )


class UploadTooLarge(TranscriberError):
    """More bytes than this installation accepts."""

    status, code = 413, "upload_too_large"

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(size_bytes, limit_bytes)
        self.size_bytes, self.limit_bytes = size_bytes, limit_bytes

    def __str__(self) -> str:
        return _(
            "the upload of {size_bytes} bytes is over the limit of {limit_bytes}; compress the sound, or ask the "
            "administrator to raise TRANSCRIBER_MAX_UPLOAD_BYTES",
            size_bytes=self.size_bytes,
            limit_bytes=self.limit_bytes,
        )


class UploadConflict(TranscriberError):
    """An upload part does not start where the stored bytes end."""

    status, code, transient = 409, "upload_conflict", True

    def __init__(self, upload_id: str, offset_bytes: int, stored_bytes: int) -> None:
        super().__init__(upload_id, offset_bytes, stored_bytes)
        self.upload_id, self.offset_bytes, self.stored_bytes = upload_id, offset_bytes, stored_bytes

    def __str__(self) -> str:
        return _(
            "upload {upload_id} holds {stored_bytes} bytes and the part starts at {offset_bytes}; ask for the offset "
            "with HEAD and send from there",
            upload_id=self.upload_id,
            stored_bytes=self.stored_bytes,
            offset_bytes=self.offset_bytes,
        )


class TimesNotMeasured(TranscriberError):
    """A transcript has text without times, as one that was imported."""

    status, code = 409, "times_not_measured"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return _(
            "nobody measured when the words of {name} are said, so it has no subtitles; transcribe the recording "
            "again, or take TXT, JSON or DOCX",
            name=self.name,
        )
