"""Probing uploads: accepted and rejected files, and the web process's safety."""

import re
import signal
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import av
import numpy as np
import pytest
import soundfile

from storage.domain.errors import (
    AudioUnreadable,
    BadRequest,
    CodecUnknown,
    DecoderKilled,
    EmptyUpload,
    HeaderMissing,
    IndexMissing,
    NoAudioTrack,
    NoSuchTrack,
    OpeningTooSlow,
    RecordingEncrypted,
    RecordingTooLong,
    TranscriberError,
)
from storage.domain.job_messages import encode, raised, text_of
from storage.domain.records import Options
from storage.media import probe, sandbox

RATE_HZ = 16_000


def tone(path: Path, seconds: float, *, channels: int = 1) -> Path:
    samples = np.sin(np.linspace(0, 440 * 2 * np.pi * seconds, round(seconds * RATE_HZ)))
    soundfile.write(path, np.stack([samples] * channels, axis=1) * 0.3, RATE_HZ)
    return path


def video(path: Path, *, sound: bool) -> Path:
    with av.open(str(path), "w") as container:
        picture = container.add_stream("mpeg4", rate=10)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        track = container.add_stream("aac", rate=RATE_HZ) if sound else None
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number, dtype=np.uint8))
            container.mux(picture.encode(frame))
        container.mux(picture.encode())
        if track is not None:
            sound_frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), dtype=np.float32), "fltp", "mono")
            sound_frame.sample_rate, sound_frame.time_base, sound_frame.pts = RATE_HZ, Fraction(1, RATE_HZ), 0
            container.mux(track.encode(sound_frame))
            container.mux(track.encode())
    return path


def check(path: Path, max_hours: float = 24, **limits: Any) -> probe.MediaInfo:
    return probe.check(path, "talk", max_hours=max_hours, **limits)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_sound_is_described(tmp_path: Path, suffix: str) -> None:
    info = probe.probe(tone(tmp_path / f"x.{suffix}", 2, channels=2), "talk")
    assert info.duration_s == pytest.approx(2, abs=0.2)
    assert (info.audio_tracks, info.has_video, info.channels, info.sample_rate_hz) == (1, False, 2, RATE_HZ)


def test_the_child_says_the_same(tmp_path: Path) -> None:
    path = tone(tmp_path / "x.wav", 1)
    assert check(path) == probe.probe(path, "talk")


@pytest.mark.parametrize("name", ["call.gsm", "call.alaw", "call"])
def test_a_format_without_a_header_is_not_guessed(tmp_path: Path, name: str) -> None:
    """Bytes that FFmpeg takes for GSM, which has no header, as some A-law is taken."""
    path = tmp_path / name
    path.write_bytes(bytes([0xD5, *range(32)]) * 2000)
    with pytest.raises(HeaderMissing, match="no header that says its format and rate") as asked:
        check(path)
    assert "--input-format" in str(asked.value)
    assert "input_format and sample_rate" in str(asked.value)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("call.alaw", HeaderMissing),
        ("call.sln16", HeaderMissing),
        ("call.f32", HeaderMissing),
        ("call.bin", AudioUnreadable),
        ("call.mp3", AudioUnreadable),
    ],
)
def test_bytes_that_are_nothing_lead_to_the_question_by_their_name(
    tmp_path: Path, name: str, kind: type[TranscriberError]
) -> None:
    path = tmp_path / "upload"
    path.write_bytes(b"no sound at all" * 999)
    with pytest.raises(kind):
        probe.check(path, name, max_hours=1)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("call.raw", HeaderMissing),
        ("call.bin", HeaderMissing),
        ("call.wav", HeaderMissing),
        ("20261130-120000", HeaderMissing),
        ("call.0001", HeaderMissing),
        ("call.jpg", AudioUnreadable),
    ],
)
def test_a_name_is_no_format(tmp_path: Path, name: str, kind: type[TranscriberError]) -> None:
    """FFmpeg would take one for a video and the other for a picture, by their names."""
    path = tmp_path / name
    path.write_bytes((9000 * np.sin(np.arange(40_000) / 9)).astype("<i2").tobytes())
    with pytest.raises(kind):
        probe.check(path, name, max_hours=1)


