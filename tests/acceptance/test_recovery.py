"""`kill -9` of each process during a job: it completes without repeating finished spans."""

import itertools
import random
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.acceptance.conftest import Stack
from tests.conftest import Assembly, Clip
from tests.waiting import until

pytestmark = pytest.mark.acceptance

VICTIMS: dict[str, Callable[[Stack], list[psutil.Process]]] = {
    "web": lambda stack: stack.processes_like("flows.cli", "web"),
    "prefect server": lambda stack: stack.processes_like("flows.platform.prefect_server"),
    "cpu worker": lambda stack: stack.processes_like("flows.cli", "worker", "cpu"),
    "gpu worker": lambda stack: stack.processes_like("flows.cli", "worker", "gpu"),
    "process that reads": lambda stack: stack.processes_like("flows.worker.child_main", "--pool", "cpu"),
    "process that hears": lambda stack: stack.processes_like("flows.worker.child_main", "--pool", "gpu"),
    "everything": lambda stack: stack.processes(),
}
NIGHTLY = {"web", "cpu worker", "gpu worker", "process that reads"}
RECORDING_CLIPS = 48
CLIPS_TOGETHER, TRIES = 14, 5


def has_ended(job: dict[str, Any]) -> bool:
    return job["state"] in {"completed", "failed"}


def recording(victim: str, speech: list[Clip], assemble: Callable[..., Assembly]) -> Assembly:
    """Return some minutes of speech that no other victim's job has, so that no result is found from before."""
    order = random.Random(victim)  # noqa: S311
    clips = list(itertools.islice(itertools.cycle(speech), RECORDING_CLIPS))
    order.shuffle(clips)
    return assemble(clips, pause_s=1.0 + order.random() / 5)


def results(stack: Stack, job_id: str) -> dict[Path, float]:
    """Return the result files of the job's finished spans, with when they were written."""
    names = [row["result"] for row in stack.spans(job_id) if row["result"]]
    return {path: path.stat().st_mtime for name in names if (path := stack.data_dir / "store" / name)}


@pytest.mark.parametrize(
    "victim", [pytest.param(name, marks=pytest.mark.nightly if name in NIGHTLY else ()) for name in VICTIMS]
)
def test_a_job_survives_kill_9(
    victim: str, patient_stack: Stack, speech: list[Clip], assemble: Callable[..., Assembly]
) -> None:
    stack, made = patient_stack, recording(victim, speech, assemble)
    job_id = stack.submit(made.path)
    stack.wait_for(job_id, lambda job: job["state"] == "transcribing" and len(results(stack, job_id)) >= 2)
    before = results(stack, job_id)

    killed = VICTIMS[victim](stack)
    assert killed, f"no process of the {victim} was found"
    for process in killed:
        process.kill()
    if victim == "everything":
        stack.start()

    job = stack.wait_for(job_id, lambda job: job["state"] in {"completed", "failed"})
    assert job["state"] == "completed", job
    after = results(stack, job_id)
    assert len(after) == len(stack.spans(job_id)) > len(before)
    assert {path: after[path] for path in before} == before
    heard = stack.transcript(job_id).text.split()
    assert abs(len(heard) - len(made.text.split())) <= 0.05 * len(heard)


def test_clips_that_share_a_run_survive_kill_9(
    patient_stack: Stack, speech: list[Clip], assemble: Callable[..., Assembly]
) -> None:
    """Those that have ended are left alone, and the others are transcribed once."""
    stack, texts = patient_stack, {}
    for at in range(CLIPS_TOGETHER):
        made = assemble(speech[at : at + 3], pause_s=1.1)
        texts[stack.submit(made.path)] = made.text
    jobs = list(texts)
    until(lambda: any(stack.job(job_id)["state"] == "completed" for job_id in jobs[2:]))
    done = {job_id: results(stack, job_id) for job_id in jobs if stack.job(job_id)["state"] == "completed"}
    runs = {job["flow_run_id"] for job_id in jobs if (job := stack.job(job_id))["flow_run_id"]}
    assert len(runs) < len(jobs)

    for process in VICTIMS["process that hears"](stack):
        process.kill()

    for job_id, text in texts.items():
        job = stack.wait_for(job_id, lambda job: job["state"] in {"completed", "failed"})
        assert (job["state"], job["attempt"] <= 2) == ("completed", True), job
        assert stack.transcript(job_id).text.split() == text.split()
    assert {job_id: results(stack, job_id) for job_id in done} == done
    assert len(done) < len(jobs)


def new_results(stack: Stack, known: set[Path]) -> set[Path]:
    """Return the results on storage beside the known ones."""
    return set((stack.store / "results").rglob("*.json")) - known


@pytest.mark.parametrize(
    "victim",
    ["process that hears", *(pytest.param(name, marks=pytest.mark.nightly) for name in ("web", "gpu worker"))],
)
def test_a_clip_that_was_begun_before_its_flow_run_survives_kill_9(
    victim: str, patient_stack: Stack, speech: list[Clip], assemble: Callable[..., Assembly]
) -> None:
    """Prefect stands still until the clip was heard and its process or another was killed."""
    stack, prefect = patient_stack, VICTIMS["prefect server"](patient_stack)
    for number in range(TRIES):
        made = assemble(speech[2:5], pause_s=1.2 + list(VICTIMS).index(victim) / 10 + number / 1000)
        stack.wait_for(stack.submit(assemble(speech[5:7], pause_s=1.3 + number / 1000).path), has_ended)
        time.sleep(1)  # the dispatcher's own questions are answered
        known = new_results(stack, set())
        for process in prefect:
            process.suspend()
        try:
            job_id = stack.submit(made.path)
            fresh = partial(new_results, stack, known)
            with suppress(AssertionError):  # it was just asking Prefect something
                until(fresh, within_s=10)
            heard = {path: path.stat().st_mtime for path in fresh()}
            if heard:
                assert (stack.job(job_id)["state"], stack.job(job_id)["flow_run_id"]) == ("queued", None)
                for process in VICTIMS[victim](stack):
                    process.kill()
        finally:
            for process in prefect:
                process.resume()
        job = stack.wait_for(job_id, has_ended)
        assert (job["state"], job["attempt"]) == ("completed", 1), job
        assert stack.transcript(job_id).text.split() == made.text.split()
        if heard:
            assert {path: path.stat().st_mtime for path in heard} == heard == results(stack, job_id)
            return
    raise AssertionError(f"none of {TRIES} clips was begun before its flow run")


def test_kill_9_of_the_supervisor_leaves_no_process_behind(patient_stack: Stack) -> None:
    """The last test of this platform, which does not start again."""
    assert patient_stack.process is not None
    assert len(patient_stack.processes()) > 4
    patient_stack.process.kill()
    patient_stack.process.wait()
    until(lambda: not patient_stack.processes(), within_s=60)
