"""Cancel, pause, retry and priority in the middle of a span, by API, command line and Prefect, within seconds."""

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.acceptance.conftest import Stack
from tests.conftest import PLAIN, Assembly, Clip
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.acceptance

ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
WITHIN_S = 5.0
BUSY_MACHINE = 8.0


class Console:
    """Prefect's API, as its pages use it."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def active(self, job_id: str) -> list[dict[str, Any]]:
        query = {"flow_runs": {"tags": {"all_": [f"job:{job_id}"]}}, "sort": "ID_DESC", "limit": 200}
        rows = self.http.post("/flow_runs/filter", json=query).raise_for_status().json()
        return [row for row in rows if row["state_type"] not in ENDED]

    def set_state(self, job_id: str, which: Callable[[dict[str, Any]], bool], **state: str) -> None:
        """Set a state of one of its runs; a span's may end meanwhile, then the next one is asked."""
        for _ in range(100):
            run = next((row for row in self.active(job_id) if row["state_type"] == "RUNNING" and which(row)), None)
            if run is None:
                continue
            answer = self.http.post(f"/flow_runs/{run['id']}/set_state", json={"state": state})
            if answer.json()["status"] == "ACCEPT":
                return
        raise AssertionError(f"no run of {job_id} could be set to {state}")

    def pause_queue(self, pool: str, queue: str, *, is_paused: bool) -> None:
        path = f"/work_pools/{pool}/queues/{queue}"
        self.http.patch(path, json={"is_paused": is_paused}).raise_for_status()

    def cancel_waiting_span(self, job_id: str) -> None:
        """Cancel a span's run that no worker takes, because its queue is paused."""
        run = self._waiting_span(job_id)
        self.http.post(f"/flow_runs/{run['id']}/set_state", json={"state": {"type": "CANCELLING"}}).raise_for_status()

    def _waiting_span(self, job_id: str) -> dict[str, Any]:
        until = time.monotonic() + WITHIN_S * BUSY_MACHINE
        while time.monotonic() < until:
            spans = [row for row in self.active(job_id) if "index" in row["parameters"]]
            if spans and all(row["state_type"] == "SCHEDULED" for row in spans):
                return spans[0]
            time.sleep(0.1)
        raise AssertionError("no span waits")


@pytest.fixture
def prefect(patient_stack: Stack) -> Iterator[Console]:
    user, _, password = patient_stack.prefect_auth.partition(":")
    with httpx.Client(base_url=f"{patient_stack.prefect}/api", auth=(user, password), timeout=PATIENCE_S) as http:
        yield Console(http)


def is_recording(run: dict[str, Any]) -> bool:
    return "slots" in run["parameters"]


def within(condition: Callable[[], bool], what: str) -> None:
    """Wait until it holds, for the promised seconds, or longer where the machine has other work."""
    until = time.monotonic() + WITHIN_S * BUSY_MACHINE
    while not condition():
        assert time.monotonic() < until, what
        time.sleep(0.1)


@pytest.mark.nightly
def test_what_people_decide_holds_in_the_middle_of_a_span(
    patient_stack: Stack, prefect: Console, speech: list[Clip], assemble: Callable[..., Assembly]
) -> None:
    stack = patient_stack
    clips = list(itertools.islice(itertools.cycle(speech), 300))
    job_id = stack.submit(assemble(clips).path)

    def job(field: str) -> Any:
        return stack.job(job_id)[field]

    def under_way() -> None:
        done = len(done_spans())
        stack.wait_for(job_id, lambda now: now["state"] == "transcribing" and len(done_spans()) > done)

    def done_spans() -> list[int]:
        return [row["index"] for row in stack.spans(job_id) if row["result"]]

    command = stack.transcriber
    key = {"Authorization": f"Bearer {command('admin', 'create-key', 'admin').strip()}"}

    def api(method: str, path: str = "", **body: str) -> None:
        httpx.request(
            method,
            f"{stack.url}/api/v1/jobs/{job_id}{path}",
            headers=key,
            json=body or None,
            timeout=PATIENCE_S,
            verify=PLAIN,
        )

    def quiet(state: str) -> None:
        within(lambda: job("state") == state, f"the job is not {state}")
        within(lambda: not prefect.active(job_id), "flow runs go on")

    under_way()
    api("POST", "/pause")
    quiet("queued")
    kept = done_spans()
    api("POST", "/resume")
    under_way()
    assert set(kept) <= set(done_spans())

    command("jobs", "cancel", job_id)
    quiet("cancelled")
    command("jobs", "retry", job_id)
    under_way()

    api("PATCH", lane="batch")
    within(lambda: any(is_recording(run) for run in prefect.active(job_id)), "it does not go on in its new lane")
    under_way()
    assert (job("lane"), job("attempt")) == ("batch", 4)

    prefect.set_state(job_id, is_recording, type="PAUSED", name="Suspended")
    quiet("queued")
    assert "paused in Prefect" in job("detail")
    assert "paused" in command("jobs", "list")
    command("jobs", "resume", job_id)
    under_way()

    prefect.pause_queue("gpu", "batch", is_paused=True)
    prefect.cancel_waiting_span(job_id)
    quiet("cancelled")
    prefect.pause_queue("gpu", "batch", is_paused=False)
    api("POST", "/retry")
    under_way()

    prefect.set_state(job_id, is_recording, type="CANCELLING", name="Cancelling")
    quiet("cancelled")
    api("POST", "/retry")
    assert (
        stack.wait_for(job_id, lambda now: now["state"] in {"completed", "failed"}, wait_s=240)["state"] == "completed"
    )
