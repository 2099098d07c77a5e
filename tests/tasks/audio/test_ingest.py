"""Ingesting a recording: plan, cuts, stored spans, bounded memory and length."""

import io
import math
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from storage.domain import names
from storage.domain.errors import EmptyUpload, RecordingTooLong
from storage.domain.job_messages import text_of
from storage.domain.records import Options, Plan, Span
from storage.files.file_store import Files
from tasks.audio.channels import Ints, as_float
from tasks.audio.ingest import file_sha256, ingest, read_span
from tasks.audio.split import FURTHEST_S, NEAREST_S
from tests.conftest import Clip
from tests.tasks.sounds import RATE_HZ, Samples, read_wav, silence, tone, write_wav


def talk(speech: list[Clip], count: int, pause_s: float = 1.0) -> Samples:
    parts = [part for n in range(count) for part in (read_wav(speech[n % len(speech)].path), silence(pause_s))]
    return np.concatenate(parts)


def planned(path: Path, files: Files, *, span_max_s: float = 150.0) -> Plan:
    return ingest(path, name=path.name, files=files, options=Options(), span_max_s=span_max_s)


def test_spans_hold_the_samples_of_their_place(tmp_path: Path, files: Files, speech: list[Clip]) -> None:
    sound = talk(speech, 24)
    path = write_wav(tmp_path / "talk.wav", sound)
    plan = planned(path, files, span_max_s=40.0)
    assert len(plan.spans) >= 3
    assert plan.duration_s == pytest.approx(len(sound) / RATE_HZ)
    for span in plan.spans:
        stored = read_span(files, span.samples_sha256)
        start = round(span.start_s * RATE_HZ)
        assert np.allclose(stored, sound[start : start + len(stored)], atol=1e-4)
        assert span.end_s - span.start_s <= 40.0


def test_every_cut_lies_in_a_recorded_silence(tmp_path: Path, files: Files, speech: list[Clip]) -> None:
    plan = planned(write_wav(tmp_path / "talk.wav", talk(speech, 24)), files, span_max_s=40.0)
    for before, after in zip(plan.spans, plan.spans[1:], strict=False):
        assert before.end_s <= after.start_s
        assert before.silence_after_s == after.silence_before_s > 0.5


def test_speech_without_a_pause_is_cut_with_an_overlap(tmp_path: Path, files: Files, speech: list[Clip]) -> None:
    clip = read_wav(speech[0].path)
    loud = clip[round(speech[0].words[0][1] * RATE_HZ) : round(speech[0].words[-1][2] * RATE_HZ)]
    plan = planned(write_wav(tmp_path / "breathless.wav", np.tile(loud, 20)), files, span_max_s=20.0)
    overlaps = [before.end_s - after.start_s for before, after in zip(plan.spans, plan.spans[1:], strict=False)]
    assert all(span.end_s - span.start_s <= 20.0 for span in plan.spans)
    assert any(2 * NEAREST_S <= overlap <= 2 * FURTHEST_S for overlap in overlaps)


def test_a_cut_span_comes_with_its_samples_before_it_is_stored(
    tmp_path: Path, files: Files, speech: list[Clip]
) -> None:
    cut: dict[str, Samples] = {}

    def on_cut(span: Span, samples: Ints) -> None:
        assert not files.exists(names.span_name(span.samples_sha256))
        cut[span.samples_sha256] = as_float(samples)

    path = write_wav(tmp_path / "talk.wav", talk(speech, 12))
    plan = ingest(path, name="talk.wav", files=files, options=Options(), span_max_s=40.0, on_cut=on_cut)
    assert list(cut) == [span.samples_sha256 for span in plan.spans]
    for sha256, samples in cut.items():
        assert np.array_equal(samples, read_span(files, sha256))


def test_a_plan_is_made_once(tmp_path: Path, files: Files, speech: list[Clip]) -> None:
    path = write_wav(tmp_path / "talk.wav", talk(speech, 4))
    cut: list[Span] = []
    first = ingest(path, name="talk.wav", files=files, options=Options(), on_span=cut.append)
    second = ingest(path, name="again.wav", files=files, options=Options(), on_span=cut.append)
    assert first == second
    assert len(cut) == len(first.spans)


