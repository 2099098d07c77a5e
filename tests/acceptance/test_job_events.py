"""The end of a job is an event at Prefect, and an automation starts a flow of other people's with it."""

import time
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.acceptance.conftest import Stack
from tests.conftest import SAMPLE
from tests.waiting import PATIENCE_S
from transcriber.client.prefect import trigger_of

pytestmark = pytest.mark.acceptance

ROOT = Path(__file__).parents[2]


def until_told(prefect: httpx.Client, job_id: str) -> list[dict[str, Any]]:
    """Return the job's events; Prefect stores them a moment after automations have seen them."""
    wanted = {"filter": {"event": {"prefix": ["transcriber."]}, "order": "DESC"}}
    end = time.monotonic() + PATIENCE_S
    while True:
        events = prefect.post("/events/filter", json=wanted).raise_for_status().json()["events"]
        if told := [one for one in events if one["payload"].get("job_id") == job_id]:
            return list(told)
        assert time.monotonic() < end, "Prefect stored no event of the job"
        time.sleep(0.5)


def test_a_completed_job_starts_a_flow_downstream(stack: Stack, tmp_path: Path) -> None:
    user, _, password = stack.prefect_auth.partition(":")
    trigger = trigger_of("transcriber.job.completed", {"folder": str(tmp_path), "name": "{{ event.payload.job_id }}"})
    with httpx.Client(base_url=f"{stack.prefect}/api", auth=(user, password), timeout=PATIENCE_S) as prefect:
        body = {
            "name": "downstream",
            "flow_id": prefect.post("/flows/", json={"name": "mark"}).raise_for_status().json()["id"],
            "entrypoint": "tests/flows/small_flows.py:mark",
            "path": str(ROOT),
            "work_pool_name": "cpu",
            "work_queue_name": "interactive",
            "enforce_parameter_schema": False,
        }
        deployment = prefect.post("/deployments/", json=body).raise_for_status().json()["id"]
        trigger.set_deployment_id(UUID(deployment))
        automation = trigger.as_automation().model_dump(mode="json")
        made = prefect.post("/automations/", json=automation).raise_for_status().json()["id"]
        try:
            time.sleep(1)  # Prefect reads new automations a moment later
            job_id = stack.submit(SAMPLE)
            stack.wait_for(job_id, lambda job: job["state"] == "completed")
            end = time.monotonic() + PATIENCE_S
            while not (tmp_path / job_id).exists():
                assert time.monotonic() < end, prefect.post("/flow_runs/filter", json={}).text
                time.sleep(0.1)
            told = until_told(prefect, job_id)
        finally:
            prefect.delete(f"/automations/{made}")
            prefect.delete(f"/deployments/{deployment}")
    assert [one["event"] for one in told] == ["transcriber.job.completed"]
    assert "meeting" not in str(told)  # what is said in the sample
