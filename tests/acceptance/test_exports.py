"""Exports on the whole platform, made by a real worker with other settings."""

import io
import json
from collections.abc import Iterator

import httpx
import pytest
import srt
from docx import Document

from flows.platform import deploy
from tests.acceptance.conftest import Stack
from tests.conftest import SAMPLE
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def http(stack: Stack) -> Iterator[httpx.Client]:
    """A client with the key of a user of its own."""
    headers = {"Authorization": f"Bearer {stack.key_of('exporter')}"}
    with httpx.Client(base_url=stack.url, headers=headers, timeout=PATIENCE_S) as made:
        yield made


def sent(stack: Stack, http: httpx.Client, **options: object) -> str:
    with SAMPLE.open("rb") as recording:
        form = {"options": json.dumps(options)}
        job_id = str(http.post("/api/v1/jobs", data=form, files={"file": recording}).raise_for_status().json()["id"])
    stack.wait_for(job_id, lambda job: job["state"] in {"completed", "failed"})
    return job_id


def runs_of(stack: Stack, deployment: str) -> int:
    with deploy.prefect_http(f"{stack.prefect}/api", auth=stack.prefect_auth) as prefect:
        asked = {"deployments": {"name": {"any_": [deployment]}}}
        return int(prefect.post("/flow_runs/count", json=asked).json())


def stored(stack: Stack, job_id: str) -> list[str]:
    folder = stack.data_dir / "store" / "exports" / job_id[-2:] / job_id
    return sorted(path.suffix for path in folder.glob("*"))


def test_any_form_is_made_again_without_listening(stack: Stack, http: httpx.Client) -> None:
    job_id = sent(stack, http)
    assert stored(stack, job_id) == [".json", ".srt", ".tsv", ".txt", ".vtt"]
    heard, made = runs_of(stack, "transcribe-span"), runs_of(stack, "export-transcript")

    document = Document(io.BytesIO(http.get(f"/api/v1/jobs/{job_id}/exports/docx").raise_for_status().content))
    assert any("meeting" in paragraph.text for paragraph in document.paragraphs)
    narrow = http.get(f"/downloads/{job_id}/srt", params={"max_line_width": 18, "max_line_count": 1}).raise_for_status()
    assert all(len(cue.content) <= 18 for cue in srt.parse(narrow.text))
    assert http.get(f"/downloads/{job_id}/srt").raise_for_status().text != narrow.text

    assert (runs_of(stack, "transcribe-span"), runs_of(stack, "export-transcript")) == (heard, made + 2)
    assert len(stored(stack, job_id)) == 7


def test_a_job_may_say_which_files_it_wants_and_how_they_look(stack: Stack, http: httpx.Client) -> None:
    job_id = sent(stack, http, formats=["docx", "vtt"], cues={"highlight_words": True})

    assert stored(stack, job_id) == [".docx", ".vtt"]
    assert "<00:00:" in http.get(f"/downloads/{job_id}/vtt").text


def test_a_file_waits_for_a_worker_that_is_away(stack: Stack, http: httpx.Client) -> None:
    job_id = sent(stack, http)
    (worker, *_) = stack.processes_like("worker", "cpu")
    worker.kill()

    def answer() -> int:
        told = http.get(f"/downloads/{job_id}/zip")
        assert told.status_code != 503 or int(told.headers["retry-after"]) > 0
        return told.status_code

    assert until(lambda: (status := answer()) != 503 and status) == 200
