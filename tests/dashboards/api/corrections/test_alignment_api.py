"""A corrected text by the API: asked for, followed, saved as a version, refused, cancelled, lost."""

import time
from collections.abc import Sequence
from typing import Any

import pytest

from dashboards.clients.prefect_runs import PrefectRun
from dashboards.runtime import context
from storage.domain import names
from storage.domain.clock import utc_now
from storage.domain.records import AlignedText, Job, Transcript, Word, from_json, to_json
from storage.transcripts.word_alignment import shared_out
from tasks.assembly.text_alignment import aligned_text
from tests.dashboards.heard import LINES, hear
from tests.dashboards.site import Site
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.shared_site


class PlayedRuns:
    """Prefect, which starts a run and says how it is."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.state = "running"

    async def align(self, job: Job, parameters: dict[str, Any], *, key: str) -> PrefectRun:
        assert key == parameters["alignment_id"]
        assert job.name
        self.asked.append(parameters)
        return self._run(key)

    async def by_id(self, ids: Sequence[str]) -> dict[str, PrefectRun]:
        return {ident: self._run(ident) for ident in ids}

    def _run(self, ident: str) -> PrefectRun:
        return PrefectRun(id=ident, state=self.state, message="", since=utc_now(), job_id=None, attempt=None)


class Desk:
    """A recording, its owner, and a worker that can be told to work."""

    def __init__(self, site: Site, runs: PlayedRuns) -> None:
        self.site, self.runs = site, runs
        self.job = hear(site.user("ada"))
        self.key = site.key_of(site.user("ada"))
        self.url = f"/api/v1/jobs/{self.job.id}"

    def send(self, text: str, *, version: int = 1, key: dict[str, str] | None = None) -> Any:
        body = {"version": version, "text": text}
        return self.site.client.post(f"{self.url}/alignment", json=body, headers=key or self.key)

    def get(self, path: str) -> Any:
        return self.site.client.get(f"{self.url}{path}", headers=self.key).json()

    def report(self, **told: Any) -> Any:
        path = f"/internal/v1/alignments/{self.runs.asked[-1]['alignment_id']}"
        return self.site.client.post(path, json={"worker": "gpu-1"} | told, headers=self.site.worker)

    def work(self) -> None:
        """Do what the flow does, with times shared out."""
        files, asked = context.files(), self.runs.asked[-1]
        before = from_json(Transcript, files.read(asked["stored_as"]))

        def align(start_s: float, end_s: float, text: str) -> list[Word]:
            return shared_out([f" {word}" for word in text.split()], start_s, end_s)

        found = aligned_text(before, files.read(asked["text"]).decode(), align=align)
        segments, findings = found.transcript.segments, found.transcript.findings
        made = AlignedText(
            segments=segments, findings=findings, share=found.share, words=found.words, timed=found.timed
        )
        files.create(asked["result"], to_json(made))


@pytest.fixture
def desk(site: Site) -> Desk:
    runs, until_s = PlayedRuns(), time.monotonic() + PATIENCE_S
    while context.current().runs is None:  # the app's own connection, to nobody
        assert time.monotonic() < until_s
        time.sleep(0.01)
    context.current().runs = runs  # type: ignore[assignment]
    return Desk(site, runs)


TEXT = "\n".join(["Anna: " + LINES[0], LINES[1].replace("ferry", "big ferry"), *LINES[2:]])


def test_a_text_becomes_the_next_version_and_can_be_undone(desk: Desk) -> None:
    assert desk.get("/alignment") is None
    answer = desk.send(TEXT)
    assert (answer.status_code, answer.json()["state"]) == (202, "queued")
    assert desk.report(state="running", progress=0.5).json()["progress"] == 0.5
    assert desk.get("/alignment")["state"] == "running"
    desk.work()
    assert desk.report(state="done").json()["state"] == "done"
    assert desk.report(state="done").json()["version"] == 2  # an answer that was lost
    found = desk.get("/alignment")
    assert (found["state"], found["version"], found["progress"]) == ("done", 2, 1.0)
    assert found["detail"].startswith("Aligned text: 97% of ")
    first, second = desk.get("/transcript")["segments"][:2]
    assert (first["speaker"], first["text"].strip()) == ("Anna", LINES[0])
    assert "big ferry" in second["text"]
    version = desk.get("/versions")[0]
    assert (version["version"], version["made_by"]) == (2, "ada")
    assert version["note"].startswith("Aligned text")
    undone = desk.site.client.post(f"{desk.url}/versions/1/restore", json={"version": 2}, headers=desk.key)
    assert undone.json()["version"] == 3
    assert "big ferry" not in desk.get("/transcript")["segments"][1]["text"]
    assert list(context.files().list(names.alignments_folder(desk.job.id))) == []


def test_a_refused_text_changes_nothing(desk: Desk) -> None:
    desk.send("something else")
    desk.report(state="refused", detail="only 0% of the text's words are in the recording")
    assert desk.get("/alignment")["state"] == "refused"
    assert "only 0%" in desk.get("/alignment")["detail"]
    assert desk.get("/transcript")["version"] == 1
    assert desk.send(TEXT).status_code == 202


def test_one_text_at_a_time_which_may_be_cancelled(desk: Desk) -> None:
    desk.send(TEXT)
    again = desk.send(TEXT)
    assert (again.status_code, again.json()["code"]) == (409, "alignments_busy")
    assert desk.site.client.delete(f"{desk.url}/alignment", headers=desk.key).json()["state"] == "cancelled"
    assert desk.report(state="running", progress=0.9).json()["state"] == "cancelled"
    assert desk.send(TEXT).status_code == 202


def test_a_version_that_was_saved_meanwhile_is_kept(desk: Desk) -> None:
    desk.send(TEXT)
    desk.work()
    saved = {"version": 1, "segments": [0, 1, 2, 3]}
    assert desk.site.client.put(f"{desk.url}/transcript", json=saved, headers=desk.key).status_code == 200
    assert desk.report(state="done").json()["state"] == "refused"
    assert "is at version 2" in desk.get("/alignment")["detail"]
    assert desk.send(TEXT, version=1).json()["code"] == "transcript_moved"


def test_a_run_that_ended_without_a_report_is_not_waited_for(desk: Desk) -> None:
    desk.send(TEXT)
    desk.runs.state = "crashed"
    assert desk.get("/alignment")["state"] == "failed"
    assert "ended without a result" in desk.get("/alignment")["detail"]


def test_only_who_may_edit_sends_a_text_and_only_workers_report(desk: Desk) -> None:
    other = desk.site.key_of(desk.site.user("bob"))
    assert desk.send(TEXT, key=other).status_code == 404
    assert desk.send("  \n ").status_code == 400
    desk.send(TEXT)
    path = f"/internal/v1/alignments/{desk.runs.asked[-1]['alignment_id']}"
    told = {"worker": "gpu-1", "state": "done"}
    assert desk.site.client.post(path, json=told, headers=desk.key).status_code in {401, 403}
    assert desk.site.client.post(path, json={"state": "so"}, headers=desk.site.worker).status_code == 400
