"""Transcripts, versions and notes over HTTP: permissions, refusals and events."""

import gzip
import json
from typing import Any

import pytest

from storage.domain.records import Job
from tests.dashboards.heard import LINES, hear
from tests.dashboards.site import ORIGIN, Site

pytestmark = pytest.mark.shared_site


@pytest.fixture
def job(site: Site) -> Job:
    return hear(site.user("ada"))


@pytest.fixture
def ada(site: Site) -> dict[str, str]:
    return site.key_of(site.user("ada"))


def edit(site: Site, job: Job, headers: dict[str, str], text: str, *, version: int = 1) -> Any:
    first = {"from": [0], "start_s": 0.2, "end_s": 3.6, "text": text}
    body = {"version": version, "segments": [first, 1, 2, 3, 4], "note": "by a program"}
    return site.client.put(f"/api/v1/jobs/{job.id}/transcript", json=body, headers=headers)


def texts(site: Site, job: Job, headers: dict[str, str]) -> list[str]:
    answer = site.client.get(f"/api/v1/jobs/{job.id}/transcript", headers=headers)
    return [one["text"].strip() for one in answer.json()["segments"]]


def test_an_edit_is_saved_and_seen_and_can_be_taken_back(site: Site, job: Job, ada: dict[str, str]) -> None:
    url = f"/api/v1/jobs/{job.id}"
    assert texts(site, job, ada) == list(LINES)
    before = site.client.get(f"{url}/transcript", headers=ada).headers["etag"]
    saved = edit(site, job, ada, "Good evening, and welcome to the harbour meeting.")
    assert (saved.status_code, saved.json()["version"], saved.json()["made_by"]) == (200, 2, "ada")
    answer = site.client.get(f"{url}/transcript", headers=ada | {"If-None-Match": before})
    assert (answer.status_code, answer.json()["version"]) == (200, 2)
    words = answer.json()["segments"][0]["words"]
    assert (words[1]["text"], words[1]["probability"]) == (" evening,", 1.0)
    assert words[2]["start_s"] == pytest.approx(0.2 + 2 * 3.4 / 8)
    listed = site.client.get(f"{url}/versions", headers=ada).json()
    assert [(one["version"], one["made_by"], one["note"]) for one in listed] == [
        (2, "ada", "by a program"),
        (1, "engine", ""),
    ]
    (change,) = site.client.get(f"{url}/versions/2/changes", headers=ada).json()
    assert (change["before"], change["after"][0][:12]) == ([LINES[0]], "Good evening")
    assert site.client.get(f"{url}/versions/1", headers=ada).json()["version"] == 1
    back = site.client.post(f"{url}/versions/1/restore", json={"version": 2}, headers=ada)
    assert back.json()["version"] == 3
    assert texts(site, job, ada) == list(LINES)


def test_files_of_the_version_before_are_not_served_as_todays(site: Site, job: Job, ada: dict[str, str]) -> None:
    before = site.client.get(f"/downloads/{job.id}/srt", headers=ada)
    assert (before.status_code, before.content) == (200, b"WEBVTT\n")
    edit(site, job, ada, "Good evening.")
    after = site.client.get(f"/downloads/{job.id}/srt", headers=ada)
    assert after.content != before.content


def test_an_edit_from_an_old_version_is_a_conflict_that_says_what_to_do(
    site: Site, job: Job, ada: dict[str, str]
) -> None:
    edit(site, job, ada, "First.")
    late = edit(site, job, ada, "Second.")
    assert (late.status_code, late.json()["error"]["code"]) == (409, "transcript_moved")
    assert "reapply your changes" in late.json()["error"]["message"]
    assert texts(site, job, ada)[0] == "First."
    assert edit(site, job, ada, "Second.", version=2).status_code == 200


def test_readers_and_others_change_nothing(site: Site, job: Job, ada: dict[str, str]) -> None:
    assert edit(site, job, site.key_of(site.user("rex")), "x").status_code == 403
    assert edit(site, job, site.key_of(site.user("bob")), "x").status_code == 404
    bob = site.key_of(site.user("bob"))
    for path in ("transcript", "versions", "versions/1", "versions/1/changes", "notes"):
        assert site.client.get(f"/api/v1/jobs/{job.id}/{path}", headers=bob).status_code == 404
    readers = hear(site.user("rex"), name="own.flac")
    rex = site.key_of(site.user("rex"))
    assert texts(site, readers, rex) == list(LINES)
    assert edit(site, readers, rex, "x").status_code == 403
    assert site.client.post(f"/api/v1/jobs/{readers.id}/notes", json={"text": "x"}, headers=rex).status_code == 403
    assert edit(site, job, site.key_of(site.user("root")), "An administrator may.").status_code == 200


def test_the_page_needs_to_be_ours_to_save(site: Site, job: Job) -> None:
    site.sign_in("ada")
    assert edit(site, job, {"Origin": "http://elsewhere.example"}, "x").json()["error"]["code"] == "cross_site"
    assert edit(site, job, {}, "x").status_code == 403
    assert edit(site, job, ORIGIN, "Saved by the page.").status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"version": 1},
        {"version": 0, "segments": []},
        {"version": 1, "segments": [17]},
        {"version": 1, "segments": [{"start_s": 2, "end_s": 1, "text": "x"}]},
        {"version": 1, "segments": [{"start_s": 0, "end_s": 1, "text": "x", "colour": "red"}]},
    ],
)
def test_a_body_that_makes_no_sense_is_refused_in_words(
    site: Site, job: Job, ada: dict[str, str], body: dict[str, Any]
) -> None:
    answer = site.client.put(f"/api/v1/jobs/{job.id}/transcript", json=body, headers=ada)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")


def test_notes_are_written_changed_and_removed(site: Site, job: Job, ada: dict[str, str]) -> None:
    url = f"/api/v1/jobs/{job.id}/notes"
    made = site.client.post(url, json={"text": "check the time", "at_s": 4.5}, headers=ada)
    assert (made.status_code, made.json()["made_by"]) == (201, "ada")
    one = f"{url}/{made.json()['id']}"
    assert site.client.put(one, json={"text": "nine it is"}, headers=ada).json()["at_s"] is None
    assert [note["text"] for note in site.client.get(url, headers=ada).json()] == ["nine it is"]
    assert site.client.delete(one, headers=ada).status_code == 204
    assert site.client.delete(one, headers=ada).status_code == 404
    assert site.client.post(url, json={"text": " "}, headers=ada).status_code == 400


def test_a_long_transcript_comes_packed(site: Site, ada: dict[str, str]) -> None:
    job = hear(site.user("ada"), name="long.flac", lines=LINES * 20)
    with site.client.stream("GET", f"/api/v1/jobs/{job.id}/transcript", headers=ada) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert len(json.loads(gzip.decompress(raw))["segments"]) == 100


def test_the_documentation_tells_of_editing(site: Site, ada: dict[str, str]) -> None:
    paths = site.client.get("/api/openapi.json", headers=ada).json()["paths"]
    assert {"get", "put"} <= paths["/v1/jobs/{job_id}/transcript"].keys()
    assert "/v1/jobs/{job_id}/versions/{number}/restore" in paths