@pytest.mark.parametrize(
    "header", [b"\x1aE\xdf\xa3", b"\x1f\x8b\x08", b"\x89PNG\r\n\x1a\n"], ids=["WebM", "gzip", "PNG"]
)
def test_the_rest_of_another_format_is_not_asked_for_its_format(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "blob"
    path.write_bytes(header + bytes(range(1, 60)))
    with pytest.raises((AudioUnreadable, NoAudioTrack)):
        check(path)


def test_quiet_telephone_sound_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "20261130-120000"
    path.write_bytes(bytes([0x7E, 0x7E, 0x7E, 0x7E, 0xFE, 0x7D, 0xFD, 0x7F]) * 2000)
    with pytest.raises(HeaderMissing):
        check(path)


def test_a_wav_with_a_broken_header_is_not_asked_for_its_format(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    path.write_bytes(b"RIFF\xff\xff\xff\xffWAVEfmt " + bytes(99))
    with pytest.raises(AudioUnreadable):
        probe.check(path, "call.wav", max_hours=1)


def test_stereo_pcm_is_not_the_sound_of_a_game(tmp_path: Path) -> None:
    path = tmp_path / "call"
    path.write_bytes(np.repeat(9000 * np.sin(np.arange(40_000) / 9), 2).astype("<i2").tobytes())
    with pytest.raises(HeaderMissing):
        check(path)


def test_frames_in_a_file_that_is_named_raw_are_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "call.raw"
    with av.open(str(path), "w", format="adts") as container:
        track = container.add_stream("aac", rate=RATE_HZ)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono")
        frame.sample_rate = RATE_HZ
        container.mux(track.encode(frame))
        container.mux(track.encode(None))
    assert check(path).codec == "aac"
    with pytest.raises(HeaderMissing):
        probe.check(path, path.name, max_hours=1)


def test_the_suffix_does_not_matter(tmp_path: Path) -> None:
    path = tone(tmp_path / "x.flac", 1).rename(tmp_path / "x.txt")
    assert check(path).codec == "flac"


def test_a_video_with_sound_is_good(tmp_path: Path) -> None:
    info = probe.probe(video(tmp_path / "x.mp4", sound=True), "talk")
    assert (info.has_video, info.codec) == (True, "aac")


def test_a_video_without_sound_is_called_so(tmp_path: Path) -> None:
    with pytest.raises(NoAudioTrack, match="talk has no audio track"):
        check(video(tmp_path / "x.mp4", sound=False))


def test_nothing_is_called_empty(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    with pytest.raises(EmptyUpload):
        check(tmp_path / "x")


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_a_recording_of_no_length_is_called_empty(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(EmptyUpload):
        check(tone(tmp_path / f"x.{suffix}", 0))


@pytest.mark.parametrize(
    "content",
    [
        b"hello world\n" * 500,
        b"\x00" * 5000,
        b"RIFF\xff\xff\xff\xffWAVEfmt ",
        b"OggS" + b"\xff" * 3000,
        b"fLaC" + b"\x80" * 3000,
        bytes(range(256)) * 50,
        b"1\n00:00:01,000 --> 00:00:02,000\nHello\n\n" * 20,
        b'{"a": [1, 1, 1' + b", 1" * 3000 + b"]}",
    ],
)
def test_what_is_not_sound_is_not_readable(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises((AudioUnreadable, EmptyUpload, HeaderMissing)):
        probe.probe(tmp_path / "x", "talk")


@pytest.mark.parametrize(
    "playlist",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{}'\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n",
    ],
)
def test_a_playlist_cannot_name_other_files(tmp_path: Path, playlist: str) -> None:
    other = tone(tmp_path / "other.wav", 1)
    (tmp_path / "x.m3u8").write_text(playlist.format(other))
    with pytest.raises(AudioUnreadable):
        probe.probe(tmp_path / "x.m3u8", "talk")


def test_a_truncated_recording_is_good_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tone(tmp_path / "x.mp3", 10)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    assert probe.probe(path, "talk").codec == "mp3float"


def test_a_recording_of_ten_hours_is_too_long_where_the_limit_is_lower(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    with soundfile.SoundFile(path, "w", 1000, 1) as file:
        file.write(np.zeros(1000 * 36_000, dtype=np.int16))
    with pytest.raises(RecordingTooLong, match=r"10\.0 hours"):
        check(path, max_hours=9.9)


def test_what_takes_too_long_is_tried_again_later(tmp_path: Path, as_child: Callable[[str], None]) -> None:
    as_child("sleep 60")
    with pytest.raises(OpeningTooSlow, match=r"within 0\.3 s") as caught:
        check(tone(tmp_path / "x.wav", 1), within_s=0.3)
    assert caught.value.transient


def test_a_child_that_dies_is_the_files_fault(tmp_path: Path, as_child: Callable[[str], None]) -> None:
    as_child("exit 1")
    with pytest.raises(AudioUnreadable, match="gives up"):
        check(tone(tmp_path / "x.wav", 1))


@pytest.mark.parametrize("name", ["KILL", "TERM", "INT", "HUP"])
def test_a_child_that_was_killed_says_nothing_about_the_file(
    tmp_path: Path, name: str, as_child: Callable[[str], None]
) -> None:
    as_child(f"exec env --default-signal sh -c 'kill -{name} $$; sleep 60'")  # tests may run with SIGINT ignored
    with pytest.raises(DecoderKilled, match="killed from outside") as caught:
        check(tone(tmp_path / "x.wav", 1))
    assert caught.value.transient


@pytest.mark.parametrize("name", ["SEGV", "ABRT", "XCPU"])
def test_a_child_that_breaks_over_the_file_is_the_files_fault(
    tmp_path: Path, name: str, as_child: Callable[[str], None]
) -> None:
    as_child(f"ulimit -c 0; kill -{name} $$; sleep 60")
    with pytest.raises(AudioUnreadable, match="gives up"):
        check(tone(tmp_path / "x.wav", 1))


@pytest.fixture
def as_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Return a function that lets a shell script take the child's place."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts with `&` ignores it

    def take(script: str) -> None:
        path = tmp_path / "child"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o700)
        monkeypatch.setattr(sys, "executable", str(path))
        monkeypatch.setattr(sandbox, "fork", sandbox.start)

    yield take
    signal.signal(signal.SIGINT, before)


def test_the_child_gets_no_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_child: Callable[[str], None]
) -> None:
    monkeypatch.setenv("TRANSCRIBER_WORKER_TOKEN", "secret")
    as_child(f"env > {tmp_path / 'env'}")
    with pytest.raises(AudioUnreadable):
        check(tone(tmp_path / "x.wav", 1))
    assert "PATH=" in (tmp_path / "env").read_text()
    assert "TRANSCRIBER" not in (tmp_path / "env").read_text()


def test_a_child_that_talks_without_end_is_given_up(tmp_path: Path, as_child: Callable[[str], None]) -> None:
    as_child("exec cat /dev/zero")
    with pytest.raises(OpeningTooSlow, match="within 1 s"):
        check(tone(tmp_path / "x.wav", 1), within_s=1.0)


def test_a_file_that_eats_time_is_stopped(tmp_path: Path) -> None:
    """Behind its format lie 50 GB of empty chunks, which a WAV reader goes through one by one."""
    path = tone(tmp_path / "x.wav", 1)
    with path.open("r+b") as file:
        file.truncate(path.read_bytes().index(b"data"))
        file.truncate(50 << 30)
    with pytest.raises(AudioUnreadable, match="gives up"):
        check(path, max_cpu_s=1)


def with_tracks(path: Path, *tracks: tuple[str, str]) -> Path:
    """Write a container with a track of two seconds for each language and title."""
    with av.open(str(path), "w") as container:
        streams = []
        for language, title in tracks:
            stream = container.add_stream("flac", rate=RATE_HZ, layout="mono")
            stream.metadata.update({"language": language, "title": title})
            streams.append(stream)
        for stream in streams:
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 2 * RATE_HZ), dtype=np.int16), "s16", "mono")
            frame.sample_rate, frame.time_base, frame.pts = RATE_HZ, Fraction(1, RATE_HZ), 0
            container.mux(stream.encode(frame))
            container.mux(stream.encode())
    return path


