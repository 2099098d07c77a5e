"""Decoding of all kinds of input on the recording's clock, and its error messages."""

from pathlib import Path

import numpy as np
import pytest

from storage.domain.errors import AudioUnreadable, EmptyUpload, NoAudioTrack, NoSuchTrack
from storage.domain.job_messages import text_of
from storage.domain.records import FileNote
from tasks.audio.block_buffer import BLOCK_S
from tasks.audio.decode import Decoding, Samples
from tests.tasks.sounds import RATE_HZ, decoded, silence, tone, write_media, write_wav


def loudness(samples: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(samples))))


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.m4a", "aac"), ("a.mp3", "libmp3lame"), ("a.ogg", "libopus"), ("a.flac", "flac"), ("a.wav", "pcm_s16le")],
)
def test_it_reads_what_people_have(tmp_path: Path, name: str, codec: str) -> None:
    notes: list[FileNote] = []
    found = decoded(write_media(tmp_path / name, [tone(3.0)], codec=codec), notes=notes)
    assert found.dtype == np.float32
    assert found.ndim == 1
    assert len(found) == pytest.approx(3 * RATE_HZ, abs=0.05 * RATE_HZ)
    assert loudness(found) == pytest.approx(loudness(tone(3.0)), rel=0.1)
    assert notes == []


def test_it_reads_the_sound_of_a_video(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.mp4", [tone(2.0)], picture=True)
    assert len(decoded(path)) == pytest.approx(2 * RATE_HZ, abs=0.05 * RATE_HZ)


def test_it_takes_the_track_that_was_asked_for(tmp_path: Path) -> None:
    path = write_media(tmp_path / "two.mkv", [silence(1.0), tone(1.0)], codec="flac")
    assert loudness(decoded(path, track=0)) == 0.0
    assert loudness(decoded(path, track=1)) > 0.1


def test_a_track_that_starts_late_gets_silence_before_it(tmp_path: Path) -> None:
    path = write_media(tmp_path / "late.mkv", [tone(2.0)], codec="flac", picture=True, start_s=1.0)
    found = decoded(path)
    assert len(found) == pytest.approx(3 * RATE_HZ, abs=0.05 * RATE_HZ)
    assert loudness(found[: RATE_HZ - 800]) == 0.0
    assert loudness(found[RATE_HZ + 800 :]) > 0.1


def test_stereo_becomes_mono_without_clipping(tmp_path: Path) -> None:
    both = np.stack([tone(1.0, level=0.9), tone(1.0, level=0.9)], axis=1)
    found = decoded(write_wav(tmp_path / "stereo.wav", both))
    assert np.abs(found).max() == pytest.approx(0.9, abs=0.01)


def test_blocks_stay_small_whatever_the_length(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "long.wav", tone(95.0))
    with Decoding(path, name="long.wav") as decoding:
        sizes = [len(block) for block in decoding.blocks()]
    assert sum(sizes) == 95 * RATE_HZ
    assert max(sizes) <= 2 * BLOCK_S * RATE_HZ


def test_no_bytes_are_an_empty_upload(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    with pytest.raises(EmptyUpload, match=r"empty\.wav is empty"):
        decoded(tmp_path / "empty.wav")


def test_a_header_without_samples_is_an_empty_upload(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "zero.wav", silence(0.0))
    with pytest.raises(EmptyUpload):
        decoded(path)


def test_what_is_no_audio_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "letter.mp3"
    path.write_text("Dear Sir or Madam, " * 500)
    with pytest.raises(AudioUnreadable, match=r"letter\.mp3 is not readable audio"):
        decoded(path)


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{other}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{other}'\n",
    ],
)
def test_a_playlist_cannot_name_other_files(tmp_path: Path, text: str) -> None:
    other = write_wav(tmp_path / "secret.wav", tone(1.0))
    path = tmp_path / "playlist.m3u8"
    path.write_text(text.format(other=other))
    with pytest.raises(AudioUnreadable):
        decoded(path)


def test_a_video_without_sound_has_no_audio_track(tmp_path: Path) -> None:
    path = write_media(tmp_path / "mute.mp4", [], picture=True)
    with pytest.raises(NoAudioTrack, match=r"mute\.mp4 has no audio track"):
        decoded(path)


def test_a_track_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "one.wav", tone(1.0))
    with pytest.raises(NoSuchTrack, match="one audio track"):
        decoded(path, track=1)


@pytest.mark.parametrize(("name", "codec"), [("cut.wav", "pcm_s16le"), ("cut.flac", "flac"), ("cut.ogg", "libopus")])
def test_a_truncated_file_gives_what_is_there_and_says_so(tmp_path: Path, name: str, codec: str) -> None:
    path = write_media(tmp_path / name, [tone(20.0)], codec=codec)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    notes: list[FileNote] = []
    found = decoded(path, notes=notes)
    assert 5 * RATE_HZ < len(found) < 15 * RATE_HZ
    assert any("breaks off" in text_of(note.message) for note in notes)


def test_damage_in_the_middle_is_passed_over(tmp_path: Path) -> None:
    path = write_media(tmp_path / "hurt.mp3", [tone(20.0)], codec="libmp3lame")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 2000] = bytes(2000)
    path.write_bytes(data)
    assert len(decoded(path)) > 15 * RATE_HZ


def test_the_announced_length_is_in_seconds(tmp_path: Path) -> None:
    with Decoding(write_wav(tmp_path / "a.wav", tone(2.5)), name="a.wav") as decoding:
        assert decoding.announced_s == pytest.approx(2.5, abs=0.01)
