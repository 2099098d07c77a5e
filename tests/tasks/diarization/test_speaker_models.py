"""The diarization models compute the same without PyTorch as with it."""

from pathlib import Path

import numpy as np
import pytest

from tasks.diarization import speaker_models
from tasks.diarization.voice_embeddings import STEP_S, SpeakerModels, fbank, runs
from tests.tasks.sounds import RATE_HZ


@pytest.fixture(scope="module")
def models(speaker_models_dir: Path) -> SpeakerModels:
    return SpeakerModels.load(speaker_models_dir / speaker_models.NAME)


def test_segmentation_is_what_pytorch_makes_of_it(models: SpeakerModels) -> None:
    times = np.arange(3 * RATE_HZ)
    sound = 0.1 * np.sin(2 * np.pi * (150 + times / 400) * times / RATE_HZ) * (times // 4000 % 2)
    found = models.segmentation.run(None, {"x": sound.astype(np.float32)[np.newaxis, np.newaxis]})[0]
    assert found.shape == (1, 175, 7)
    wanted = [(-0.163, -3.894, -2.997), (-0.093, -4.602, -3.591), (-0.127, -4.363, -3.095)]  # of PyTorch 2.13
    assert found[0, (10, 80, 150), :3] == pytest.approx(np.array(wanted), abs=0.002)


@pytest.mark.parametrize(
    ("length", "wanted"),
    [(37, (-1.1972, -0.4569, 0.2800, -0.8255, -0.6490)), (233, (-0.8146, 0.1940, 0.3997, -0.7738, -0.3261))],
)
def test_a_voice_is_what_pytorch_makes_of_it(length: int, wanted: tuple[float, ...], models: SpeakerModels) -> None:
    features = np.sin(np.outer(np.arange(length), np.arange(1, 81)) / 50).astype(np.float32)
    found = models.embedding.run(None, {"x": features[np.newaxis]})[0]
    assert found.shape == (1, 192)
    assert found[0, :5] == pytest.approx(np.array(wanted), abs=0.0005)


def test_a_model_that_is_there_by_half_is_not_there(tmp_path: Path) -> None:
    folder = tmp_path / speaker_models.NAME
    folder.mkdir()
    for file in speaker_models.FILES:
        with (folder / file.name).open("wb") as out:
            out.truncate(file.bytes)
    assert speaker_models.here(tmp_path)
    with (folder / speaker_models.FILES[-1].name).open("r+b") as out:
        out.truncate(1000)
    assert not speaker_models.here(tmp_path)


def test_features_come_every_ten_milliseconds() -> None:
    assert fbank(np.zeros(RATE_HZ, dtype=np.float32)).shape == (98, 80)
    assert fbank(np.zeros(100, dtype=np.float32)).shape == (0, 80)


def test_a_run_goes_on_over_a_short_pause_and_ends_at_a_long_one_or_with_another_voice() -> None:
    active = np.zeros((400, 3), dtype=bool)
    active[0:60, 0] = active[70:100, 0] = True  # 0.17 s without anybody
    active[140:200, 0] = active[210:260, 0] = True  # somebody else between
    active[200:210, 1] = True
    assert runs(active) == [(0, 100, 0), (140, 200, 0), (200, 210, 1), (210, 260, 0)]


def test_a_long_run_is_cut_into_parts_of_at_most_four_seconds() -> None:
    active = np.ones((600, 1), dtype=bool)
    found = runs(active)
    assert [first for first, _, _ in found[1:]] == [behind for _, behind, _ in found[:-1]]
    assert (found[0][0], found[-1][1]) == (0, 600)
    assert max(behind - first for first, behind, _ in found) * STEP_S <= 4.01
