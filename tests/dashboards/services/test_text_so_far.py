"""The text so far over HTTP: parts, positions, permissions and completion."""

from typing import Any

import pytest

from dashboards.runtime import context
from storage.domain import names
from storage.jobs import intake, job_store
from tests.dashboards.heard import LINES, Growing
from tests.dashboards.site import ORIGIN, Site

pytestmark = pytest.mark.shared_site


@pytest.fixture
def growing(site: Site) -> Growing:
    return Growing(site.user("ada"))


@pytest.fixture
def ada(site: Site) -> dict[str, str]:
    return site.key_of(site.user("ada"))


def ask(site: Site, growing: Growing, headers: dict[str, str], **query: Any) -> Any:
    return site.client.get(
        f"/api/v1/jobs/{growing.job.id}/transcript", params={"partial": "true", **query}, headers=headers
    )


def texts(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [segment["text"].strip() for segment in answer.json()["segments"]]


def test_it_grows_and_says_how_far_it_is(site: Site, growing: Growing, ada: dict[str, str]) -> None:
    growing.say(2)
    growing.say(1)
    answer = ask(site, growing, ada)
    told = answer.json()
    assert texts(answer) == list(LINES[:3])
    assert (told["partial"], told["parts"], told["attempt"], told["until_s"]) == (
        True,
        2,
        1,
        told["segments"][-1]["end_s"],
    )
    assert 0 < told["progress"] < 1
    assert told["segments"][0]["words"][0]["text"] == " Good"
    assert answer.headers["cache-control"] == "no-store"


def test_who_follows_fetches_nothing_twice(site: Site, growing: Growing, ada: dict[str, str]) -> None:
    growing.say(2)
    before = ask(site, growing, ada).json()
    growing.say(1)
    assert texts(ask(site, growing, ada, after=before["parts"])) == [LINES[2]]
    nothing_new = ask(site, growing, ada, after=2)
    assert texts(nothing_new) == []
    assert nothing_new.json()["until_s"] > before["until_s"]


def test_another_attempt_begins_anew(site: Site, growing: Growing, ada: dict[str, str]) -> None:
    growing.say(2)
    growing.say(1)
    growing.again()
    assert ask(site, growing, ada).status_code == 404
    growing.say(1)
    told = ask(site, growing, ada, after=2).json()
    assert (told["attempt"], told["after"], told["parts"], len(told["segments"])) == (2, 0, 1, 1)


def test_there_is_nothing_before_the_first_part(site: Site, growing: Growing, ada: dict[str, str]) -> None:
    answer = ask(site, growing, ada)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert site.client.get(f"/api/v1/jobs/{growing.job.id}/transcript", headers=ada).status_code == 404


def test_a_job_that_is_cancelled_has_none(site: Site, growing: Growing, ada: dict[str, str]) -> None:
    growing.say(2)
    context.ledger().run(job_store.cancel, growing.job.id, actor="cli:me")
    answer = ask(site, growing, ada)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "job_moved")
    assert "cannot be read along" in answer.json()["error"]["message"]


@pytest.mark.own_site
def test_a_completed_job_gives_its_transcript(site: Site, growing: Growing, ada: dict[str, str]) -> None:
    growing.say(2)
    growing.complete()
    answer = ask(site, growing, ada, after=1)
    assert texts(answer) == list(LINES)
    assert "partial" not in answer.json()
    assert not list(context.files().list("partial"))


def test_parts_that_are_gone_are_not_there(site: Site, growing: Growing, ada: dict[str, str]) -> None:
    growing.say(2)
    context.files().delete(names.partial_folder(growing.job.id))
    assert ask(site, growing, ada).status_code == 404


def test_it_is_nobody_elses(site: Site, growing: Growing) -> None:
    growing.say(2)
    assert ask(site, growing, site.key_of(site.user("bob"))).status_code == 404
    assert ask(site, growing, site.key_of(site.user("root"))).status_code == 200
    assert ask(site, growing, {}).status_code == 401


@pytest.mark.parametrize("query", [{"after": -1}, {"after": "x"}, {"partial": "perhaps"}])
def test_a_question_that_makes_no_sense_is_refused(
    query: dict[str, Any], site: Site, growing: Growing, ada: dict[str, str]
) -> None:
    assert ask(site, growing, ada, **query).status_code == 400


def test_events_tell_of_new_parts(site: Site, growing: Growing) -> None:
    headers = site.key_of(site.user("ada")) | ORIGIN
    with site.client.websocket_connect("/events", headers=headers) as program:
        growing.say(2)
        news: dict[str, Any] = {}
        while not news.get("parts"):
            news = program.receive_json()
    assert (news["job_id"], news["parts"], news["state"]) == (growing.job.id, 1, "transcribing")


@pytest.mark.own_site
def test_a_deleted_job_takes_its_text_so_far_with_it(site: Site, growing: Growing) -> None:
    growing.say(2)
    context.ledger().run(job_store.cancel, growing.job.id, actor="cli:me")
    intake.throw_out(context.ledger(), context.files(), growing.job.id, actor="cli:me")
    assert not list(context.files().list("partial"))


def test_the_openapi_page_tells_of_it(site: Site, ada: dict[str, str]) -> None:
    told = site.client.get("/api/openapi.json", headers=ada).json()["paths"]["/v1/jobs/{job_id}/transcript"]["get"]
    assert {"partial", "after"} <= {parameter["name"] for parameter in told["parameters"]}
    assert '"partial": true' in told["description"]
