"""Looking into uploads: what is good, what is not and why, and never at the cost of the web process."""

import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from storage import probe
from storage.errors import AudioUnreadable, BadRequest, EmptyUpload, NoAudioTrack, NoSuchTrack, RecordingTooLong
from storage.records import Options

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


def check(path: Path, max_hours: float = 24) -> probe.MediaInfo:
    return probe.check(path, "talk", max_hours=max_hours)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_sound_is_described(tmp_path: Path, suffix: str) -> None:
    info = probe.probe(tone(tmp_path / f"x.{suffix}", 2, channels=2), "talk")
    assert info.duration_s == pytest.approx(2, abs=0.2)
    assert (info.audio_tracks, info.has_video, info.channels, info.sample_rate_hz) == (1, False, 2, RATE_HZ)


def test_the_child_says_the_same(tmp_path: Path) -> None:
    path = tone(tmp_path / "x.wav", 1)
    assert check(path) == probe.probe(path, "talk")


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
    with pytest.raises((AudioUnreadable, EmptyUpload)):
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


def test_what_takes_too_long_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "TIMEOUT_S", 0.01)
    with pytest.raises(AudioUnreadable, match=r"within 0\.01 s"):
        check(tone(tmp_path / "x.wav", 1))


def test_a_child_that_dies_is_the_files_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(AudioUnreadable, match="gives up"):
        check(tone(tmp_path / "x.wav", 1))


@pytest.fixture
def as_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that lets a shell script take the child's place."""

    def take(script: str) -> None:
        path = tmp_path / "child"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o700)
        monkeypatch.setattr(sys, "executable", str(path))

    return take


def test_the_child_is_told_no_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_child: Callable[[str], None]
) -> None:
    monkeypatch.setenv("TRANSCRIBER_WORKER_TOKEN", "secret")
    as_child(f"env > {tmp_path / 'env'}")
    with pytest.raises(AudioUnreadable):
        check(tone(tmp_path / "x.wav", 1))
    assert "PATH=" in (tmp_path / "env").read_text()
    assert "TRANSCRIBER" not in (tmp_path / "env").read_text()


def test_a_child_that_talks_without_end_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_child: Callable[[str], None]
) -> None:
    monkeypatch.setattr(probe, "TIMEOUT_S", 1.0)
    as_child("exec cat /dev/zero")
    with pytest.raises(AudioUnreadable, match="within 1 s"):
        check(tone(tmp_path / "x.wav", 1))


def test_a_file_that_eats_time_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the sound of this one lie 50 GB of empty chunks, which a WAV reader goes through one by one."""
    monkeypatch.setattr(probe, "MAX_CPU_S", 1)
    path = tone(tmp_path / "x.wav", 1)
    with path.open("r+b") as file:
        file.truncate(50 << 30)
    with pytest.raises(AudioUnreadable, match="gives up"):
        check(path)


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
