"""Containers, codecs, odd clocks and many channels: times and channels stay right."""

import os
import signal
import subprocess
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
import psutil
import pytest
import soundfile
from av.audio import AudioStream
from numpy.typing import NDArray

from storage.domain.errors import AudioUnreadable, DecoderKilled
from storage.domain.job_messages import encode
from storage.domain.records import FileNote
from storage.domain.transcript_notes import SilentGap
from storage.media import sandbox
from storage.media.probe import check
from tasks.audio.channels import Mixer
from tasks.audio.decode import PATIENCE, Decoding, Patience, Samples, squeezed
from tests.forks import forked_by
from tests.tasks.sounds import RATE_HZ, decoded, silence, tone, write_media, write_wav
from tests.waiting import PATIENCE_S

BURST_S = 0.2
BURSTS_AT_S = (1.0, 3.0)


def loudness(samples: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(samples))))


def chirp() -> Samples:
    times = np.arange(round(BURST_S * RATE_HZ)) / RATE_HZ
    return (0.4 * np.sin(2 * np.pi * (400 * times + 4000 * times**2)) * np.hanning(len(times))).astype(np.float32)


def bursts() -> Samples:
    """Four seconds with a chirp at 1 s and at 3 s."""
    sound = silence(4.0)
    for at_s in BURSTS_AT_S:
        start = round(at_s * RATE_HZ)
        sound[start : start + len(chirp())] = chirp()
    return sound


def times_of_bursts(found: Samples) -> list[float]:
    """Return where the chirps are, in seconds."""
    times = []
    for at_s in BURSTS_AT_S:
        first = round((at_s - 0.5) * RATE_HZ)
        likeness = np.correlate(found[first : first + RATE_HZ + len(chirp())], chirp(), "valid")
        times.append((first + int(np.argmax(np.abs(likeness)))) / RATE_HZ)
    return times


def write_coded(
    path: Path, codec: str, rate_hz: int, sound: Samples, *, container: str | None = None, bit_rate: int = 64_000
) -> Path:
    with av.open(str(path), "w", format=container, options={"fflags": "+bitexact"}) as opened:  # no random ids
        stream = cast(AudioStream, opened.add_stream(codec, rate=rate_hz, layout="mono"))
        stream.bit_rate = 12_200 if "amrnb" in codec else bit_rate
        frame = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="flt", layout="mono")
        frame.sample_rate = RATE_HZ
        size = stream.codec_context.frame_size or None
        resampler = av.AudioResampler(format=stream.format.name, layout="mono", rate=rate_hz, frame_size=size)
        done = 0
        for part in (frame, None):
            for out in resampler.resample(part):
                out.pts, out.time_base = done, Fraction(1, rate_hz)
                done += out.samples
                opened.mux(stream.encode(out))
        opened.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "codec", "rate_hz", "container"),
    [
        ("a.mp3", "libmp3lame", 44_100, None),
        ("a.mp2", "mp2", 48_000, None),
        ("a.m4a", "aac", 44_100, None),
        ("a.mov", "aac", 44_100, None),
        ("raw.aac", "aac", 44_100, "adts"),
        ("a.ts", "aac", 48_000, "mpegts"),
        ("a.mkv", "libopus", 48_000, None),
        ("a.webm", "libopus", 48_000, None),
        ("a.opus", "libopus", 48_000, "ogg"),
        ("a.flac", "flac", 44_100, None),
        ("alac.m4a", "alac", 44_100, None),
        ("a.aiff", "pcm_s16be", 44_100, None),
        ("a.caf", "pcm_s24le", 48_000, None),
        ("a.wma", "wmav2", 44_100, "asf"),
        ("a.avi", "libmp3lame", 44_100, None),
        ("a.flv", "aac", 44_100, None),
        ("a.amr", "libopencore_amrnb", 8_000, None),
        ("a.3gp", "libopencore_amrnb", 8_000, None),
        ("telephone.wav", "pcm_mulaw", 8_000, None),
        ("adpcm.wav", "adpcm_ima_wav", 22_050, None),
        ("a.ac3", "ac3", 48_000, None),
        ("a.au", "pcm_s16be", 8_000, None),
    ],
)
def test_sound_comes_out_at_its_time(
    tmp_path: Path, name: str, codec: str, rate_hz: int, container: str | None
) -> None:
    path = write_coded(tmp_path / name, codec, rate_hz, bursts(), container=container)
    notes: list[FileNote] = []
    found = decoded(path, notes=notes)
    assert len(found) == pytest.approx(4 * RATE_HZ, abs=0.1 * RATE_HZ)
    assert times_of_bursts(found) == pytest.approx(BURSTS_AT_S, abs=0.05)  # some containers do not tell a codec's delay
    assert notes == []


