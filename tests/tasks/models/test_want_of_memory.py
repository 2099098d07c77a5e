"""Too little memory, for real: a process whose address space ends, and an engine that goes on with less.

Where an allocation fails deep inside the engine's libraries they now and then crash instead of saying so; then the next
process begins with less, as a worker's does (`flows/runs/engine_pool.py`).
"""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence

import pytest

from storage.domain.job_messages import text_of
from tests.conftest import TINY_MODEL, Assembly, Clip

HEAR_WITHIN = """
import json, resource, sys
from pathlib import Path
from storage.domain.records import Options
from tasks.asr.engine import Engine
from tasks.models.catalogue import Resolved
from tasks.audio.vad import find_speech
from tests.tasks.sounds import read_wav

sound, room_mb, deaths = read_wav(Path(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3])
resolved = Resolved(name="tiny", path=Path(sys.argv[4]), fingerprint="-")
with Engine.loaded(resolved, batch_size=64, num_workers=1, cpu_threads=2) as engine:
    for _ in range(deaths):
        engine.step_down()
    speech = find_speech(sound)
    engine.transcribe(sound[:80_000], options=Options(beam_size=1))  # what is loaded late is loaded now
    if room_mb:
        used_bytes = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used_bytes + room_mb * 2**20,) * 2)
    found = engine.transcribe(sound, options=Options(beam_size=1), speech=speech)
print(json.dumps({"given_up": found.given_up, "text": " ".join(one.text for one in found.segments)}))
"""


MOST_DEATHS = 4


def heard_within(path: str, room_mb: int) -> tuple[list[str], str]:
    """Return what was given up and the text, heard with so much room beside the loaded model; 0 is all there is."""
    deaths = 0
    while True:
        command = [sys.executable, "-c", HEAR_WITHIN, path, str(room_mb), str(deaths), str(TINY_MODEL)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode == 0:
            found = json.loads(done.stdout.splitlines()[-1])
            return list(found["given_up"]), str(found["text"])
        assert done.returncode < 0, done.stderr[-2000:]  # any error that is told is one that was not understood
        deaths += 1
        assert deaths <= MOST_DEATHS, f"died {deaths} times: {done.stderr[-2000:]}"


@pytest.mark.skipif(sys.platform != "linux", reason="limits of the address space are Linux's")
@pytest.mark.nightly
def test_with_too_little_memory_the_batch_is_halved_and_nothing_is_lost(
    speech: Sequence[Clip], assemble: Callable[..., Assembly]
) -> None:
    path = str(assemble(list(speech) * 4).path)
    nothing, text = heard_within(path, 0)
    steps, same_text = heard_within(path, 40)
    assert nothing == []
    assert steps
    assert all("windows instead of" in text_of(step) for step in steps)
    assert same_text == text
