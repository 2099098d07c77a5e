"""One recording on two gpu workers with diarization; a multilingual model end to end."""

import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from storage.domain.records import Transcript, from_json
from tasks.diarization import speaker_models
from tests.acceptance.conftest import Stack, stack_in
from tests.conftest import TINY_MODEL, Assembly, Clip
from tests.tasks.babel import write_model
from tests.waiting import PATIENCE_S, looks

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory, speaker_models_dir: Path) -> Iterator[Stack]:
    """A platform whose gpu pool has two workers, as two machines would have, each hearing one span at a time."""
    with stack_in(
        tmp_path_factory.mktemp("two"),
        TRANSCRIBER_SPAN_MAX_S="20",
        TRANSCRIBER_NUM_WORKERS="1",
        TRANSCRIBER_CPU_THREADS="1",
        TRANSCRIBER_DEVICE="cpu",
    ) as stack:
        models = models_of(stack)
        write_model(models / "babel", answers="de")
        (models / speaker_models.NAME).symlink_to(speaker_models_dir / speaker_models.NAME)
        stack.start()
        second = start_second_worker(stack)
        until(lambda: 'transcriber_worker_slots{pool="gpu"} 2.0' in stack.call("GET", "/metrics").text, stack)
        yield stack
    second.wait(PATIENCE_S)


def models_of(stack: Stack) -> Path:
    folder = stack.data_dir / "models"
    folder.mkdir(parents=True)
    return folder


def start_second_worker(stack: Stack) -> "subprocess.Popen[bytes]":
    port = stack.env["PREFECT_SERVER_API_PORT"]
    env = stack.env | {
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_HOME": str(stack.data_dir / "prefect"),
    }
    with (stack.data_dir.parent / "second.log").open("wb") as log:
        command = [sys.executable, "-m", "flows.cli", "worker", "--pool", "gpu"]
        return subprocess.Popen(command, env=env, stdout=log, stderr=log, start_new_session=True)


def until(done: Callable[[], bool], stack: Stack, *, wait_s: float = 300) -> None:
    for _ in looks(wait_s):
        if done():
            return
    raise AssertionError(stack.console())


def heard(stack: Stack, path: Path, **options: object) -> tuple[str, Transcript]:
    """Have a recording heard; return its job's id and its transcript."""
    form = {"options": json.dumps(options), "owner": "admin", "lane": "interactive"}
    with path.open("rb") as opened:
        job_id = str(stack.call("POST", "/internal/v1/jobs", data=form, files={"file": opened}).json()["id"])
    job = stack.wait_for(job_id, lambda job: job["state"] in {"completed", "failed"})
    assert job["state"] == "completed", job
    return job_id, from_json(Transcript, stack.call("GET", f"/internal/v1/jobs/{job_id}/transcript").content)


def test_both_workers_transcribe_spans_of_one_recording(
    two_workers: Stack, speech: list[Clip], assemble: Callable[..., Assembly]
) -> None:
    made = assemble(list(itertools.islice(itertools.cycle(speech), 20)), pause_s=1.3)
    job_id, found = heard(two_workers, made.path, diarize=True)

    spans = two_workers.spans(job_id)
    assert len({span["worker"] for span in spans}) == 2, spans
    said = found.text.split()
    assert abs(len(said) - len(made.text.split())) <= 0.05 * len(said)
    assert found.segments[0].speaker == "Speaker 1"
    assert all(segment.speaker for segment in found.segments)
    notes = [note for note in found.given_up if "sounds_like" not in note]  # a model of 174 words hears all kinds
    assert notes == []


def test_a_language_is_detected_on_the_gpu_pool_and_for_each_span(
    two_workers: Stack, speech: list[Clip], assemble: Callable[..., Assembly]
) -> None:
    path = assemble(speech[:8], pause_s=1.1).path
    job_id, found = heard(two_workers, path, model="babel", beam_size=1)
    assert (found.language, two_workers.job(job_id)["language"]) == ("de", "de")
    assert found.language_probability is not None
    assert found.language_probability > 0.9
    assert len(found.other_languages) == 4

    _, own = heard(two_workers, path, model="babel", beam_size=1, language="es", language_per_span=True)
    assert own.language == "es"
    assert {segment.language for segment in own.segments} <= {"de"}


def test_a_model_that_cannot_translate_says_so(two_workers: Stack, speech: list[Clip]) -> None:
    form = {"options": '{"task": "translate"}', "owner": "admin", "lane": "interactive"}
    with speech[0].path.open("rb") as opened:
        job_id = str(two_workers.call("POST", "/internal/v1/jobs", data=form, files={"file": opened}).json()["id"])
    job = two_workers.wait_for(job_id, lambda job: job["state"] in {"completed", "failed"})
    assert (job["state"], job["error_code"]) == ("failed", "model_cannot")
    assert f"model {TINY_MODEL.name} cannot translate; choose a multilingual one" in job["error"]
