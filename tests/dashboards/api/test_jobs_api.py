"""`/api/v1`: jobs for programs, and the page that describes it."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from duckdb import DuckDBPyConnection
from httpx2 import Response

from dashboards.runtime import context
from storage.accounts import vocabulary
from storage.domain import names
from storage.domain.errors import EmptyUpload
from storage.domain.job_messages import encode, raised
from storage.domain.records import JobState, Options
from storage.jobs import job_store
from storage.jobs.reports import Failed
from storage.ledger import audit
from storage.remote.service_tokens import operator_token
from tests.dashboards.site import ORIGIN, Site
from tests.factories import DirectReporter, job_in

pytestmark = pytest.mark.shared_site


@pytest.fixture
def ada(site: Site) -> dict[str, str]:
    return site.key_of(site.user("ada"))


def submit(site: Site, who: dict[str, str], data: bytes, **more: Any) -> Response:
    files, headers = {"file": (more.pop("name", "talk.wav"), data)}, who | more.pop("headers", {})
    return site.client.post("/api/v1/jobs", files=files, data=more, headers=headers)


def as_an_older_version(con: DuckDBPyConnection, /, job_id: str, **values: str | None) -> None:
    """Store sentences in a job, as versions before message codes did."""
    con.execute(
        "UPDATE jobs SET detail = $detail, error = $error, state = $state WHERE id = $id", {"id": job_id, **values}
    )


def fail(job_id: str, error: str = "out of luck; try again") -> None:
    with context.ledger().read() as con:
        attempt = job_store.get(con, job_id).attempt
    reporter = DirectReporter(context.ledger(), context.files())
    reporter.send(Failed(job_id=job_id, attempt=attempt, worker="w", error=error, code="test"))


def test_a_recording_sent_is_a_job_at_once(site: Site, ada: dict[str, str], tone: Callable[..., bytes]) -> None:
    answer = submit(site, ada, tone(), options='{"language": "German"}', lane="batch")
    assert answer.status_code == 201
    job = answer.json()
    assert (job["state"], job["name"], job["lane"], job["options"]["language"]) == ("queued", "talk.wav", "batch", "de")
    assert job["duration_s"] == 1.0
    again = site.client.get(f"/api/v1/jobs/{job['id']}", headers=ada).json()
    assert again | {"detail": job["detail"]} == job  # the dispatcher may have said by now what it waits for


def test_what_an_older_version_said_about_a_job_is_shown_unchanged(
    site: Site, ada: dict[str, str], tone: Callable[..., bytes]
) -> None:
    waiting, failed = [submit(site, ada, tone(hz=hz)).json()["id"] for hz in (300, 400)]
    said, error = "waiting: retrying every 10 s; storage did not answer {x}", "bad.wav is empty; send it again"
    context.ledger().run(as_an_older_version, waiting, detail=said, error=None, state="cancelled")
    context.ledger().run(as_an_older_version, failed, detail="", error=error, state="failed")
    answers = [site.client.get(f"/api/v1/jobs/{ident}", headers=ada).json() for ident in (waiting, failed)]
    assert [(job["detail"], job["error"]) for job in answers] == [(said, None), ("", error)]


def test_a_model_in_a_folder_has_the_folders_name_in_every_answer(site: Site, ada: dict[str, str]) -> None:
    folder = "/srv/models/tiny/"
    by: dict[str, Any] = {"model": folder, "options": Options(model=folder)}
    job = job_in(context.ledger(), context.files(), site.user("ada"), JobState.COMPLETED, **by)
    answer = site.client.get(f"/api/v1/jobs/{job.id}", headers=ada)
    assert (answer.json()["model"], answer.json()["options"]["model"]) == ("tiny", "tiny")
    listed = site.client.get("/api/v1/jobs", headers=ada)
    for text in (answer.text, listed.text):
        assert "/srv" not in text


def test_what_a_job_stores_is_a_code_and_what_the_api_shows_are_words(
    site: Site, ada: dict[str, str], tone: Callable[..., bytes]
) -> None:
    job_id = submit(site, ada, tone()).json()["id"]
    error = EmptyUpload("talk.wav")
    fail(job_id, encode(raised(error)))
    assert site.client.get(f"/api/v1/jobs/{job_id}", headers=ada).json()["error"] == str(error)
    with context.ledger().read() as con:
        assert "is empty" not in (job_store.get(con, job_id).error or "")
        assert audit.page(con, subject=job_id, limit=1)[0].detail["error"]["args"] == ["talk.wav"]
    context.ledger().run(job_store.retry, job_id, actor="system:test")
    context.ledger().run(job_store.cancel, job_id, actor="system:test")
    assert site.client.get(f"/api/v1/jobs/{job_id}", headers=ada).json()["detail"] == "cancelled"


def test_a_track_that_the_file_does_not_have_is_refused_by_name(
    site: Site, ada: dict[str, str], tone: Callable[..., bytes]
) -> None:
    answer = submit(site, ada, tone(), options='{"audio_track": 3}')
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "no_such_track")
    assert "one audio track (0: pcm_s16le) and no track 3" in answer.json()["error"]["message"]


@pytest.mark.parametrize("model", ["two words", "../models/base", "base\n"])
def test_what_is_no_name_of_a_model_is_refused_in_words(
    site: Site, ada: dict[str, str], tone: Callable[..., bytes], model: str
) -> None:
    refused = submit(site, ada, tone(), options=json.dumps({"model": model}))
    assert refused.status_code == 400
    assert refused.json()["error"]["message"] == (
        f"model: {model!r} is no name of a model, such as base, large-v3 or owner/name; GET /v1/models lists them"
    )


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


@pytest.mark.own_site
def test_the_same_key_with_another_recording_or_other_options_is_refused(
    site: Site, ada: dict[str, str], tone: Callable[..., bytes]
) -> None:
    key = {"Idempotency-Key": "once"}
    asked = '{"language": "de"}'
    first = submit(site, ada, tone(), headers=key, options=asked).json()["id"]
    context.ledger().run(vocabulary.set_words, site.user("ada").id, "Nuuk", actor="system:test")
    assert submit(site, ada, tone(), headers=key, options=asked).json()["id"] == first
    others = [submit(site, ada, tone(2), headers=key, options=asked), submit(site, ada, tone(), headers=key)]
    assert [(answer.status_code, answer.json()["error"]["code"]) for answer in others] == [
        (422, "idempotency_key_reused"),
        (422, "idempotency_key_reused"),
    ]
    assert len(site.client.get("/api/v1/jobs", headers=ada).json()["jobs"]) == 1


@pytest.mark.own_site
def test_jobs_are_listed_by_pages_newest_first(site: Site, ada: dict[str, str], tone: Callable[..., bytes]) -> None:
    made = [submit(site, ada, tone()).json()["id"] for _ in range(5)][::-1]
    first = site.client.get("/api/v1/jobs?limit=3", headers=ada).json()
    assert [job["id"] for job in first["jobs"]] == made[:3]
    second = site.client.get(f"/api/v1/jobs?limit=3&before={first['next']}", headers=ada).json()
    assert [job["id"] for job in second["jobs"]] == made[3:]
    assert second["next"] is None


@pytest.mark.own_site
def test_jobs_are_listed_by_state(site: Site, ada: dict[str, str], tone: Callable[..., bytes]) -> None:
    failed, _ = (submit(site, ada, tone()).json()["id"] for _ in range(2))
    fail(failed)
    found = site.client.get("/api/v1/jobs?state=failed&state=cancelled", headers=ada).json()["jobs"]
    assert [(job["id"], job["error"]) for job in found] == [(failed, "out of luck; try again")]


@pytest.mark.own_site
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


def test_a_recording_is_renamed_by_whoever_may(site: Site, ada: dict[str, str], tone: Callable[..., bytes]) -> None:
    job = submit(site, ada, tone()).json()
    url = f"/api/v1/jobs/{job['id']}"
    ending = Path(job["name"]).suffix
    renamed = site.client.patch(url, headers=ada, json={"name": "Board meeting"})
    assert renamed.json()["name"] == f"Board meeting{ending}"
    assert site.client.get(url, headers=ada).json()["name"] == f"Board meeting{ending}"
    assert site.client.patch(url, headers=ada, json={"name": " "}).status_code == 400
    assert site.client.patch(url, headers=ada, json={"name": "x" * 300}).status_code == 400
    for name, status in (("bob", 404), ("rex", 403), ("root", 200)):
        other = site.key_of(site.user(name))
        assert site.client.patch(url, headers=other, json={"name": "Mine"}).status_code == status, name
    operator = {"Authorization": f"Bearer {operator_token(site.settings).get_secret_value()}"}
    order = {"job": job["id"], "name": "By command", "actor": "cli:test"}
    told = site.client.post("/internal/v1/admin/names", headers=operator, json=order)
    assert told.json() == {"id": job["id"], "name": f"By command{ending}"}


def test_metadata_stays_with_the_job(site: Site, ada: dict[str, str], tone: Callable[..., bytes]) -> None:
    job = submit(site, ada, tone(), metadata='{"case": "2026-117", "<b>": "x"}').json()
    assert site.client.get(f"/api/v1/jobs/{job['id']}", headers=ada).json()["metadata"] == {
        "<b>": "x",
        "case": "2026-117",
    }
    assert submit(site, ada, tone(seconds=2), metadata="case=2026").status_code == 400


def test_a_recording_gets_tags_and_is_found_by_them(
    site: Site, ada: dict[str, str], tone: Callable[..., bytes]
) -> None:
    job = submit(site, ada, tone(), tags="Board, 2026").json()
    submit(site, ada, tone(seconds=2))
    assert job["tags"] == ["2026", "board"]
    url = f"/api/v1/jobs/{job['id']}"
    both = site.client.patch(url, headers=ada, json={"name": "Meeting", "tags": ["Board", "Q3"]}).json()
    assert (both["name"].split(".")[0], both["tags"]) == ("Meeting", ["board", "q3"])
    assert site.client.patch(url, headers=ada, json={"name": "Other"}).json()["tags"] == ["board", "q3"]
    for tag, found in (("Q3", [job["id"]]), ("q", []), ("2026", [])):
        listed = site.client.get("/api/v1/jobs", params={"tag": tag}, headers=ada).json()["jobs"]
        assert [one["id"] for one in listed] == found, tag
    assert site.client.get("/api/v1/jobs", params={"tag": "#"}, headers=ada).status_code == 400
    for wrong in ({"tags": ["x" * 41]}, {"tags": [""]}, {"name": "Not this", "tags": ["x"] * 201}, {}):
        assert site.client.patch(url, headers=ada, json=wrong).status_code == 400
    assert site.client.get(url, headers=ada).json()["name"].startswith("Other.")
    for name, status in (("bob", 404), ("rex", 403), ("root", 200)):
        other = site.key_of(site.user(name))
        assert site.client.patch(url, headers=other, json={"tags": []}).status_code == status, name


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


@pytest.mark.own_site
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
    assert set(form["properties"]) == {
        "file",
        "options",
        "tags",
        "metadata",
        "lane",
        "input_format",
        "sample_rate",
        "input_channels",
    }
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


@pytest.mark.own_site
def test_nothing_of_a_job_that_was_never_made_stays(site: Site, ada: dict[str, str]) -> None:
    answer = submit(site, ada, b"no sound at all" * 99, name="notes.txt")
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "audio_unreadable")
    assert list(context.current().shelf.folder.iterdir()) == []
    with context.ledger().read() as con:
        assert sum(job_store.counts(con).values()) == 0


def test_states_are_reported_by_name(site: Site, ada: dict[str, str]) -> None:
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
