"""A campaign's budget: what is next, and what is told when it is not enough."""

import pytest
from duckdb import DuckDBPyConnection

from storage.campaigns import campaign_rows, campaign_states
from storage.campaigns.campaign_budget import CampaignBudget
from storage.campaigns.campaign_rows import Campaign, CampaignTotals
from storage.campaigns.campaign_states import Budget
from storage.campaigns.selection import Selection
from storage.domain.records import Job, User
from storage.files.file_store import Files
from storage.jobs import deletion
from storage.jobs.listing import JobFilter
from storage.ledger.database import Ledger
from tests.storage.campaigns.office import ACTOR, Office


@pytest.fixture
def office(ledger: Ledger, files: Files, ann: User) -> Office:
    return Office(ledger, files, ann)


def recorded(office: Office, name: str, duration_s: float, model: str = "small") -> Job:
    job = office.job(name, model=model)
    office.ledger.run(lambda con: con.execute("UPDATE jobs SET duration_s = ? WHERE id = ?", [duration_s, job.id]))
    return job


def is_used_up(office: Office, campaign: Campaign) -> bool:
    with office.ledger.read() as con:
        return CampaignBudget(con, campaign_rows.get(con, campaign.id)).is_used_up()


def test_the_shortest_recording_finds_the_speed_out(office: Office) -> None:
    for name, duration_s in (("long.wav", 7200.0), ("short.wav", 20.0), ("talk.wav", 600.0)):
        recorded(office, name, duration_s)
    trial = office.begin(office.start(name="small budget", budget=Budget(device_s=3.6)))
    assert trial
    assert trial.name == "short.wav"


def test_without_a_budget_recordings_are_begun_in_their_order(office: Office) -> None:
    recorded(office, "long.wav", 7200.0)
    recorded(office, "short.wav", 20.0)
    trial = office.begin(office.start())
    assert trial
    assert trial.name == "long.wav"


def test_a_budget_that_is_not_enough_is_told_until_it_is_raised(office: Office) -> None:
    for n in range(2):
        office.job(f"{n}.wav")
    campaign = office.start(budget=Budget(device_s=3.6))
    assert not is_used_up(office, campaign)  # the first recording will tell the speed
    trial = office.begin(campaign)
    assert trial
    assert not is_used_up(office, campaign)  # it is under way
    office.hear(trial, engine_s=9.4)
    office.settle(campaign)
    assert office.begin(campaign) is None
    assert is_used_up(office, campaign)
    office.ledger.run(campaign_states.set_budget, campaign.id, Budget(device_s=100.0), actor=ACTOR)
    assert not is_used_up(office, campaign)  # although nothing has been begun yet
    office.ledger.run(campaign_states.set_budget, campaign.id, Budget(device_s=9.5), actor=ACTOR)
    assert is_used_up(office, campaign)  # 0.1 s are left, and the next recording takes more


def test_a_known_speed_tells_before_anything_is_begun(office: Office) -> None:
    office.job("first.wav")
    office.proposed("one", name="measures the model")
    office.job("second.wav")
    second = Selection(jobs=JobFilter(text="second"))
    campaign = office.start(name="too small", wanted=second, budget=Budget(device_s=0.5))
    assert office.begin(campaign) is None
    assert is_used_up(office, campaign)


def test_the_campaigns_own_speed_counts_more_than_the_models(office: Office) -> None:
    office.job("first.wav")
    office.proposed("one", name="measures the model")
    for n in range(3):
        office.job(f"second{n}.wav")
    campaign = office.start(wanted=Selection(jobs=JobFilter(text="second")), budget=Budget(device_s=100.0))
    trial = office.begin(campaign)
    assert trial
    office.hear(trial, engine_s=60.0)  # its settings are ten times slower than before
    office.settle(campaign)
    assert office.begin(campaign) is None


def mixed(office: Office, budget_s: float) -> Campaign:
    """Start a campaign that leaves each recording its model, and hear a first one by a fast model."""
    office.job("measures.wav")
    office.hear_all(office.start(name="measures the slow model"), engine_s=120.0)  # 40 seconds of sound
    recorded(office, "kept fast.wav", 60.0, "base")
    recorded(office, "kept slow.wav", 3600.0, "large-v3")
    recorded(office, "kept last.wav", 60.0, "base")
    kept = Selection(jobs=JobFilter(text="kept"))
    campaign = office.start(name="wide", wanted=kept, budget=Budget(device_s=budget_s), changes={"beam_size": 10})
    office.hear_all(campaign, most=1, engine_s=4.0, model="base")
    return campaign


@pytest.mark.parametrize(("budget_s", "is_begun"), [(3600.0, False), (36_000.0, True)])
def test_recordings_that_keep_their_models_cost_what_these_take(
    office: Office, budget_s: float, *, is_begun: bool
) -> None:
    campaign = mixed(office, budget_s)
    assert is_used_up(office, campaign) is not is_begun
    assert (office.begin(campaign) is not None) is is_begun


def test_what_is_under_way_by_another_model_counts_by_its_speed(office: Office) -> None:
    campaign = mixed(office, 3_680.0)  # 4 are spent, and 3,675 and 3 are to come
    slow = office.begin(campaign)
    assert slow
    assert slow.name == "kept slow.wav"
    assert office.begin(campaign) is None


@pytest.mark.parametrize(("budget_s", "sums"), [(None, 0), (100.0, 1)])
def test_the_sums_are_taken_once_and_only_for_a_budget(
    office: Office, monkeypatch: pytest.MonkeyPatch, budget_s: float | None, sums: int
) -> None:
    jobs = [office.job(f"{n}.wav") for n in range(4)]
    campaign = office.start(budget=Budget(device_s=budget_s))
    for job in jobs[:3]:
        office.ledger.run(deletion.delete, job.id, actor=ACTOR)
    asked: list[str] = []

    def counted(con: DuckDBPyConnection, campaign_id: str) -> CampaignTotals:
        asked.append(campaign_id)
        return totals(con, campaign_id)

    totals = campaign_rows.totals
    monkeypatch.setattr(campaign_rows, "totals", counted)
    trial = office.begin(campaign)
    assert trial
    assert trial.name == "3.wav"
    assert len(asked) == sums
