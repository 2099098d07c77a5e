"""`/api/v1`: jobs for programs, and the page that describes it."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from httpx2 import Response

from dashboards import context
from storage import jobs, names
from storage.records import JobState
from storage.reports import DirectReporter, Failed
from tests.dashboards.site import ORIGIN, Site


@pytest.fixture
def ada(site: Site) -> dict[str, str]:
    return site.key_of(site.user("ada"))


def submit(site: Site, who: dict[str, str], data: bytes, **more: Any) -> Response:
    files, headers = {"file": (more.pop("name", "talk.wav"), data)}, who | more.pop("headers", {})
    return site.client.post("/api/v1/jobs", files=files, data=more, headers=headers)


def fail(job_id: str) -> None:
    with context.ledger().read() as con:
        attempt = jobs.get(con, job_id).attempt
    reporter = DirectReporter(context.ledger(), context.files())
    reporter.send(Failed(job_id=job_id, attempt=attempt, worker="w", error="out of luck; try again", code="test"))


def test_a_recording_sent_is_a_job_at_once(site: Site, ada: dict[str, str], tone: Callable[..., bytes]) -> None:
    answer = submit(site, ada, tone(), options='{"language": "German"}', lane="batch")
    assert answer.status_code == 201
    job = answer.json()
    assert (job["state"], job["name"], job["lane"], job["options"]["language"]) == ("queued", "talk.wav", "batch", "de")
    again = site.client.get(f"/api/v1/jobs/{job['id']}", headers=ada).json()
    assert again | {"detail": job["detail"]} == job  # the dispatcher may have said by now what it waits for


def test_a_track_that_the_file_does_not_have_is_refused_by_name(
    site: Site, ada: dict[str, str], tone: Callable[..., bytes]
) -> None:
    answer = submit(site, ada, tone(), options='{"audio_track": 3}')
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "no_such_track")
    assert "one audio track (0: pcm_s16le) and no track 3" in answer.json()["error"]["message"]


def test_the_tracks_of_a_recording_can_be_asked_for(
    site: Site, ada: dict[str, str], tone: Callable[..., bytes]
) -> None:
    job = submit(site, ada, tone(), options='{"channels": "split"}').json()
    assert job["options"]["channels"] == "split"
    media = site.client.get(f"/api/v1/jobs/{job['id']}/media", headers=ada).json()
    (track,) = media["tracks"]
    assert (track["index"], track["codec"], track["channels"], track["language"]) == (0, "pcm_s16le", 1, None)
    bob = site.key_of(site.user("bob"))
    assert site.client.get(f"/api/v1/jobs/{job['id']}/media", headers=bob).status_code == 404


def test_the_same_key_makes_one_job(site: Site, ada: dict[str, str], tone: Callable[..., bytes]) -> None:
    key = {"Idempotency-Key": "once"}
    first, second = (submit(site, ada, tone(), headers=key).json()["id"] for _ in range(2))
    assert first == second
    assert submit(site, ada, tone(2), headers=key).status_code == 400


def test_jobs_are_listed_by_pages_newest_first(site: Site, ada: dict[str, str], tone: Callable[..., bytes]) -> None:
    made = [submit(site, ada, tone()).json()["id"] for _ in range(5)][::-1]
    first = site.client.get("/api/v1/jobs?limit=3", headers=ada).json()
    assert [job["id"] for job in first["jobs"]] == made[:3]
    second = site.client.get(f"/api/v1/jobs?limit=3&before={first['next']}", headers=ada).json()
    assert [job["id"] for job in second["jobs"]] == made[3:]
    assert second["next"] is None


def test_jobs_are_listed_by_state(site: Site, ada: dict[str, str], tone: Callable[..., bytes]) -> None:
    failed, _ = (submit(site, ada, tone()).json()["id"] for _ in range(2))
    fail(failed)
    found = site.client.get("/api/v1/jobs?state=failed&state=cancelled", headers=ada).json()["jobs"]
    assert [(job["id"], job["error"]) for job in found] == [(failed, "out of luck; try again")]


def test_a_job_is_its_owners_and_the_administrators(
    site: Site, ada: dict[str, str], tone: Callable[..., bytes]
) -> None:
    job_id = submit(site, ada, tone()).json()["id"]
    bob, root = site.key_of(site.user("bob")), site.key_of(site.user("root"))
    for path in ("", "/transcript", "/files/srt", "/recording"):
        assert site.client.get(f"/api/v1/jobs/{job_id}{path}", headers=bob).status_code == 404
    for act in ("cancel", "retry"):
        assert site.client.post(f"/api/v1/jobs/{job_id}/{act}", headers=bob).status_code == 404
    assert site.client.delete(f"/api/v1/jobs/{job_id}", headers=bob).status_code == 404
    assert site.client.get("/api/v1/jobs", headers=bob).json()["jobs"] == []
    assert site.client.get("/api/v1/jobs?everybody=true", headers=bob).status_code == 403
    assert site.client.get(f"/api/v1/jobs/{job_id}", headers=root).status_code == 200
    assert len(site.client.get("/api/v1/jobs?everybody=true", headers=root).json()["jobs"]) == 1


def test_a_job_can_be_cancelled_retried_and_deleted(
    site: Site, ada: dict[str, str], tone: Callable[..., bytes]
) -> None:
    job = submit(site, ada, tone()).json()
    url = f"/api/v1/jobs/{job['id']}"
    assert site.client.delete(url, headers=ada).status_code == 409
    assert site.client.post(f"{url}/cancel", headers=ada).json()["state"] == "cancelled"
    retried = site.client.post(f"{url}/retry", headers=ada).json()
    assert (retried["state"], retried["attempt"]) == ("queued", 2)
    assert site.client.post(f"{url}/retry", headers=ada).json()["error"]["code"] == "job_moved"
    fail(job["id"])
    assert site.client.delete(url, headers=ada).status_code == 204
    assert site.client.get(url, headers=ada).status_code == 404
    assert context.files().exists(names.media_name(job["media_sha256"]))
    gone = site.client.get("/api/v1/deleted-jobs", headers=ada).json()["jobs"]
    assert [one["id"] for one in gone] == [job["id"]]
    assert site.client.post(f"{url}/restore", headers=site.key_of(site.user("bob"))).status_code == 404
    assert site.client.post(f"{url}/restore", headers=ada).json()["deleted_at"] is None
    assert site.client.get(url, headers=ada).status_code == 200


def test_a_reader_may_look_and_not_touch(site: Site, tone: Callable[..., bytes]) -> None:
    rex = site.key_of(site.user("rex"))
    assert submit(site, rex, tone()).status_code == 403
    assert site.client.get("/api/v1/jobs", headers=rex).status_code == 200
    assert site.client.get("/api/v1/me", headers=rex).json()["role"] == "reader"


def test_changes_reach_the_open_pages(site: Site, ada: dict[str, str], tone: Callable[..., bytes]) -> None:
    site.sign_in("ada")
    with site.client.websocket_connect("/events") as page:
        job_id = submit(site, ada, tone()).json()["id"]
        site.client.post(f"/api/v1/jobs/{job_id}/cancel", headers=ada)
        site.client.delete(f"/api/v1/jobs/{job_id}", headers=ada)
        news = {"state": "none"}
        while news["state"] != "deleted":
            news = page.receive_json()
            assert news["job_id"] == job_id


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/jobs/nobody", 404),
        ("GET", "/api/v1/jobs?limit=0", 400),
        ("GET", "/api/v1/jobs?state=lost", 400),
        ("GET", "/api/v1/jobs/nobody/files/exe", 400),
        ("GET", "/api/v1/nonsense", 404),
        ("GET", "/api/nonsense", 404),
        ("POST", "/api/v1/jobs", 400),
    ],
)
def test_errors_have_one_shape(site: Site, ada: dict[str, str], method: str, path: str, status: int) -> None:
    answer = site.client.request(method, path, headers=ada)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"code", "message", "type", "param"}


def test_a_session_may_use_the_api_from_our_own_pages(site: Site, tone: Callable[..., bytes]) -> None:
    site.sign_in("ada")
    assert submit(site, {}, tone()).status_code == 403
    assert submit(site, ORIGIN, tone()).status_code == 201


def test_the_description_is_complete(site: Site, ada: dict[str, str]) -> None:
    told = site.client.get("/api/openapi.json", headers=ada).json()
    assert set(told["paths"]) >= {"/v1/jobs", "/v1/jobs/{job_id}", "/v1/jobs/{job_id}/cancel", "/v1/me"}
    assert told["servers"] == [{"url": "/api"}]
    form = told["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(form["properties"]) == {"file", "options", "lane"}
    assert all(method["summary"] for path in told["paths"].values() for method in path.values())


def test_the_page_that_describes_it_takes_everything_from_here(site: Site, ada: dict[str, str]) -> None:
    page = site.client.get("/api/docs", headers=ada)
    assert page.headers["content-type"].startswith("text/html")
    assert "<script>" not in page.text
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(links) == 4
    assert not any("//" in link for link in links)
    for link in links:
        path = link if link.startswith("/") else f"/api/{link}"
        assert site.client.get(path, headers=ada).status_code == 200, path


def test_nothing_of_a_job_that_was_never_made_stays(site: Site, ada: dict[str, str]) -> None:
    answer = submit(site, ada, b"no sound at all" * 99, name="notes.txt")
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "audio_unreadable")
    assert list(context.current().shelf.folder.iterdir()) == []
    with context.ledger().read() as con:
        assert sum(jobs.counts(con).values()) == 0


def test_states_are_told_as_they_are_named(site: Site, ada: dict[str, str]) -> None:
    states = site.client.get("/api/openapi.json", headers=ada).json()["components"]["schemas"]["JobState"]["enum"]
    assert states == [state.value for state in JobState]


def test_a_vocabulary_is_kept_and_joins_the_jobs(site: Site, ada: dict[str, str], tone: Callable[..., bytes]) -> None:
    url = "/api/v1/vocabulary"
    assert site.client.get(url, headers=ada).json() == {"words": ""}
    kept = site.client.put(url, json={"words": "Zoë, Müller\nzoë"}, headers=ada)
    assert (kept.status_code, kept.json()) == (200, {"words": "Zoë\nMüller"})
    assert site.client.get(url, headers=ada).json() == kept.json()
    assert submit(site, ada, tone(), options='{"hotwords": "Berta"}').json()["options"]["hotwords"] == (
        "Berta, Zoë, Müller"
    )


def test_a_vocabulary_is_its_owners_alone_and_bounded(site: Site, ada: dict[str, str]) -> None:
    url, reader = "/api/v1/vocabulary", site.key_of(site.user("rex"))
    site.client.put(url, json={"words": "Zoë"}, headers=ada)
    assert site.client.get(url, headers=reader).json() == {"words": ""}
    assert site.client.put(url, json={"words": "x"}, headers=reader).status_code == 403
    refused = site.client.put(url, json={"words": "x" * 100}, headers=ada)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "words")
