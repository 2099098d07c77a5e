"""Headers that guess or lie: all sound is decoded, at its time."""

import struct
from fractions import Fraction
from pathlib import Path
from typing import Literal, cast

import av
import numpy as np
import pytest
import soundfile
from av.audio import AudioStream

from storage.domain.job_messages import text_of
from storage.domain.records import FileNote
from storage.media.chunk_sizes import W64_TAIL
from storage.media.probe import check
from tasks.audio.decode import Decoding, Samples
from tests.tasks import sounds
from tests.tasks.audio.test_inputs import (
    BURSTS_AT_S,
    bursts,
    loudness,
    times_of_bursts,
    without_xing,
    write_coded,
    write_timed,
)
from tests.tasks.sounds import RATE_HZ, picture_stream, play, show, silence, tone, write_wav


def decoded(path: Path) -> tuple[Samples, list[FileNote]]:
    notes: list[FileNote] = []
    return sounds.decoded(path, notes=notes), notes


def test_a_guessed_length_breaks_nothing_off(tmp_path: Path) -> None:
    """A variable bit rate that starts low: FFmpeg takes the file for far longer than it is."""
    quiet, loud = silence(20.0), tone(20.0)
    aac = [
        write_coded(tmp_path / f"{rate}.aac", "aac", 16_000, sound, container="adts", bit_rate=rate).read_bytes()
        for rate, sound in ((8_000, quiet), (96_000, loud))
    ]
    mp3 = [
        without_xing(write_coded(tmp_path / f"{rate}.mp3", "libmp3lame", 16_000, sound, bit_rate=rate).read_bytes())
        for rate, sound in ((8_000, quiet), (160_000, loud))
    ]
    for name, parts in (("guess.aac", aac), ("guess.mp3", mp3)):
        path = tmp_path / name
        path.write_bytes(b"".join(parts))
        found, notes = decoded(path)
        assert len(found) == pytest.approx(40 * RATE_HZ, abs=RATE_HZ)
        assert notes == []


def test_an_mp3_that_tells_its_length_may_break_off(tmp_path: Path) -> None:
    path = write_coded(tmp_path / "half.mp3", "libmp3lame", 44_100, tone(20.0))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    (note,) = decoded(path)[1]
    assert "breaks off" in text_of(note.message)
    assert note.start_s == pytest.approx(9, abs=0.5)
    assert not check(path, "half.mp3", max_hours=1).duration_is_guessed


@pytest.mark.parametrize("written", [True, False])
def test_a_length_that_is_not_the_files_breaks_nothing_off(tmp_path: Path, *, written: bool) -> None:
    """FFmpeg guesses after all: the length is that of the first of two files, or 0, as in a pipe."""
    quiet = bytearray(
        write_coded(tmp_path / "quiet.mp3", "libmp3lame", 16_000, silence(20.0), bit_rate=8_000).read_bytes()
    )
    at = quiet.index(b"Info")
    if not written:
        quiet[at + 8 : at + 12] = bytes(4)
    loud = write_coded(tmp_path / "loud.mp3", "libmp3lame", 16_000, tone(20.0), bit_rate=160_000).read_bytes()
    path = tmp_path / "pipe.mp3"
    path.write_bytes(quiet + without_xing(loud))
    found, notes = decoded(path)
    assert len(found) == pytest.approx(40 * RATE_HZ, abs=RATE_HZ)
    assert notes == []
    assert check(path, "pipe.mp3", max_hours=1).duration_is_guessed


