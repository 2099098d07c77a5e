"""What a run puts up in the Prefect UI."""

from typing import Any

from storage.clock import new_id
from tests.flows.conftest import Server, Worker


def artifact(server: Server, key: str) -> dict[str, Any]:
    (found,) = server.http.post("/artifacts/filter", json={"artifacts": {"key": {"any_": [key]}}}).json()
    made: dict[str, Any] = found
    return made


def test_a_recording_has_a_full_bar_and_its_transcript(server: Server, worker: Worker) -> None:
    job_id = new_id()

    server.end(server.start("shown", job_id=job_id))

    assert artifact(server, f"progress-{job_id}")["data"] == 100
    assert "Good morning." in artifact(server, f"transcript-{job_id}")["data"]