@pytest.mark.parametrize(
    ("name", "form", "subtype"),
    [("gsm.wav", "WAV", "GSM610"), ("v.ogg", "OGG", "VORBIS"), ("a.w64", "W64", "PCM_24"), ("a.caf", "CAF", "ALAC_16")],
)
def test_what_other_programs_write_comes_out_at_its_time(tmp_path: Path, name: str, form: str, subtype: str) -> None:
    path = tmp_path / name
    soundfile.write(path, bursts()[::2], RATE_HZ // 2, format=form, subtype=subtype)
    assert times_of_bursts(decoded(path)) == pytest.approx(BURSTS_AT_S, abs=0.05)


def test_a_variable_bit_rate_keeps_the_time(tmp_path: Path) -> None:
    """Loud, then nearly silent, then loud: the bit rate follows, and a header's guess by size would be wrong."""
    path = tmp_path / "vbr.mp3"
    sound = np.concatenate([tone(20.0), silence(20.0), bursts()])
    soundfile.write(path, sound, RATE_HZ, format="MP3", bitrate_mode="VARIABLE", compression_level=0.2)
    found = decoded(path)
    assert len(found) == pytest.approx(44 * RATE_HZ, abs=0.1 * RATE_HZ)
    assert times_of_bursts(found[40 * RATE_HZ :]) == pytest.approx(BURSTS_AT_S, abs=0.03)


def test_a_guessed_length_is_no_reason_to_refuse(tmp_path: Path) -> None:
    """Without its Xing header, a file that begins quietly at 8 kbit/s looks many times longer than it is."""
    quiet = write_coded(tmp_path / "quiet.mp3", "libmp3lame", 16_000, silence(30.0), bit_rate=8_000).read_bytes()
    loud = write_coded(tmp_path / "loud.mp3", "libmp3lame", 16_000, tone(60.0), bit_rate=160_000).read_bytes()
    path = tmp_path / "guess.mp3"
    path.write_bytes(without_xing(quiet) + without_xing(loud))
    info = check(path, "guess.mp3", max_hours=0.05)
    assert info.duration_is_guessed
    assert info.duration_s is not None
    assert info.duration_s > 0.05 * 3600
    assert len(decoded(path)) == pytest.approx(90 * RATE_HZ, abs=RATE_HZ)


def without_xing(mp3: bytes) -> bytes:
    """Return an MP3 file without its tags and its first frame, which tells the length."""
    first = mp3.find(b"\xff\xf3")
    return mp3[mp3.find(b"\xff\xf3", first + 4) :]


def write_timed(path: Path, parts: list[tuple[float, Samples]], *, live: bool = False) -> Path:
    """Write parts of sound with their own timestamps into a Matroska file; `live`: without a duration."""
    with av.open(str(path), "w", format="matroska", options={"live": "1"} if live else {}) as opened:
        stream = opened.add_stream("pcm_s16le", rate=RATE_HZ, layout="mono")
        for at_s, sound in parts:
            for start in range(0, len(sound), RATE_HZ // 10):
                piece = np.rint(sound[start : start + RATE_HZ // 10] * 32767).astype(np.int16)
                frame = av.AudioFrame.from_ndarray(piece.reshape(1, -1), format="s16", layout="mono")
                frame.sample_rate, frame.time_base = RATE_HZ, Fraction(1, RATE_HZ)
                frame.pts = round(at_s * RATE_HZ) + start
                opened.mux(stream.encode(frame))
    return path


def test_a_gap_in_the_clock_becomes_silence(tmp_path: Path) -> None:
    path = write_timed(tmp_path / "gap.mkv", [(0.0, tone(2.0)), (5.0, tone(2.0))])
    notes: list[FileNote] = []
    found = decoded(path, notes=notes)
    assert len(found) == 7 * RATE_HZ
    assert loudness(found[round(2.01 * RATE_HZ) : round(4.99 * RATE_HZ)]) == 0.0
    assert loudness(found[5 * RATE_HZ :]) > 0.1
    assert notes == [FileNote(message=encode(SilentGap(at_s=2.0, length_s=3.0)), start_s=2.0, end_s=5.0)]


def test_a_gap_of_an_hour_that_the_header_confirms_becomes_silence(tmp_path: Path) -> None:
    path = write_timed(tmp_path / "pause.mkv", [(0.0, tone(1.0)), (3600.0, tone(1.0))])
    assert len(decoded(path)) == 3601 * RATE_HZ


def test_a_jump_that_nothing_confirms_only_moves_the_clock(tmp_path: Path) -> None:
    path = write_timed(tmp_path / "jump.mkv", [(0.0, tone(1.0)), (9000.0, tone(1.0))], live=True)
    assert len(decoded(path)) == 2 * RATE_HZ


def test_a_clock_that_is_set_back_loses_nothing(tmp_path: Path) -> None:
    parts = [write_coded(tmp_path / f"{hz}.ts", "mp2", 48_000, tone(4.0, hz=hz)).read_bytes() for hz in (440, 880)]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(parts))
    found = decoded(path)
    assert len(found) == pytest.approx(8 * RATE_HZ, abs=0.2 * RATE_HZ)
    assert loudness(found[5 * RATE_HZ :]) > 0.1


def test_samples_that_outrun_their_clock_are_brought_back_to_it(tmp_path: Path) -> None:
    """A sound card one percent too fast: after two minutes the sound would be 1.2 s late."""
    sound = tone(1.0, level=0.1)
    parts = [(0.99 * second, sound) for second in range(118)]
    late = np.concatenate([chirp() * 2, silence(1.0 - BURST_S)])
    path = write_timed(tmp_path / "fast.mkv", [*parts, (0.99 * 118, late), (0.99 * 119, sound)])
    found = decoded(path)
    likeness = np.abs(np.correlate(found[100 * RATE_HZ :], chirp(), "valid"))
    assert 100 + int(np.argmax(likeness)) / RATE_HZ == pytest.approx(0.99 * 118, abs=0.2)


def test_a_duration_that_the_header_does_not_know_is_found_out(tmp_path: Path) -> None:
    path = write_timed(tmp_path / "live.mkv", [(0.0, tone(3.0))], live=True)
    with Decoding(path, name="live.mkv") as decoding:
        assert sum(map(len, decoding.blocks())) == 3 * RATE_HZ


def test_a_duration_that_lies_changes_nothing(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.flac", tone(3.0))
    data = bytearray(path.read_bytes())
    data[21:26] = bytes([data[21] & 0xF0]) + RATE_HZ.to_bytes(4, "big")  # STREAMINFO: one second
    path.write_bytes(data)
    assert len(decoded(path)) == 3 * RATE_HZ


def test_rate_and_channels_may_change_midway(tmp_path: Path) -> None:
    first = write_coded(tmp_path / "first.aac", "aac", 44_100, tone(3.0), container="adts").read_bytes()
    second = write_coded(tmp_path / "second.aac", "aac", 22_050, tone(3.0), container="adts").read_bytes()
    path = tmp_path / "both.aac"
    path.write_bytes(first + second)
    found = decoded(path)
    assert len(found) == pytest.approx(6 * RATE_HZ, abs=0.3 * RATE_HZ)
    assert loudness(found[round(3.5 * RATE_HZ) :]) > 0.1


def write_channels(path: Path, *channels: Samples) -> Path:
    return write_wav(path, np.stack(channels, axis=1))


def test_an_inverted_channel_does_not_silence_the_other(tmp_path: Path) -> None:
    sound = tone(12.0)
    found = decoded(write_channels(tmp_path / "inverted.wav", sound, -sound))
    assert loudness(found) == pytest.approx(loudness(sound), rel=0.05)


def test_a_silent_channel_does_not_make_the_other_quieter(tmp_path: Path) -> None:
    sound = tone(3.0)
    found = decoded(write_channels(tmp_path / "right.wav", silence(3.0), sound))
    assert loudness(found) == pytest.approx(loudness(sound), rel=0.05)


@pytest.mark.parametrize("count", [3, 6, 12])
def test_no_channel_is_lost_in_the_mix(tmp_path: Path, count: int) -> None:
    second = tone(1.0, hz=300)
    channels = [
        np.concatenate([second if place == channel else silence(1.0) for place in range(count)])
        for channel in range(count)
    ]
    found = decoded(write_channels(tmp_path / "many.wav", *channels))
    heard = [loudness(found[place * RATE_HZ + 400 : (place + 1) * RATE_HZ - 400]) for place in range(count)]
    assert min(heard) > 0.01


def test_no_mix_clips() -> None:
    loud: NDArray[np.int16] = np.full((1000, 6), 32_000, dtype=np.int16)
    mixed = Mixer(("FL", "FR", "FC", "LFE", "BL", "BR")).mono(loud)
    assert float(np.max(mixed)) == pytest.approx(32_000 / 32_768, abs=0.001)


def test_squeezing_takes_what_is_too_much_and_no_more() -> None:
    block = np.stack([np.arange(1000), -np.arange(1000)], axis=1).astype(np.int16)
    less = squeezed(block, 20)
    assert less.shape == (980, 2)
    assert less[0].tolist() == [0, 0]
    assert less[-1].tolist() == [999, -999]
    assert squeezed(block, 0) is block
    more = squeezed(block, -20)
    assert more.shape == (1020, 2)
    assert more[-1].tolist() == [999, -999]


def test_a_decoder_killed_from_outside_is_no_fault_of_the_files(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "long.wav", tone(600.0))

    def kill() -> None:
        while not (children := forked_by(psutil.Process())):
            time.sleep(0.01)
        children[0].kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(DecoderKilled, match="killed from outside"):
        decoded(path)
    killer.join()


def as_child(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a shell script take the child's place."""
    path = folder / "child"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(path))
    monkeypatch.setattr(sandbox, "fork", sandbox.start)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("kill -SEGV $$", "gives up"),
        ("kill -ABRT $$", "gives up"),
        ("kill -XCPU $$", "takes too long"),
        ("exec sleep 60", "takes too long"),
        ("exec cat /dev/zero", "gives up"),
        ("exec yes", "gives up"),
    ],
)
def test_a_decoder_that_crashes_or_hangs_is_the_files_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    path = write_wav(tmp_path / "a.wav", tone(1.0))
    as_child(tmp_path, script, monkeypatch)
    patience = Patience(least_s=1.0) if script == "exec sleep 60" else PATIENCE
    with pytest.raises(AudioUnreadable, match=said):
        decoded(path, patience=patience)


def test_no_child_is_left_when_the_reader_leaves_early(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "long.wav", tone(600.0))
    with Decoding(path, name="long.wav") as decoding:
        next(decoding.blocks())
        (child,) = forked_by(psutil.Process())
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, signal.SIGCONT)


@pytest.mark.parametrize("codec", ["libmp3lame", "aac", "libopus", "flac"])
def test_a_codec_that_tells_its_delay_loses_no_millisecond(tmp_path: Path, codec: str) -> None:
    name = {"libmp3lame": "a.mp3", "aac": "a.m4a", "libopus": "a.webm", "flac": "a.flac"}[codec]
    path = write_coded(tmp_path / name, codec, 48_000, bursts())
    assert times_of_bursts(decoded(path)) == pytest.approx(BURSTS_AT_S, abs=0.001)


READER = """
import sys, time
from pathlib import Path
from tasks.audio.decode import Decoding
with Decoding(Path(sys.argv[1]), name="a") as decoding:
    next(decoding.blocks())
    print("reading", flush=True)
    time.sleep(120)
"""


def test_a_decoder_does_not_outlive_a_reader_that_is_killed(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "long.wav", tone(600.0))
    command = [sys.executable, "-c", READER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"reading\n"
        (server,) = psutil.Process(reader.pid).children()
        (child,) = server.children()
        reader.kill()
    _, left = psutil.wait_procs([server, child], timeout=PATIENCE_S)
    assert all(one.status() == psutil.STATUS_ZOMBIE for one in left)  # whom nobody here has to collect


def test_a_file_with_pictures_gives_its_sound_alone(tmp_path: Path) -> None:
    path = write_media(tmp_path / "film.mov", [bursts()], picture=True)
    assert times_of_bursts(decoded(path)) == pytest.approx(BURSTS_AT_S, abs=0.05)
