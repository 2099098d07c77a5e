"""The copy of a recording's sound for browsers: when there is one, and what it holds."""

import resource
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest
import soundfile
from av.audio.stream import AudioStream

from storage.domain import names
from storage.domain.records import Options
from storage.files.file_store import Files
from storage.media.browser_playback import Playback, playback_after
from tasks.audio.ingest import file_sha256, ingest
from tasks.audio.playback_copy import playback_copy
from tests.tasks.audio.test_track_choice import HIGH, LOW, film, is_high
from tests.tasks.sounds import RATE_HZ, write_media, write_wav

VARIABLE_RATE = {"flags": "+qscale", "global_quality": "472"}
NO_HEADER = {"write_xing": "0"}


def copies(path: Path, files: Files, track: int | None = None) -> list[str]:
    """Take a file in, and return the names of the copies of its sound."""
    ingest(path, name=path.name, files=files, options=Options(audio_track=track))
    return sorted(name for name in files.list("peaks/") if name.endswith(".flac"))


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("talk.m4a", {"codec": "aac"}),
        ("talk.webm", {"codec": "libopus"}),
        ("talk.ogg", {"codec": "libopus"}),
        ("film.mp4", {"codec": "aac", "picture": True}),
        ("talk.mp3", {"codec": "libmp3lame"}),
        ("bare.mp3", {"codec": "libmp3lame", "muxer": NO_HEADER}),
    ],
)
def test_what_browsers_play_is_not_copied(name: str, made: dict[str, str | bool], tmp_path: Path, files: Files) -> None:
    assert copies(write_media(tmp_path / name, [LOW], **made), files) == []  # type: ignore[arg-type]
    assert copies(write_wav(tmp_path / "talk.wav", LOW), files) == []


@pytest.mark.parametrize(
    "made",
    [
        pytest.param({"encoder": VARIABLE_RATE}, id="a table"),
        pytest.param({"encoder": VARIABLE_RATE, "muxer": NO_HEADER}, id="no header"),
    ],
)
def test_an_mp3_in_which_browsers_find_no_moment_is_copied(
    made: dict[str, dict[str, str]], tmp_path: Path, files: Files
) -> None:
    voice = np.concatenate([0.01 * LOW, LOW])
    path = write_media(tmp_path / "talk.mp3", [voice], codec="libmp3lame", **made)  # type: ignore[arg-type]
    (copy,) = copies(path, files)
    assert copy == names.playback_name(file_sha256(path), None, Playback.COPY)
    sound, _ = soundfile.read(files.open(copy), dtype="float32")
    assert len(sound) == pytest.approx(len(voice), abs=0.2 * RATE_HZ)
    assert np.std(sound[: len(LOW)]) < 0.2 * np.std(sound[len(LOW) :])


@pytest.mark.parametrize(
    ("name", "made", "playback"),
    [
        ("talk.mka", {"codec": "libopus"}, Playback.COPY),
        ("talk.ac3", {"codec": "ac3"}, Playback.COPY),
        ("talk.aac", {"codec": "aac"}, Playback.COPY),
        ("film.mkv", {"codec": "aac", "picture": True}, Playback.EITHER),
        ("film.avi", {"codec": "mp2", "picture": True}, Playback.EITHER),
    ],
)
def test_what_some_browsers_do_not_play_is_copied(
    name: str, made: dict[str, str | bool], playback: Playback, tmp_path: Path, files: Files
) -> None:
    path = write_media(tmp_path / name, [LOW], **made)  # type: ignore[arg-type]
    assert copies(path, files) == [names.playback_name(file_sha256(path), None, playback)]


def write_stepping(path: Path, codec: str, *, step_s: float) -> Path:
    """Write four seconds of sound whose timestamps go on later after two."""
    with av.open(str(path), "w") as opened:
        stream = cast(AudioStream, opened.add_stream(codec, rate=48_000, layout="mono"))
        size = 1024 if codec == "aac" else 960
        for number in range(4 * 48_000 // size):
            frame = av.AudioFrame.from_ndarray(np.full((1, size), 0.01, "float32"), format="fltp", layout="mono")
            at_s = number * size / 48_000
            frame.sample_rate, frame.time_base = 48_000, Fraction(1, 48_000)
            frame.pts = round(48_000 * (at_s if at_s < 2.0 else at_s + step_s))
            opened.mux(stream.encode(frame))
        opened.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("name", "codec"), [("call.webm", "opus"), ("call.ogg", "opus"), ("call.m4a", "aac")])
def test_sound_with_a_gap_that_browsers_play_over_is_copied(
    name: str, codec: str, tmp_path: Path, files: Files
) -> None:
    path = write_stepping(tmp_path / name, codec, step_s=3.0)
    (copy,) = copies(path, files)
    assert copy == names.playback_name(file_sha256(path), None, Playback.COPY)
    assert soundfile.info(files.open(copy)).duration == pytest.approx(7.0, abs=0.1)
    whole = write_stepping(tmp_path / f"whole-{name}", codec, step_s=0.0)
    assert copies(whole, files) == [copy]


@pytest.mark.parametrize(
    ("moved_s", "pictures", "playback"),
    [
        (0.15, False, Playback.SOURCE),
        (0.25, False, Playback.COPY),
        (0.9, True, Playback.SOURCE),
        (1.1, True, Playback.COPY),
    ],
)
def test_a_film_keeps_its_picture_for_longer(moved_s: float, pictures: bool, playback: Playback) -> None:
    assert playback_after(Playback.SOURCE, moved_s=moved_s, pictures=pictures, bit_rates=0) is playback


def test_a_copy_has_the_track_that_was_transcribed_on_its_clock(tmp_path: Path, files: Files) -> None:
    path = film(tmp_path / "two.mov", (LOW, {"language": "deu"}), (HIGH, {"language": "eng"}))
    (second,) = copies(path, files, track=1)
    sound, rate_hz = soundfile.read(files.open(second), dtype="float32")
    assert (rate_hz, len(sound)) == (RATE_HZ, len(HIGH))
    assert is_high(sound)
    assert np.max(np.abs(sound - HIGH)) < 1e-3


def test_a_full_disk_costs_the_copy_alone(files: Files) -> None:
    hiss = 0.1 * np.random.default_rng(7).standard_normal(10 * RATE_HZ)
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    with playback_copy(Playback.COPY) as copy:
        assert copy
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, usual[1]))
        try:
            for _ in range(3):
                copy.add(hiss.astype(np.float32))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, usual)
        copy.store(files, "a" * 64, None, Playback.COPY)
    assert copy.broken
    assert list(files.list()) == []
