"""Campaigns over HTTP, with the loop that brings them on and a played worker."""

import asyncio
import os
from typing import Any

import pytest

from dashboards.loops.campaign_runner import run_campaigns
from dashboards.runtime import context
from storage.accounts import users
from storage.accounts.canary_account import CANARY_ID
from storage.domain.records import Job, JobState, Segment
from storage.jobs import job_store
from storage.ledger import audit
from tests.dashboards.served import Served
from tests.dashboards.site import Site
from tests.factories import DirectReporter, FlowRun, job_in, transcript_of
from tests.flows.cli import in_process

pytestmark = pytest.mark.shared_site

URL = "/api/v1/campaigns"
ORDER = {"name": "Better", "options": {"model": "large-v3"}, "selection": {"tag": "court"}}


def said(text: str) -> tuple[Segment, ...]:
    return (Segment(start_s=0, end_s=3, text=f" {text}", avg_logprob=-0.5),)


def recorded(site: Site, name: str, text: str) -> Job:
    holder = context.current()
    facts: dict[str, Any] = {"name": name, "segments": said(text), "tags": ("court",)}
    return job_in(holder.ledger, holder.files, site.user("ada"), JobState.COMPLETED, **facts)


def hear(text: str) -> None:
    """Play the worker of the oldest trial."""
    holder = context.current()
    with holder.ledger.read() as con:
        trial = job_store.page(con, owner_id=CANARY_ID, state=JobState.QUEUED)[-1]
    heard = transcript_of(trial, said(text), model="large-v3", duration_s=60.0, speech_s=40.0)
    FlowRun(DirectReporter(holder.ledger, holder.files), holder.files, trial, heard).whole_way()


def text_of(site: Site, job: Job, headers: dict[str, str]) -> str:
    body = site.client.get(f"/api/v1/jobs/{job.id}/transcript", headers=headers).json()
    return str(body["segments"][0]["text"]).strip()


@pytest.mark.own_site
def test_an_administrator_runs_a_campaign(site: Site) -> None:
    root, ada = site.key_of(site.user("root"), scopes=["admin", "read"]), site.key_of(site.user("ada"))
    first, second = recorded(site, "a.wav", "one two three four"), recorded(site, "b.wav", "one two three four")

    told = site.client.post(f"{URL}/estimate", headers=root, json={"options": {"model": "small"}}).json()
    assert (told["recordings"], told["audio_hours"]) == (2, pytest.approx(2 / 60))
    assert told["device_hours"] == pytest.approx(2 * 2.5 / 3600)
    made = [site.client.post(URL, headers=root, json=ORDER) for _ in range(2)]
    assert [one.status_code for one in made] == [201, 201]
    assert made[0].json()["id"] == made[1].json()["id"]
    place = f"{URL}/{made[0].json()['id']}"
    assert site.client.post(f"{place}/start", headers=root).json()["state"] == "running"

    asyncio.run(step())
    hear("one two free four")
    hear("one two three four")
    asyncio.run(step())
    body = site.client.get(place, headers=root).json()
    assert (body["state"], body["counts"]["proposed"], body["recordings"]) == ("completed", 2, 2)
    listed = site.client.get(f"{place}/items?limit=1", headers=root).json()
    assert ([one["name"] for one in listed["items"]], listed["next"]) == (["a.wav"], 1)
    changes = site.client.get(f"{place}/items/1/changes", headers=root).json()
    assert changes == [{"start_s": 0.0, "before": "three", "after": "free"}]
    assert len(site.client.get("/api/v1/jobs?everybody=true", headers=root).json()["jobs"]) == 2

    assert site.client.post(f"{place}/items/2/keep", headers=root).json()["state"] == "kept"
    assert site.client.post(f"{place}/accept", headers=root, json={"change_below": 0.5}).json() == {"recordings": 1}
    asyncio.run(step())
    assert text_of(site, first, ada) == "one two free four"
    assert site.client.post(f"{place}/items/1/roll-back", headers=root).json()["state"] == "rolled_back"
    assert (text_of(site, first, ada), text_of(site, second, ada)) == ("one two three four",) * 2
    answer = site.client.post(f"{place}/items/1/accept", headers=root)
    assert (answer.status_code, answer.json()["code"]) == (409, "proposal_decided")
    assert site.client.get(f"{URL}/word-error-rates", headers=root).json() == []


