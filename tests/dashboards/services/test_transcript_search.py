"""Search from the page and from a program."""

import time
from typing import Any

import pytest

from dashboards.runtime import context, notify
from storage.domain.records import JobState, Role
from tests.dashboards.desk import Desk, button, component, words
from tests.dashboards.site import Site
from tests.factories import job_in
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.shared_site


def sync(desk: Desk) -> None:
    desk.holder.search.sync(desk.ledger)


def test_the_empty_page_says_what_can_be_asked(desk: Desk) -> None:
    sync(desk)
    shown = component(desk.page("search", desk.user()), "search")
    assert shown["q"] == ""
    assert shown["everybody"] is None
    assert ["budget*", "budget, budgets, budgeting"] in shown["examples"]


def test_a_deep_link_shows_marked_moments(desk: Desk) -> None:
    ada = desk.user()
    job = desk.job(ada, JobState.COMPLETED, text="We <b>talk</b> about the Büdget.")
    sync(desk)
    shown = component(desk.page("search", ada, q="budget"), "search")
    assert (shown["q"], shown["count"], shown["behind"]) == ("budget", "1 recording", None)
    (result,) = shown["results"]
    assert (result["id"], result["name"]) == (job.id, "talk.wav")
    (moment,) = result["moments"]
    assert (moment["start_s"], moment["time"]) == (0.5, "0:00")
    assert moment["parts"] == [["We <b>talk</b> about the ", False], ["Büdget", True], [".", False]]


def test_others_recordings_are_an_administrators_choice(desk: Desk) -> None:
    ada, root = desk.user("ada"), desk.user("root", Role.ADMIN)
    desk.job(ada, JobState.COMPLETED, text="a secret")
    sync(desk)
    assert component(desk.page("search", root, q="secret"), "search")["results"] == []
    found = component(desk.page("search", root, q="secret", all="1"), "search")["results"]
    assert found[0]["about"].startswith("ada · ")
    ben = desk.user("ben")
    assert component(desk.page("search", ben, q="secret", all="1"), "search")["results"] == []


def test_what_is_not_understood_is_said(desk: Desk) -> None:
    sync(desk)
    shown = component(desk.page("search", desk.user(), q='"never closed'), "search")
    assert "quotation mark" in shown["hints"][0]
    assert shown["count"].startswith("No results")
    assert component(desk.page("search", desk.user("ben"), q="( OR )"), "search")["count"].startswith(
        "Enter at least one word"
    )


def test_the_page_says_that_the_index_is_behind(desk: Desk) -> None:
    ada = desk.user()
    desk.job(ada, JobState.COMPLETED)
    assert "is starting" in component(desk.page("search", ada, q="nothing"), "search")["behind"]


@pytest.mark.parametrize("page", ["0", "-1", "x", "9" * 30])
def test_any_page_number_is_a_page(desk: Desk, page: str) -> None:
    ada = desk.user()
    desk.job(ada, JobState.COMPLETED)
    sync(desk)
    assert component(desk.page("search", ada, q="ventured", page=page), "search")["results"]


def test_a_search_that_fails_can_be_tried_again(desk: Desk) -> None:
    ada = desk.user()
    desk.holder.search.close()
    at = desk.page("search", ada, q="words")
    assert "is being closed" in words(at)
    assert button(at, "Try again")


def test_a_program_searches_what_its_user_may_see(site: Site) -> None:
    key = site.key_of(site.user("ada"))
    answer = site.client.get("/api/v1/search", params={"q": 'a "b'}, headers=key)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["results"], body["total"], body["page"]) == ([], 0, 1)
    assert "quotation mark" in body["hints"][0]
    assert site.client.get("/api/v1/search", params={"q": "a", "everybody": "1"}, headers=key).status_code == 403
    assert site.client.get("/api/v1/search", headers=key).status_code == 400
    assert site.client.get("/api/v1/search", params={"q": "a"}).status_code == 401
    schema = site.client.get("/api/openapi.json", headers=key).json()
    assert "/v1/search" in schema["paths"]


def test_the_index_keeps_up_by_itself(site: Site) -> None:
    key = site.key_of(site.user("ada"))
    job = _completed(site)
    until = time.monotonic() + PATIENCE_S
    found: dict[str, Any] = {"results": []}
    while not found["results"] and time.monotonic() < until:
        time.sleep(0.1)
        found = site.client.get("/api/v1/search", params={"q": "vent*"}, headers=key).json()
    assert found["results"][0]["job_id"] == job
    assert found["results"][0]["moments"][0]["marks"] == [[8, 16]]


def _completed(site: Site) -> str:
    job = job_in(context.ledger(), context.files(), site.user("ada"), JobState.COMPLETED)
    notify.announce(job)
    return job.id
