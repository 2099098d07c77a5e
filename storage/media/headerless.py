"""Formats whose files have no header: nobody but the sender knows what their bytes are."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import Any, Self

from storage.domain.errors import BadRequest

LOWEST_HZ, HIGHEST_HZ = 4_000, 192_000
MAX_CHANNELS = 8
PCM_TAG, FLOAT_TAG, ALAW_TAG, MULAW_TAG, G722_TAG = 1, 3, 6, 7, 0x28F
"""Numbers of WAV's registry of formats (RFC 2361)."""
ASTERISK_SLIN = tuple(f".sln{rate}" for rate in (12, 16, 24, 32, 44, 48, 96, 192))
"""How Asterisk names signed linear samples, by their rate in kHz."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """How the bytes of a format are laid out, and which header says so.

    A block of one channel has `block_bytes` for `block_samples`. Without a `wav_tag`, the header is CAF's. Samples of a
    `big_endian` format are turned round, since WAV's are little-endian. A format with a `rate_hz` has no other, and one
    channel. Files are named with one of the `endings`.
    """

    name: str
    block_bytes: int
    endings: tuple[str, ...]
    block_samples: int = 1
    bits: int
    wav_tag: int | None = PCM_TAG
    big_endian: bool = False
    rate_hz: int | None = None

    @property
    def extension(self) -> str:
        """The ending of the file with a header."""
        return "caf" if self.wav_tag is None else "wav"


class InputFormat(StrEnum):
    """A format that a client names."""

    spec: InputSpec

    def __new__(cls, spec: Any) -> Self:  # an InputSpec here; `InputFormat("alaw")` looks up a member
        member = str.__new__(cls, spec.name)
        member._value_ = spec.name
        member.spec = spec
        return member

    S16LE = InputSpec(
        name="s16le", block_bytes=2, bits=16, endings=(".s16le", ".s16", ".pcm", ".raw", ".lin", ".sln", *ASTERISK_SLIN)
    )
    S16BE = InputSpec(name="s16be", block_bytes=2, bits=16, endings=(".s16be", ".l16"), big_endian=True)
    S24LE = InputSpec(name="s24le", block_bytes=3, bits=24, endings=(".s24le", ".s24"))
    F32LE = InputSpec(name="f32le", block_bytes=4, bits=32, endings=(".f32le", ".f32"), wav_tag=FLOAT_TAG)
    ALAW = InputSpec(name="alaw", block_bytes=1, bits=8, endings=(".alaw", ".al", ".pcma", ".g711a"), wav_tag=ALAW_TAG)
    MULAW = InputSpec(
        name="mulaw", block_bytes=1, bits=8, endings=(".mulaw", ".ulaw", ".ul", ".pcmu", ".g711u"), wav_tag=MULAW_TAG
    )
    G722 = InputSpec(
        name="g722", block_bytes=1, block_samples=2, bits=4, endings=(".g722", ".722"), wav_tag=G722_TAG, rate_hz=16_000
    )
    GSM = InputSpec(
        name="gsm", block_bytes=33, block_samples=160, bits=0, endings=(".gsm",), wav_tag=None, rate_hz=8_000
    )


CHOICES = ", ".join(InputFormat)
ENDINGS = {ending for each in InputFormat for ending in each.spec.endings}
OTHER_HEADERS = (b"\x1aE\xdf\xa3", b"\x1f\x8b", b"\x89PNG")  # of Matroska and WebM, gzip and PNG: no letter comes first
VAGUE_ENDINGS = {".bin", ".dat", ".wav"}
"""Names of anything, and of WAV files that turn out to have no header."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Headerless:
    """What a client says of a recording without a header; channels are interleaved."""

    format: InputFormat = InputFormat.S16LE
    rate_hz: int
    channels: int = 1

    @property
    def block_bytes(self) -> int:
        """The bytes that belong together, of all channels."""
        return self.format.spec.block_bytes * self.channels

    @property
    def second_bytes(self) -> int:
        """The bytes of a second."""
        return self.rate_hz * self.block_bytes // self.format.spec.block_samples

    def samples(self, size_bytes: int) -> int:
        """Return how many samples of each channel so many bytes are."""
        return size_bytes // self.block_bytes * self.format.spec.block_samples

    def name_with_header(self, name: str) -> str:
        """Return the file's name once it has its header."""
        path, extension = PurePath(name), self.format.spec.extension
        stem = path.stem if path.suffix.lower() in ENDINGS else path.name
        return stem if stem.lower().endswith(f".{extension}") else f"{stem}.{extension}"


def may_be_raw(name: str, first_bytes: bytes) -> bool:
    """Return whether an unreadable file may be samples under a name of another kind.

    Most headers of other formats begin with letters, as texts do; quiet µ-law is ~~~~. Telephone systems name files by
    their time, without an ending, or with one of digits.
    """
    if first_bytes.startswith(OTHER_HEADERS):
        return False
    begins = first_bytes.decode("ascii") if first_bytes.isascii() else ""
    is_text = begins.isprintable() and sum(map(str.isalnum, begins)) > 1
    ending = PurePath(name).suffix.lower()
    return not is_text and (ending in VAGUE_ENDINGS or not ending.strip(".0123456789"))


def described(
    *, input_format: str | None = None, sample_rate: int | None = None, input_channels: int | None = None
) -> Headerless | None:
    """Return what a client says of its recording, or None.

    Raises:
        BadRequest: a value is missing or not valid; the field has the parameter's name.
    """
    if input_format is None:
        for field, value in (("sample_rate", sample_rate), ("input_channels", input_channels)):
            if value is not None:
                raise BadRequest(field, f"it is for recordings without a header; say the format, too: {CHOICES}")
        return None
    if input_format not in set(InputFormat):
        raise BadRequest("input_format", f"say one of {CHOICES}; leave it out for files with a header")
    fmt = InputFormat(input_format)
    channels = 1 if input_channels is None else input_channels
    most = MAX_CHANNELS if fmt.spec.rate_hz is None else 1
    if not 1 <= channels <= most:
        raise BadRequest("input_channels", f"{fmt} has one channel" if most == 1 else f"say a number from 1 to {most}")
    return Headerless(format=fmt, rate_hz=_rate_of(fmt, sample_rate), channels=channels)


def _rate_of(fmt: InputFormat, asked: int | None) -> int:
    fixed = fmt.spec.rate_hz
    if fixed is not None:
        if asked not in {None, fixed}:
            raise BadRequest("sample_rate", f"{fmt} always has {fixed} Hz; leave it out, or say {fixed}")
        return fixed
    if asked is None:
        raise BadRequest("sample_rate", f"{fmt} does not tell its rate; say it in Hz, such as 8000 or 16000")
    if not LOWEST_HZ <= asked <= HIGHEST_HZ:
        raise BadRequest("sample_rate", f"say a number of Hz from {LOWEST_HZ} to {HIGHEST_HZ}, such as 8000 or 16000")
    return asked