def test_tracks_are_listed_with_language_and_title(tmp_path: Path) -> None:
    info = check(with_tracks(tmp_path / "x.mkv", ("eng", ""), ("ger", "Commentary\x07")))
    assert info.audio_tracks == 2
    assert [str(track) for track in info.tracks] == ["0: eng", "1: ger, Commentary"]


def test_a_track_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    path = with_tracks(tmp_path / "x.mkv", ("eng", ""), ("ger", "Commentary"))
    with pytest.raises(NoSuchTrack, match=r"2 audio tracks \(0: eng; 1: ger, Commentary\) and no track 2"):
        probe.check(path, "talk", max_hours=24, options=Options(audio_track=2))
    assert probe.check(path, "talk", max_hours=24, options=Options(audio_track=1)).codec == "flac"


def test_nine_channels_can_be_mixed_and_not_split(tmp_path: Path) -> None:
    path = tone(tmp_path / "x.wav", 1, channels=9)
    assert check(path).channels == 9
    with pytest.raises(BadRequest, match="9 channels and at most 8"):
        probe.check(path, "talk", max_hours=24, options=Options(channels="split"))


def test_what_is_no_file_is_not_even_opened(tmp_path: Path) -> None:
    for path in (Path("/dev/zero"), tmp_path):
        with pytest.raises(AudioUnreadable, match="not a file"):
            check(path)