def test_a_raised_budget_is_enough_at_once(site: Site) -> None:
    root = site.key_of(site.user("root"), scopes=["admin", "read"])
    for name in ("a.wav", "b.wav"):
        recorded(site, name, "one two three four")
    order = ORDER | {"budget": {"device_hours": 0.0001}}
    place = f"{URL}/{site.client.post(URL, headers=root, json=order).json()['id']}"
    site.client.post(f"{place}/start", headers=root)
    asyncio.run(step())
    hear("one two free four")
    asyncio.run(step())
    assert site.client.get(place, headers=root).json()["out_of_budget"]
    raised = site.client.put(f"{place}/budget", headers=root, json={"device_hours": 1}).json()
    assert (raised["out_of_budget"], raised["counts"]["waiting"]) == (False, 1)


async def step() -> None:
    await run_campaigns()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "x", "options": {}}, "options"),
        ({"name": "x", "options": {"formats": ["srt"]}}, "options"),
        ({"name": "x", "options": {"model": "a b"}}, "options.model"),
        ({"name": "", "options": {"model": "base"}}, "name"),
        ({"name": "x", "options": {"model": "base"}, "selection": {"language": "xx"}}, "selection"),
        ({"name": "x", "options": {"model": "base"}, "budget": {"device_hours": -1}}, "budget.device_hours"),
        ({"name": "x", "options": {"model": "base"}, "budget": {"from_hour": 3}}, "until_hour"),
        ({"name": "x", "options": {"model": "base"}, "budget": {"time_zone": "../Mars"}}, "time_zone"),
        (
            {"name": "x", "options": {"model": "base"}, "selection": {"confidence_below": 2}},
            "selection.confidence_below",
        ),
    ],
)
def test_what_is_not_acceptable_is_named(site: Site, body: dict[str, Any], field: str) -> None:
    answer = site.client.post(URL, headers=site.key_of(site.user("root"), scopes=["admin"]), json=body)
    assert (answer.status_code, answer.json()["param"]) == (400, field)


@pytest.mark.own_site
def test_campaigns_are_for_administrators(site: Site) -> None:
    site.sign_in("ada")
    for path in (URL, f"{URL}/1", f"{URL}/word-error-rates"):
        assert site.client.get(path).status_code == 403
    site.sign_in("root")
    assert site.client.get(f"{URL}/1").status_code == 404
    assert site.client.get(URL).json() == {"campaigns": [], "next": None}


def test_the_command_line_runs_a_campaign_as_the_operator(served: Served) -> None:
    holder = context.current()
    env = {name: value for name, value in os.environ.items() if not name.startswith("TRANSCRIBER_")}
    env |= {"TRANSCRIBER_DATA_DIR": str(served.settings.storage.data_dir), "TRANSCRIBER_WEB_URL": served.url}
    with holder.ledger.read() as con:
        ada = users.by_name(con, "ada")
    assert ada
    for name in "ab":
        facts: dict[str, Any] = {"name": f"{name}.wav", "segments": said("one two three four"), "tags": ("court",)}
        job_in(holder.ledger, holder.files, ada, JobState.COMPLETED, **facts)

    def campaign(*arguments: str) -> str:
        done = in_process.run(env, "campaign", *arguments)
        return done.stdout.strip() if done.returncode == 0 else f"{done.returncode}: {done.stderr.strip()}"

    assert campaign("estimate", "--model", "small", "--tag", "court").startswith("2 recordings, 0.03 hours")
    ident = campaign("plan", "Better", "--model", "large-v3", "--option", "beam_size=8", "--tag", "court", "--start")
    asyncio.run(step())
    hear("one two free four")
    hear("one two three four")
    asyncio.run(step())
    assert campaign("list") == f"{ident}  completed  2 proposed  Better"
    assert campaign("diff", ident).split()[:2] == ["1", "25.0%"]
    assert campaign("diff", ident, "1") == "0.00  three → free"
    assert "give numbers of recordings, or a rule" in campaign("accept", ident)
    assert campaign("keep", ident, "2") == "2 (b.wav) is kept"
    assert campaign("accept", ident, "--change-below", "0.5").startswith("1 recordings")
    asyncio.run(step())
    assert campaign("roll-back", ident, "1") == "1 (a.wav) is rolled back"
    assert "there is no campaign nowhere" in campaign("status", "nowhere")
    with holder.ledger.read() as con:
        rows = audit.page(con, subject=ident)
    by_operator = [row.action for row in reversed(rows) if row.actor.startswith("cli:")]
    assert by_operator == ["campaign.create", "campaign.start", "campaign.accept_all"]
