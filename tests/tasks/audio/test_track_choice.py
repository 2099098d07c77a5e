"""Which audio track is transcribed if nobody chose one, and how several become channels."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from av.stream import Disposition

from storage.domain.job_messages import text_of
from storage.domain.records import FileNote
from storage.media import probe
from tasks.audio.centre import CentreMixer
from tasks.audio.decode import Decoding, Samples, together
from tests.tasks.audio.test_inputs import loudness
from tests.tasks.sounds import RATE_HZ, decoded, silence, tone

Track = tuple[Samples, dict[str, Any]]


def film(path: Path, *tracks: Track, layout: str = "mono") -> Path:
    """Write audio tracks, each with options: `language`, `title`, `default`."""
    with av.open(str(path), "w") as opened:
        streams = []
        for _, facts in tracks:
            stream = opened.add_stream("pcm_s16le", rate=RATE_HZ, layout=layout)
            stream.metadata.update({name: facts[name] for name in ("language", "title") if name in facts})
            stream.disposition = Disposition.default if facts.get("default") else Disposition(0)
            streams.append(stream)
        for start in range(0, max(len(sound) for sound, _ in tracks), RATE_HZ):
            for stream, (sound, _) in zip(streams, tracks, strict=True):
                piece = np.rint(sound[start : start + RATE_HZ] * 32767).astype(np.int16)
                if not len(piece):
                    continue
                count = len(stream.layout.channels)
                frame = av.AudioFrame.from_ndarray(np.repeat(piece, count).reshape(1, -1), format="s16", layout=layout)
                frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, start, Fraction(1, RATE_HZ)
                opened.mux(stream.encode(frame))
    return path


def chosen(path: Path) -> tuple[Samples, str]:
    notes: list[FileNote] = []
    found = decoded(path, notes=notes)
    assert not any(note.damaged for note in notes)
    return found, "; ".join(text_of(note.message) for note in notes)


LOW, HIGH = tone(3.0, hz=200), tone(3.0, hz=2000)


def is_high(found: Samples) -> bool:
    return int(np.sum(np.diff(np.signbit(found)))) > len(found) * 1000 / RATE_HZ


def test_one_track_needs_no_word(tmp_path: Path) -> None:
    assert chosen(film(tmp_path / "one.mkv", (LOW, {})))[1] == ""


@pytest.mark.parametrize("layout", ["mono", "stereo"])
def test_a_silent_first_track_is_passed_over_and_said(tmp_path: Path, layout: str) -> None:
    path = film(tmp_path / "silent.mkv", (silence(3.0), {"default": True}), (HIGH, {}), layout=layout)
    found, note = chosen(path)
    assert is_high(found)
    assert note == (
        "the second of 2 audio tracks was transcribed, since the first is silent; another one can be chosen"
    )


def test_a_first_track_with_noise_alone_is_passed_over(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(0, 0.001, 3 * RATE_HZ).astype(np.float32)
    path = film(tmp_path / "open.mkv", (noise, {"default": True}), (HIGH, {}), layout="stereo")
    assert is_high(chosen(path)[0])
    assert not is_high(chosen(film(tmp_path / "quiet.mkv", (0.01 * LOW, {}), (0.1 * HIGH, {}), layout="stereo"))[0])


def test_the_default_track_is_chosen_before_the_first(tmp_path: Path) -> None:
    tracks: tuple[Track, ...] = ((LOW, {"language": "fra"}), (HIGH, {"language": "deu", "default": True}))
    found, note = chosen(film(tmp_path / "film.mkv", *tracks))
    assert is_high(found)
    assert note == "the second of 2 audio tracks was transcribed (deu); another one can be chosen"


def test_a_later_default_track_is_no_channel_of_the_others(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mkv", (LOW, {}), (LOW, {}), (HIGH, {"default": True}))
    found, note = chosen(path)
    assert is_high(found)
    assert note == "the third of 3 audio tracks was transcribed; another one can be chosen"


def test_a_track_without_packets_is_passed_over(tmp_path: Path) -> None:
    path = film(tmp_path / "empty.mkv", (silence(0.0), {"default": True}), (HIGH, {"language": "deu"}))
    assert is_high(chosen(path)[0])
    assert probe.probe(path, "empty").audio_tracks == 2


def test_a_chosen_track_is_taken_though_it_is_silent(tmp_path: Path) -> None:
    path = film(tmp_path / "silent.mkv", (silence(3.0), {}), (HIGH, {}))
    assert loudness(decoded(path, track=0)) == 0.0


@pytest.mark.parametrize(
    "titles",
    [
        (None, None),
        ("CH1", "CH2"),
        ("Mic A", "Mic B"),
        ("Camera X", "Camera X"),
        ("Anna Schmidt", "Ben (Studio 2)"),
        ("Boom kitchen", "Lav Maria"),
        ("Zeugin", None),
        ("Canon Original", "Canon Original"),
        ("TR 1", "TR 2"),
        ("Ben", "Dan"),
        ("ENG 1", "SOUND"),
        ("Dubois", "Meyer"),
    ],
)
def test_mono_tracks_of_a_recorder_are_channels(tmp_path: Path, titles: tuple[str | None, ...]) -> None:
    sounds = (np.concatenate([tone(12.0, hz=200), silence(2.0)]), np.concatenate([silence(12.0), tone(3.0, hz=2000)]))
    tracks = [(sound, {"title": title} if title else {}) for sound, title in zip(sounds, titles, strict=True)]
    path = film(tmp_path / "recorder.mkv", *tracks)
    with Decoding(path, name="recorder") as decoding:
        blocks = list(decoding.blocks())
    assert {block.shape[1] for block in blocks} == {2}
    assert sum(map(len, blocks)) == 15 * RATE_HZ
    found, note = chosen(path)
    assert note == "2 mono tracks of one recorder were transcribed together"
    assert loudness(found[:RATE_HZ]) > 0.05
    assert is_high(found[13 * RATE_HZ :])


def test_mono_tracks_of_two_languages_are_no_channels(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mkv", (LOW, {"language": "eng", "default": True}), (HIGH, {"language": "deu"}))
    assert not is_high(chosen(path)[0])


@pytest.mark.parametrize(
    "titles",
    [
        ("English", "Deutsch"),
        ("EN", "DE"),
        ("ENG", "GER"),
        ("en-US stereo", "es-MX stereo"),
        ("Film", "Español"),
        (None, "Director's commentary"),
    ],
)
def test_mono_tracks_whose_titles_tell_of_versions_are_no_channels(
    tmp_path: Path, titles: tuple[str | None, ...]
) -> None:
    tracks = [(sound, {"title": title} if title else {}) for sound, title in zip((LOW, HIGH), titles, strict=True)]
    found, note = chosen(film(tmp_path / "film.mkv", *tracks))
    assert not is_high(found)
    assert note is not None
    assert note.startswith("the first of 2 audio tracks was transcribed")


def test_tracks_of_different_lengths_are_merged_in_time() -> None:
    first = iter([np.full((4, 1), 1, dtype=np.int16), np.full((4, 1), 2, dtype=np.int16)])
    second = iter([np.full((6, 1), 5, dtype=np.int16)])
    merged = np.concatenate(list(together([first, second])))
    assert merged.T.tolist() == [[1, 1, 1, 1, 2, 2, 2, 2], [5, 5, 5, 5, 5, 5, 0, 0]]


NAMES = ("FL", "FR", "FC", "LFE", "BL", "BR")


def test_dialogue_in_the_centre_is_taken_alone_and_music_is_not_lost() -> None:
    whole, rate_hz = soundfile.read(Path(__file__).parents[1] / "speech" / "es.flac", dtype="int16")
    assert rate_hz == RATE_HZ
    speech = whole[: 10 * RATE_HZ] // 8
    music = np.rint(tone(len(speech) / RATE_HZ, hz=330, level=0.5) * 32767).astype(np.int16)
    channels = {"FC": speech, "FL": music, "FR": music}
    block = np.stack([channels.get(name, np.zeros_like(speech)) for name in NAMES], axis=1)
    mixer = CentreMixer(NAMES)
    assert mixer.mono(block).tolist() == (speech / 32768).astype(np.float32).tolist()
    assert mixer.mono(block[:4000]).tolist() == (speech[:4000] / 32768).astype(np.float32).tolist()
    block[:, 2] = 0
    assert loudness(mixer.mono(block)) > 0.1
