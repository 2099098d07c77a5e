"""A two-channel telephone call through the whole platform: both speakers with their words."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.acceptance.conftest import Stack
from tests.conftest import Clip
from tests.tasks.sounds import read_wav, silence, write_wav

pytestmark = pytest.mark.acceptance


def bare(text: str) -> str:
    return " ".join("".join(char for char in text.lower() if char.isalpha() or char == " ").split())


def test_two_channels_come_back_as_two_speakers(stack: Stack, tmp_path: Path, speech: list[Clip]) -> None:
    asks, answers = read_wav(speech[0].path), read_wav(speech[4].path)
    sides = [
        np.concatenate([asks, silence(1.0), np.zeros_like(answers)]),
        np.concatenate([np.zeros_like(asks), silence(1.0), answers]),
    ]
    path = write_wav(tmp_path / "call.wav", np.stack(sides, axis=1))
    options = {"channels": "split"}
    with path.open("rb") as opened:
        form = {"options": json.dumps(options), "lane": "interactive"}
        job = stack.call("POST", "/internal/v1/jobs", data=form, files={"file": opened}).json()
    done = stack.wait_for(str(job["id"]), lambda job: job["state"] in {"completed", "failed"})

    assert done["state"] == "completed", done
    transcript = stack.transcript(str(job["id"]))
    for name, clip in (("Channel 1", speech[0]), ("Channel 2", speech[4])):
        own = [segment for segment in transcript.segments if segment.speaker == name]
        assert bare(" ".join(segment.text for segment in own)) == bare(clip.text)
    second = next(segment for segment in transcript.segments if segment.speaker == "Channel 2")
    assert second.start_s == pytest.approx(len(asks) / 16_000 + 1.0 + speech[4].words[0][1], abs=0.3)
