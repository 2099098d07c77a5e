"""A flow run's artifacts in the Prefect UI."""

from typing import Any

from prefect.client.orchestration import PrefectClient

from flows.runs.artifacts import forget_transcripts
from storage.domain.clock import new_id
from tests.flows.conftest import Server, Worker


def artifact(server: Server, key: str) -> dict[str, Any]:
    (found,) = server.http.post("/artifacts/filter", json={"artifacts": {"key": {"any_": [key]}}}).json()
    made: dict[str, Any] = found
    return made


def test_a_recording_has_a_full_bar_and_a_summary_without_its_text(server: Server, worker: Worker) -> None:
    job_id = new_id()

    server.end(server.start("shown", job_id=job_id))

    assert artifact(server, f"progress-{job_id}")["data"] == 100
    assert "| language | en |" in artifact(server, f"summary-{job_id}")["data"]
    assert "Good morning" not in server.http.post("/artifacts/filter", json={}).text


async def test_texts_of_earlier_versions_are_deleted(server: Server) -> None:
    for key in (f"transcript-{new_id()}", f"transcript-{new_id()}", "progress-of-a-transcript-1"):
        server.http.post("/artifacts/", json={"key": key, "type": "markdown", "data": "said"}).raise_for_status()

    async with PrefectClient(server.api_url) as client:
        assert await forget_transcripts(client) == 2
        assert await forget_transcripts(client) == 0

    assert artifact(server, "progress-of-a-transcript-1")["data"] == "said"
