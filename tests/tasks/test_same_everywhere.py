"""The same audio gives the same result with any number of workers and block size."""

from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pytest

from storage.domain import names
from storage.domain.records import Options, Plan
from storage.files.file_store import Files
from tasks.asr.engine import Engine
from tasks.audio.decode import Decoding, Ints
from tasks.audio.ingest import file_sha256, ingest
from tasks.models.catalogue import Resolved
from tasks.pipeline import TranscribedSpan, transcribe_file
from tests.conftest import Clip
from tests.tasks.sounds import read_wav, silence, write_wav

PAUSES_S = (0.4, 1.2, 0.7, 1.8)


@pytest.fixture
def talk(tmp_path: Path, speech: list[Clip]) -> Path:
    """Return two minutes of clips, every third one 30 dB quieter."""
    parts = [
        part
        for number, clip in enumerate(islice(cycle(speech), 28))
        for part in (read_wav(clip.path) * (0.03 if number % 3 == 1 else 1), silence(PAUSES_S[number % 4]))
    ]
    return write_wav(tmp_path / "talk.wav", np.concatenate(parts))


def test_more_workers_change_no_name_and_no_word(talk: Path, resolved: Resolved, files: Files) -> None:
    expected: list[str] = []
    for workers in (1, 2, 4, 16):
        heard: list[TranscribedSpan] = []
        with Engine.loaded(resolved, num_workers=workers, cpu_threads=1) as engine:
            transcribe_file(talk, engine=engine, files=files, options=Options(), on_transcribed=heard.append)
        results = [each.result_name for each in sorted(heard, key=lambda each: each.span.start_s)]
        expected = expected or results
        assert results == expected
        files.delete(names.plans_folder(file_sha256(talk)))  # so that it is cut again
    assert len(expected) >= 3


def planned(path: Path, folder: Path) -> Plan:
    return ingest(path, name="talk.wav", files=Files(str(folder)), options=Options(), span_max_s=20.0)


@pytest.mark.parametrize("size", [3_000, 10_000_000])
def test_the_size_of_the_blocks_changes_no_plan(
    talk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    expected = planned(talk, tmp_path / "as they come")
    blocks = Decoding.blocks

    def others(self: Decoding) -> Iterator[Ints]:
        whole = np.concatenate(list(blocks(self)))
        for first in range(0, len(whole), size):
            yield whole[first : first + size]

    monkeypatch.setattr(Decoding, "blocks", others)
    assert planned(talk, tmp_path / "otherwise") == expected


def test_what_a_header_says_of_the_length_changes_no_span(talk: Path, tmp_path: Path) -> None:
    expected = planned(talk, tmp_path / "told")
    data = bytearray(talk.read_bytes())
    data[40:44] = b"\xff\xff\xff\xff"  # as programs write it that stream
    talk.write_bytes(data)
    assert planned(talk, tmp_path / "untold").spans == expected.spans