def test_a_plan_whose_span_is_gone_is_made_again(tmp_path: Path, files: Files, speech: list[Clip]) -> None:
    path = write_wav(tmp_path / "talk.wav", talk(speech, 2))
    first = planned(path, files)
    files.delete(names.span_name(first.spans[0].samples_sha256))
    assert planned(path, files) == first
    assert files.exists(names.span_name(first.spans[0].samples_sha256))


def test_the_waveform_lies_beside_the_plan(tmp_path: Path, files: Files, speech: list[Clip]) -> None:
    plan = planned(write_wav(tmp_path / "talk.wav", talk(speech, 3)), files)
    peaks = files.read(names.peaks_name(plan.media_sha256, None))
    assert len(peaks) == math.ceil(plan.duration_s * 10 - 1e-6)
    assert max(peaks) > 50


def test_a_silent_recording_has_no_span(tmp_path: Path, files: Files) -> None:
    plan = planned(write_wav(tmp_path / "silent.wav", silence(30.0)), files)
    assert (plan.spans, plan.speech_s, plan.duration_s) == ((), 0.0, 30.0)
    assert list(files.list("spans/")) == []


def test_what_is_missing_in_the_file_stands_in_the_plan(tmp_path: Path, files: Files, speech: list[Clip]) -> None:
    path = write_wav(tmp_path / "cut.wav", talk(speech, 4))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "breaks off" in text_of(planned(path, files).notes[0].message)


def test_an_empty_recording_leaves_nothing_behind(tmp_path: Path, files: Files) -> None:
    with pytest.raises(EmptyUpload):
        planned(write_wav(tmp_path / "zero.wav", silence(0.0)), files)
    assert list(files.list()) == []


def ten_hours(path: Path) -> Path:
    """Write ten hours of silence that take no room on the disk."""
    head = io.BytesIO()
    with wave.open(head, "wb") as opened:
        opened.setnchannels(1)
        opened.setsampwidth(2)
        opened.setframerate(8000)
        opened.setnframes(10 * 3600 * 8000)
        opened.writeframesraw(b"")
    header = bytearray(head.getvalue())
    size = 10 * 3600 * 8000 * 2
    header[4:8], header[40:44] = (size + 36).to_bytes(4, "little"), size.to_bytes(4, "little")
    with path.open("wb") as opened_file:
        opened_file.write(header)
        opened_file.truncate(size + len(header))
    return path


def test_a_recording_over_the_limit_is_refused_by_its_header(tmp_path: Path, files: Files) -> None:
    path = ten_hours(tmp_path / "ten.wav")
    with pytest.raises(RecordingTooLong, match=r"lasts 10\.0 hours and the limit is 8"):
        ingest(path, name="ten.wav", files=files, options=Options(), max_hours=8, media_sha256="0" * 64)


def test_a_header_that_lies_does_not_help(tmp_path: Path, files: Files) -> None:
    path = write_wav(tmp_path / "liar.wav", tone(90.0))
    data = bytearray(path.read_bytes())
    data[40:44] = b"\xff\xff\xff\xff"  # as programs write it that stream
    path.write_bytes(data)
    with pytest.raises(RecordingTooLong):
        ingest(path, name="liar.wav", files=files, options=Options(), max_hours=60 / 3600)


PEAK = """
import resource, sys
from pathlib import Path
from storage.files.file_store import Files
from storage.domain.records import Options
from tasks.audio.ingest import ingest
ingest(Path(sys.argv[1]), name="a", files=Files(sys.argv[2]), options=Options(), span_max_s=60.0)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_kb(path: Path, store: Path) -> int:
    done = subprocess.run([sys.executable, "-c", PEAK, path, store], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_memory_does_not_grow_with_length(tmp_path: Path, speech: list[Clip]) -> None:
    one = talk(speech, 8)
    short = write_wav(tmp_path / "short.wav", one)
    long = write_wav(tmp_path / "long.wav", np.tile(one, 6))
    short_kb, long_kb = peak_kb(short, tmp_path / "a"), peak_kb(long, tmp_path / "b")
    assert long_kb - short_kb < 20_000


def test_the_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert file_sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
