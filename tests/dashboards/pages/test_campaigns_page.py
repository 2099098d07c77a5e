"""The page about campaigns: planning, and deciding on recordings."""

from itertools import count
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboards.runtime import context
from dashboards.services.campaigns import campaign_orders
from dashboards.services.campaigns.campaign_orders import CampaignOverview
from storage.accounts.canary_account import CANARY_ID
from storage.campaigns import campaign_rows, trials
from storage.campaigns.campaign_rows import Campaign, TrialState
from storage.domain.clock import utc_now
from storage.domain.records import JobState, Role, Segment
from storage.jobs import job_store
from storage.remote.worker_registry import ModelState
from tests.dashboards.desk import Desk, button, labels, words
from tests.factories import DirectReporter, FlowRun, transcript_of


def said(text: str) -> tuple[Segment, ...]:
    return (Segment(start_s=0, end_s=3, text=f" {text}", avg_logprob=-0.5),)


def propose(desk: Desk, text: str) -> None:
    """Play the loop and the worker for one recording of the only campaign."""
    ledger, files = desk.ledger, desk.holder.files
    campaign = only(desk)
    trial = ledger.run(trials.begin, campaign.id, most=1, now=utc_now())
    assert trial
    assert trial.owner_id == CANARY_ID
    heard: dict[str, Any] = {"model": "large-v3", "duration_s": 60.0, "speech_s": 40.0, "language": "und"}
    FlowRun(DirectReporter(ledger, files), files, trial, transcript_of(trial, said(text), **heard)).whole_way()
    with ledger.read() as con:
        (item,) = campaign_rows.in_states(con, campaign.id, TrialState.TRANSCRIBING, limit=2)
    trials.settle(ledger, files, item)
    trials.clear(ledger, files, campaign.id)


def only(desk: Desk) -> Campaign:
    with desk.ledger.read() as con:
        (campaign,) = campaign_rows.page(con)
    return campaign


def test_an_administrator_plans_and_decides(desk: Desk) -> None:
    root, ada = desk.user("root", Role.ADMIN), desk.user("ada")
    job = desk.job(ada, JobState.COMPLETED, segments=said("one two three four"), name="talk_1.wav")
    desk.beat(model=ModelState(name="large-v3", fingerprint="f", state="ready"))
    at = desk.page("campaigns", root)
    assert "There is no campaign yet" in words(at)
    assert "No campaign has transcribed a corrected recording" in words(at)
    button(at, "Plan").click().run()
    assert "use 1 to 100 characters" in words(at)

    at.text_input[0].set_value("Better")
    next(box for box in at.selectbox if box.label == "New model").set_value("large-v3")
    button(at, "Estimate").click().run()
    assert "1 recording, 1 min of audio. There is no estimate, because this model has not run here yet" in words(at)
    button(at, "Plan").click().run()
    assert not at.exception
    assert only(desk).changes == {"model": "large-v3"}
    button(at, "Start the campaign").click().run()
    propose(desk, "one two free four")
    at.run()
    assert "25.0 % changed (1 word)" in words(at)
    at.toggle[0].set_value(True).run()
    assert at.dataframe[0].value.values.tolist() == [["0:00", "three", "free"]]
    button(at, "Accept").click().run()
    assert not at.exception
    assert {"Roll back", "Roll everything back"} <= set(labels(at))
    with context.ledger().read() as con:
        assert job_store.get(con, job.id).model == "large-v3"
    button(at, "Roll back").click().run()
    assert "Rolled back" in words(at)
    button(at, "All campaigns").click().run()
    assert "Better" in words(at)


def planned(desk: Desk) -> AppTest:
    """Plan a campaign over one recording, start it, and return its page."""
    root, ada = desk.user("root", Role.ADMIN), desk.user("ada")
    desk.job(ada, JobState.COMPLETED, segments=said("one two three four"))
    at = desk.page("campaigns", root)
    at.text_input[0].set_value("Better")
    at.number_input[0].set_value(8)
    button(at, "Plan").click().run()
    button(at, "Start the campaign").click().run()
    return at


def test_an_open_page_gets_its_parts_when_there_is_something_to_decide(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    at, overview, looks = planned(desk), campaign_orders.overview, count(1)

    def then_a_proposal_comes(*asked: Any) -> CampaignOverview:
        found = overview(*asked)
        if next(looks) == 1:
            propose(desk, "one two free four")
        return found

    monkeypatch.setattr(campaign_orders, "overview", then_a_proposal_comes)
    at.run()
    assert next(looks) > 3  # the page, its figures, and both again
    assert "Decide by a rule" in words(at)
    assert {"Accept", "Keep the old one"} <= set(labels(at))


def test_a_rule_says_how_many_fit_and_decides_by_change_and_language(desk: Desk) -> None:
    root, ada = desk.user("root", Role.ADMIN), desk.user("ada")
    jobs = [desk.job(ada, JobState.COMPLETED, segments=said("one two three four"), name=f"{n}.wav") for n in range(3)]
    german = (
        'UPDATE transcripts SET head = replace(head, \'"language":"en"\', \'"language":"de"\') WHERE job_id IN (?, ?)'
    )
    desk.ledger.run(lambda con: con.execute(german, [jobs[0].id, jobs[2].id]))
    at = desk.page("campaigns", root)
    at.text_input[0].set_value("Better")
    at.number_input[0].set_value(8)
    button(at, "Plan").click().run()
    button(at, "Start the campaign").click().run()
    for text in ("one two free four", "one two free four", "one two three four"):
        propose(desk, text)
    at.run()
    assert "1 recording fits this rule." in words(at)  # below 10 %
    at.number_input(key="rule-below").set_value(50.0).run()
    assert "3 recordings fit this rule." in words(at)
    at.selectbox(key="rule-language").set_value("de").run()
    assert "2 recordings fit this rule." in words(at)
    at.checkbox(key="rule-rose").set_value(True).run()
    assert "0 recordings fit this rule." in words(at)
    assert button(at, "Accept these").disabled
    at.checkbox(key="rule-rose").set_value(False).run()
    at.number_input(key="rule-from").set_value(20.0).run()
    button(at, "Accept these").click().run()
    assert not at.exception
    with desk.ledger.read() as con:
        (decided,) = campaign_rows.intended(con, only(desk).id, limit=10)
    assert decided.job_id == jobs[0].id
    assert at.selectbox(key="rule-language").value == "de"  # also when nothing in it is undecided


def test_what_failed_is_not_counted_as_transcribed(desk: Desk) -> None:
    at, campaign = planned(desk), only(desk)
    trial = desk.ledger.run(trials.begin, campaign.id, most=1, now=utc_now())
    assert trial
    desk.ledger.run(job_store.cancel, trial.id, actor="cli:me")
    with desk.ledger.read() as con:
        (item,) = campaign_rows.in_states(con, campaign.id, TrialState.TRANSCRIBING, limit=2)
    trials.settle(desk.ledger, desk.holder.files, item)
    at.run()
    assert "1 recording failed; the list says why." in words(at)
    assert "0 / 1" in {tile.value for tile in at.metric}


def test_members_have_no_campaigns(desk: Desk) -> None:
    with pytest.raises(ValueError, match="is not registered"):
        desk.page("campaigns", desk.user("ada"))