def amr_with_comfort_noise(path: Path, pause_s: float) -> Path:
    """Write narrow-band AMR as telephones do: comfort noise in the pause."""
    sound = np.concatenate([bursts(), silence(pause_s), bursts()])[::2]
    with av.open(str(path), "w") as opened:
        stream = opened.add_stream("libopencore_amrnb", rate=8_000, layout="mono")
        stream.bit_rate = 12_200
        stream.codec_context.options = {"dtx": "1"}
        for at in range(0, len(sound) - 159, 160):
            piece = np.rint(sound[at : at + 160] * 32767).astype(np.int16).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(piece, format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 8_000, at, Fraction(1, 8_000)
            opened.mux(stream.encode(frame))
        opened.mux(stream.encode(None))
    return path


def test_comfort_noise_of_a_telephone_is_a_pause(tmp_path: Path) -> None:
    found, notes = decoded(amr_with_comfort_noise(tmp_path / "call.amr", 3.0))
    assert notes == []
    assert len(found) == pytest.approx(11 * RATE_HZ, abs=0.1 * RATE_HZ)
    assert times_of_bursts(found[7 * RATE_HZ :]) == pytest.approx(BURSTS_AT_S, abs=0.05)


def test_comfort_noise_of_wideband_calls_is_a_pause(tmp_path: Path) -> None:
    speech, comfort, nothing = b"\x44" + bytes(60), b"\x4c" + bytes(5), b"\x7c"
    path = tmp_path / "call.awb"
    path.write_bytes(b"#!AMR-WB\n" + speech * 50 + comfort + nothing * 99 + speech * 50)
    found, notes = decoded(path)
    assert notes == []
    assert len(found) == pytest.approx(4 * RATE_HZ, abs=0.1 * RATE_HZ)


def test_frames_that_cannot_be_decoded_for_long_take_their_time(tmp_path: Path) -> None:
    """Eleven minutes of packets with nothing right in them, in a file without a length."""
    path = tmp_path / "hurt.mkv"
    with av.open(str(path), "w", options={"live": "1"}) as opened:
        stream = opened.add_stream("aac", rate=16_000, layout="mono")
        sound = np.concatenate([bursts(), silence(660.0), bursts()])
        for at in range(0, len(sound) - 1023, 1024):
            frame = av.AudioFrame.from_ndarray(sound[at : at + 1024].reshape(1, -1), format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 16_000, at, Fraction(1, 16_000)
            for packet in stream.encode(frame):
                if 4.0 < at / 16_000 < 664.0:
                    broken = av.Packet(bytes([0xFF] * packet.size))
                    broken.pts, broken.dts, broken.duration = packet.pts, packet.dts, packet.duration
                    broken.time_base, broken.stream = packet.time_base, packet.stream
                    opened.mux(broken)
                else:
                    opened.mux(packet)
    found, _ = decoded(path)
    assert times_of_bursts(found[664 * RATE_HZ :]) == pytest.approx(BURSTS_AT_S, abs=0.1)


@pytest.mark.parametrize("size", [2_000, 0, 0x7FFFF000, 0xFFFFFFFF])
def test_samples_behind_a_wrong_size_are_decoded(tmp_path: Path, size: int) -> None:
    path = write_wav(tmp_path / "wrong.wav", bursts())
    data = bytearray(path.read_bytes())
    data[40:44] = size.to_bytes(4, "little")
    path.write_bytes(data)
    found, notes = decoded(path)
    assert len(found) == 4 * RATE_HZ
    assert notes == []
    assert check(path, "wrong.wav", max_hours=1).duration_s == pytest.approx(4.0, abs=0.01)


PLACES: dict[str, tuple[bytes, int, Literal["little", "big"]]] = {
    "aiff": (b"SSND", 4, "big"),
    "au": (b"", 4, "big"),
    "caf": (b"data", 8, "big"),
    "w64": (b"data" + W64_TAIL, 8, "little"),
}
"""What stands before the size of the samples, its bytes and their order."""


LARGE_RATE_HZ, LARGE_CHANNELS, LARGE_BYTES = 192_000, 8, 2**32 + 2**27


@pytest.mark.nightly
@pytest.mark.parametrize("kind", ["wrapped", "RF64"])
def test_a_wav_file_above_4_gib_is_decoded_to_its_end(tmp_path: Path, kind: str) -> None:
    """Its size has 32 bits, of which the highest is lost, or 64; most of the file is a hole on the disk."""
    block = 4 * LARGE_CHANNELS
    samples = LARGE_BYTES // block * block
    fmt = struct.pack("<HHIIHH", 1, LARGE_CHANNELS, LARGE_RATE_HZ, LARGE_RATE_HZ * block, block, 32)
    chunks = b"fmt " + struct.pack("<I", len(fmt)) + fmt
    size = samples % 2**32 if kind == "wrapped" else 2**32 - 1
    head = b"RIFF" + struct.pack("<I", (samples + 36) % 2**32) + b"WAVE"
    if kind == "RF64":
        sizes = struct.pack("<QQQI", samples + 72, samples, samples // block, 0)
        head = b"RF64" + struct.pack("<I", 2**32 - 1) + b"WAVE" + b"ds64" + struct.pack("<I", len(sizes)) + sizes
    head += chunks + b"data" + struct.pack("<I", size)
    last = np.repeat(np.repeat(bursts(), LARGE_RATE_HZ // RATE_HZ), LARGE_CHANNELS)
    path = tmp_path / "large.wav"
    with path.open("wb") as file:
        file.write(head)
        file.seek(len(head) + samples - 4 * len(last))
        file.write(np.rint(last * (2**31 - 1)).astype("<i4").tobytes())
    assert path.stat().st_size == len(head) + samples > 2**32
    length_s = samples / block / LARGE_RATE_HZ
    assert check(path, "large.wav", max_hours=1).duration_s == pytest.approx(length_s, abs=0.01)
    notes: list[FileNote] = []
    count, tail = 0, np.zeros((0, LARGE_CHANNELS), dtype=np.int16)
    with Decoding(path, name="large.wav") as decoding:
        for block_found in decoding.blocks():
            count += len(block_found)
            tail = np.concatenate([tail, block_found])[-4 * RATE_HZ :]
        notes = decoding.notes
    assert notes == []
    assert count == pytest.approx(length_s * RATE_HZ, abs=10)
    assert times_of_bursts((tail[:, 0] / 32768).astype(np.float32)) == pytest.approx(BURSTS_AT_S, abs=0.01)


@pytest.mark.parametrize("size", [2_000, 0, 0x7FFFF000])
@pytest.mark.parametrize(
    ("kind", "codec"), [("aiff", "pcm_s16be"), ("au", "pcm_s16be"), ("caf", "pcm_s16le"), ("w64", "pcm_s16le")]
)
def test_samples_behind_a_wrong_size_in_other_formats_are_decoded(
    tmp_path: Path, kind: str, codec: str, size: int
) -> None:
    path = write_coded(tmp_path / f"wrong.{kind}", codec, RATE_HZ, bursts(), container=kind)
    place, length, order = PLACES[kind]
    data = path.read_bytes()
    at = data.index(place) + len(place) if place else 8
    path.write_bytes(data[:at] + size.to_bytes(length, order) + data[at + length :])
    found, notes = decoded(path)
    assert len(found) == pytest.approx(4 * RATE_HZ, abs=50)
    assert notes == []
    assert check(path, path.name, max_hours=1).duration_s == pytest.approx(4.0, abs=0.01)


@pytest.mark.parametrize(
    ("kind", "codec"),
    [("aiff", "pcm_s16be"), ("au", "pcm_s16be"), ("caf", "pcm_s16le"), ("w64", "pcm_s16le"), ("avi", "pcm_s16le")],
)
def test_half_a_file_breaks_off(tmp_path: Path, kind: str, codec: str) -> None:
    path = write_coded(tmp_path / f"half.{kind}", codec, RATE_HZ, tone(8.0), container=kind)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found, (note,) = decoded(path)
    assert len(found) == pytest.approx(4 * RATE_HZ, abs=RATE_HZ / 2)
    assert "breaks off" in text_of(note.message)


@pytest.mark.parametrize(("kind", "codec"), [("aiff", "pcm_s16be"), ("caf", "pcm_s16le"), ("w64", "pcm_s16le")])
def test_files_of_other_formats_in_a_row_are_both_decoded(tmp_path: Path, kind: str, codec: str) -> None:
    path = write_coded(tmp_path / f"both.{kind}", codec, RATE_HZ, bursts(), container=kind)
    path.write_bytes(2 * path.read_bytes())
    found, notes = decoded(path)
    assert notes == []
    assert times_of_bursts(found[4 * RATE_HZ :]) == pytest.approx(BURSTS_AT_S, abs=0.01)


@pytest.mark.parametrize("kind", ["flac", "mp4"])
def test_a_file_that_is_cut_off_is_said_to_be_so_once(tmp_path: Path, kind: str) -> None:
    """The packet in which it ends cannot be decoded, which is no second kind of damage; fragments tell no length."""
    path = tmp_path / f"half.{kind}"
    with av.open(str(path), "w", options={"movflags": "frag_keyframe+empty_moov", "frag_duration": "1000000"}) as out:
        play_at(out, cast(AudioStream, out.add_stream({"mp4": "aac"}.get(kind, kind), rate=44_100)), tone(8.0), 0.0)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found, (note,) = decoded(path)
    assert "breaks off" in text_of(note.message)
    assert len(found) == pytest.approx(4 * RATE_HZ, abs=RATE_HZ / 2)
    assert note.end_s == pytest.approx(len(found) / RATE_HZ, abs=0.2)


def test_mp3_files_in_a_row_are_not_damaged_by_their_tags(tmp_path: Path) -> None:
    """FFmpeg takes the tag of the second for frames; a tag of some size has a cover in it."""
    song = without_xing(write_coded(tmp_path / "song.mp3", "libmp3lame", 16_000, bursts()).read_bytes())
    cover = np.random.default_rng(5).integers(0, 255, 300_000, dtype=np.uint8).tobytes()
    size = bytes(len(cover) >> shift & 0x7F for shift in (21, 14, 7, 0))
    path = tmp_path / "both.mp3"
    path.write_bytes(song + b"ID3\x04\0\0" + size + cover + song)
    found, notes = decoded(path)
    assert notes == []
    assert times_of_bursts(found[-4 * RATE_HZ :]) == pytest.approx(BURSTS_AT_S, abs=0.1)


def test_damage_behind_a_tag_is_said(tmp_path: Path) -> None:
    song = without_xing(write_coded(tmp_path / "song.mp3", "libmp3lame", 16_000, bursts()).read_bytes())
    broken, at = bytearray(song), 0
    while (at := broken.find(song[:2], at)) >= 0:
        broken[at + 4 : at + 30] = b"\xff" * 26  # its header stays, so that it is taken for a frame
        at += 30
    path = tmp_path / "both.mp3"
    path.write_bytes(song + b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + broken)
    _, (note,) = decoded(path)
    assert "damaged parts" in text_of(note.message)


def test_two_wav_files_in_a_row_are_both_decoded(tmp_path: Path) -> None:
    first = write_wav(tmp_path / "first.wav", bursts()).read_bytes()
    soundfile.write(tmp_path / "second.wav", np.repeat(bursts(), 2), 2 * RATE_HZ, subtype="PCM_24")
    path = tmp_path / "both.wav"
    path.write_bytes(first + (tmp_path / "second.wav").read_bytes())
    assert check(path, "both.wav", max_hours=1).duration_s == pytest.approx(8.0, abs=0.01)
    found, notes = decoded(path)
    assert notes == []
    assert len(found) == pytest.approx(8 * RATE_HZ, abs=10)
    assert times_of_bursts(found[4 * RATE_HZ :]) == pytest.approx(BURSTS_AT_S, abs=0.01)


def test_floats_over_full_scale_are_scaled(tmp_path: Path) -> None:
    path = tmp_path / "hot.wav"
    soundfile.write(path, 8 * bursts(), RATE_HZ, subtype="FLOAT")
    found, (note,) = decoded(path)
    assert float(np.max(np.abs(found))) == pytest.approx(1.0, abs=0.001)
    assert float(np.mean(np.abs(found) > 0.99)) < 0.001
    assert text_of(note.message) == "the sound exceeds full scale by 10.1 dB, and was scaled down"
    assert not note.damaged


def test_a_click_far_above_full_scale_lowers_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "click.wav"
    sound = np.tile(bursts(), 3)
    sound[5000] = 5000.0
    soundfile.write(path, sound, RATE_HZ, subtype="FLOAT")
    found, notes = decoded(path)
    assert notes == []
    assert found[6000:] == pytest.approx(sound[6000:], abs=0.001)


def test_a_click_lowers_no_quiet_voice(tmp_path: Path) -> None:
    path = tmp_path / "click.wav"
    sound = np.tile(bursts(), 3) * (0.0008 / np.max(np.abs(bursts())))  # a far microphone
    sound[5000] = 5.0
    soundfile.write(path, sound, RATE_HZ, subtype="FLOAT")
    found, notes = decoded(path)
    assert notes == []
    assert float(np.max(np.abs(found[6000:]))) == pytest.approx(0.0008, abs=0.0001)


def test_floats_that_are_no_numbers_are_silence(tmp_path: Path) -> None:
    path = tmp_path / "nan.wav"
    sound = bursts()
    sound[100:200], sound[200], sound[201] = np.nan, np.inf, 1e30
    soundfile.write(path, sound, RATE_HZ, subtype="FLOAT")
    found, _ = decoded(path)
    assert loudness(found[:400]) == 0.0
    assert times_of_bursts(found) == pytest.approx(BURSTS_AT_S, abs=0.01)


@pytest.mark.parametrize("speed", [0.95, 0.98, 1.02, 1.05])
def test_drift_is_evened_out_and_noted_once(tmp_path: Path, speed: float) -> None:
    """A sound card that delivers `speed` seconds of samples in a second."""
    length, sound = round(0.1 * RATE_HZ), np.concatenate([silence(58.0), bursts()])
    clock = [(at / RATE_HZ / speed, sound[at : at + length]) for at in range(0, len(sound), length)]
    found, notes = decoded(write_timed(tmp_path / "drift.mkv", clock))
    assert len(found) == pytest.approx(len(sound) / speed, abs=0.2 * RATE_HZ)
    around = found[round(58.0 / speed * RATE_HZ) :]
    assert [round(at * speed, 1) for at in loud_at(around)] == pytest.approx(BURSTS_AT_S, abs=0.15)
    (note,) = notes
    assert f"{abs(1 / speed - 1):.1%}"[:3] in text_of(note.message) or f"{abs(1 - speed):.1%}"[:3] in text_of(
        note.message
    )
    assert not note.damaged


def test_a_clock_that_counts_in_pages_has_drift_and_no_gaps(tmp_path: Path) -> None:
    """Ogg tells the time once a second, so that drift of 4.5% comes in steps."""
    path = tmp_path / "drift.ogg"
    with av.open(str(path), "w") as opened:
        stream = opened.add_stream("libopus", rate=48_000, layout="mono")
        for number in range(50 * 40):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 960), dtype=np.int16) + 99, format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 48_000, round(number * 960 * 1.045), Fraction(1, 48_000)
            opened.mux(stream.encode(frame))
        opened.mux(stream.encode(None))
    _, notes = decoded(path)
    assert [note.damaged for note in notes] == [False]


def loud_at(found: Samples) -> list[float]:
    """Return the middle of each burst."""
    loud = np.flatnonzero(np.abs(found) > 0.1)
    groups = np.split(loud, np.flatnonzero(np.diff(loud) > RATE_HZ // 2) + 1)
    return [float(group.mean()) / RATE_HZ - 0.1 for group in groups]


def test_short_gaps_are_counted_and_long_ones_listed(tmp_path: Path) -> None:
    parts = [(0.0, tone(1.0)), (1.3, tone(1.0)), (2.6, tone(1.0)), (6.6, tone(1.0))]
    found, notes = decoded(write_timed(tmp_path / "gaps.mkv", parts))
    assert len(found) == pytest.approx(7.6 * RATE_HZ, abs=10)
    assert [text_of(note.message) for note in notes] == [
        "the file has no sound for 3.0 s at 0:03",
        "the file has 2 gaps without sound (0.6 s in all, from 0:01 to 0:02)",
    ]
    assert (notes[0].start_s, notes[0].end_s) == pytest.approx((3.6, 6.6), abs=0.01)


@pytest.mark.parametrize(("name", "codec", "kind"), [("late.flv", "libmp3lame", "flv"), ("late.mpg", "mp2", "mpeg")])
def test_sound_that_begins_late_in_a_broadcast_format_is_found(
    tmp_path: Path, name: str, codec: str, kind: str
) -> None:
    path = tmp_path / name
    noise = np.random.default_rng(7).integers(0, 255, (4, 480, 640, 3), dtype=np.uint8)
    with av.open(str(path), "w", format=kind) as opened:
        pictures = opened.add_stream("mpeg2video" if kind == "mpeg" else "flv1", rate=25)
        pictures.width, pictures.height, pictures.pix_fmt = 640, 480, "yuv420p"
        pictures.bit_rate = 20_000_000
        sound = cast(AudioStream, opened.add_stream(codec, rate=44_100, layout="mono"))
        for number in range(13 * 10):
            frame = av.VideoFrame.from_ndarray(noise[number % 4], format="rgb24")
            frame.pts, frame.time_base = number * 5 // 2, Fraction(1, 25)
            opened.mux(pictures.encode(frame))
        opened.mux(pictures.encode(None))
        play_at(opened, sound, bursts(), 8.0)
    assert path.stat().st_size > 10_000_000
    found, _ = decoded(path)
    assert times_of_bursts(found[round(8.0 * RATE_HZ) :]) == pytest.approx(BURSTS_AT_S, abs=0.2)


def play_at(opened: av.container.OutputContainer, stream: AudioStream, sound: Samples, start_s: float) -> None:
    frame = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="flt", layout="mono")
    frame.sample_rate = RATE_HZ
    size = stream.codec_context.frame_size or None
    resampler = av.AudioResampler(format=stream.format.name, layout="mono", rate=44_100, frame_size=size)
    done = round(start_s * 44_100)
    for part in (frame, None):
        for out in resampler.resample(part):
            out.pts, out.time_base = done, Fraction(1, 44_100)
            done += out.samples
            opened.mux(stream.encode(out))
    opened.mux(stream.encode(None))


def test_a_pause_that_the_pictures_confirm_is_a_pause(tmp_path: Path) -> None:
    path = tmp_path / "live.mkv"
    with av.open(str(path), "w", format="matroska", options={"live": "1"}) as opened:
        pictures = picture_stream(opened)
        sound = opened.add_stream("pcm_s16le", rate=48_000, layout="mono")
        for number in range(0, 7200, 20):
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), dtype=np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            opened.mux(pictures.encode(frame))
        opened.mux(pictures.encode(None))
        play(opened, sound, bursts(), 700.0)
    found, notes = decoded(path)
    assert times_of_bursts(found[700 * RATE_HZ :]) == pytest.approx(BURSTS_AT_S, abs=0.02)
    assert notes == []


@pytest.mark.parametrize("start_s", [5.0, 100.0, 90_000.0])
@pytest.mark.parametrize("name", ["late.webm", "late.mp4", "late.mkv"])
def test_a_file_whose_clock_starts_late_is_as_long_as_its_sound(tmp_path: Path, name: str, start_s: float) -> None:
    path = tmp_path / name
    with av.open(str(path), "w", options={"avoid_negative_ts": "disabled"}) as opened:
        stream = opened.add_stream("aac" if name == "late.mp4" else "libopus", rate=48_000)
        stream.layout = "mono"
        play(opened, stream, bursts(), start_s)
    info = check(path, name, max_hours=24)
    assert info.duration_s == pytest.approx(4.0, abs=0.2)
    found, notes = decoded(path)
    assert notes == []
    assert times_of_bursts(found) == pytest.approx(BURSTS_AT_S, abs=0.1)


@pytest.mark.parametrize(("name", "codec"), [("cut.ogg", "libopus"), ("cut.wma", "wmav2")])
def test_sound_cut_out_of_a_stream_is_as_long_as_it_is(tmp_path: Path, name: str, codec: str) -> None:
    path = tmp_path / name
    options = {"avoid_negative_ts": "disabled"}
    with av.open(str(path), "w", format="asf" if codec == "wmav2" else "ogg", options=options) as opened:
        stream = cast(AudioStream, opened.add_stream(codec, rate=48_000, layout="mono"))
        stream.bit_rate = 64_000
        play(opened, stream, bursts(), 60.0)
    assert check(path, name, max_hours=1).duration_s == pytest.approx(4.0, abs=0.1)
    found, notes = decoded(path)
    assert notes == []
    assert times_of_bursts(found) == pytest.approx(BURSTS_AT_S, abs=0.1)


def test_sound_that_starts_with_the_pictures_is_not_moved(tmp_path: Path) -> None:
    path = tmp_path / "film.mkv"
    with av.open(str(path), "w") as opened:
        pictures = picture_stream(opened)
        sound = opened.add_stream("flac", rate=48_000, layout="mono")
        show(opened, pictures, 2.0)
        play(opened, sound, bursts(), 0.0)
    assert times_of_bursts(decoded(path)[0]) == pytest.approx(BURSTS_AT_S, abs=0.01)