def without_index(data: bytes) -> bytes:
    return data[: data.index(b"moov") - 4]


def element(ident: str, *inside: bytes) -> bytes:
    """Return an element of EBML, which Matroska is made of, with a size of eight bytes."""
    data = b"".join(inside)
    return bytes.fromhex(ident) + (1 << 56 | len(data)).to_bytes(8) + data


def encrypted(data: bytes) -> bytes:
    """Say of the first track that it is encrypted: ContentEncodings at the end of its entry."""
    cipher = element("5035", element("47e1", b"\x05"), element("47e2", b"a key's id, 16 B"))
    encodings = element("6d80", element("6240", element("5033", b"\x01"), cipher))
    codec = data.index(b"A_AAC")
    entry = data.rindex(b"\xae", 0, codec)
    tracks = data.rindex(bytes.fromhex("1654ae6b"), 0, entry)
    size_bytes = int.from_bytes(data[entry + 1 : entry + 9]) & ((1 << 56) - 1)
    behind = entry + 9 + size_bytes
    inside = element("1654ae6b", element("ae", data[entry + 9 : behind], encodings))
    return data[:tracks] + inside + data[behind:]


def with_licence(data: bytes) -> bytes:
    """Add an object to the header of a Windows Media file that says how it is encrypted."""
    licence = UUID("2211b3fb-bd23-11d2-b4b7-00a0c955fc6e").bytes_le + (40).to_bytes(8, "little") + bytes(16)
    behind, objects = (int.from_bytes(data[at : at + 4], "little") for at in (16, 24))
    sizes = (behind + len(licence)).to_bytes(8, "little") + (objects + 1).to_bytes(4, "little")
    return data[:16] + sizes + data[28:behind] + licence + data[behind:]


def scrambled(data: bytes) -> bytes:
    """Say of all packets of sound in a transport stream that they are scrambled."""
    changed = bytearray(data)
    for at in range(0, len(data), 188):
        if int.from_bytes(data[at + 1 : at + 3]) & 0x1FFF == 0x100:
            changed[at + 3] |= 0x80
    return bytes(changed)


FORMATS = {"mka": "matroska", "m4a": "mp4", "wma": "asf", "ts": "mpegts"}
SPOILT: list[tuple[str, Callable[[bytes], bytes], type[TranscriberError], str]] = [
    ("m4a", without_index, IndexMissing, "has no index (moov)"),
    ("m4a", lambda data: data.replace(b"mp4a", b"enca"), RecordingEncrypted, "is encrypted (DRM)"),
    ("m4a", lambda data: data.replace(b"mp4a", b"drms"), RecordingEncrypted, "is encrypted (DRM)"),
    ("m4a", lambda data: data.replace(b"mp4a", b"aavd"), RecordingEncrypted, "is encrypted (DRM)"),
    ("mka", encrypted, RecordingEncrypted, "is encrypted (DRM)"),
    ("wma", with_licence, RecordingEncrypted, "is encrypted (DRM)"),
    ("ts", scrambled, RecordingEncrypted, "is encrypted (DRM)"),
    ("mka", lambda data: data.replace(b"A_AAC", b"A_ZZZ"), CodecUnknown, "no decoder here knows"),
]


@pytest.mark.parametrize(("suffix", "spoil", "kind", "said"), SPOILT)
def test_what_cannot_be_read_says_why_in_its_own_words(
    tmp_path: Path, suffix: str, spoil: Callable[[bytes], bytes], kind: type[TranscriberError], said: str
) -> None:
    path = tmp_path / f"talk.{suffix}"
    with av.open(str(path), "w", format=FORMATS[suffix]) as container:
        track = container.add_stream("aac", rate=RATE_HZ)
        for at in range(10):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = RATE_HZ, at * 1024
            container.mux(track.encode(frame))
        container.mux(track.encode(None))
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(kind, match=re.escape(said)) as caught:
        probe.check(path, path.name, max_hours=1.0)
    assert text_of(encode(raised(caught.value))) == str(caught.value)


def test_a_header_that_claims_a_few_samples_a_second_is_refused_at_once(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "slow.wav", np.zeros(30_000, dtype=np.int16), 1)
    with pytest.raises(AudioUnreadable, match="too few for speech"):
        check(tmp_path / "slow.wav")
