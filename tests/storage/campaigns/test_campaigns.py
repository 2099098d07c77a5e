"""Campaigns: trials, proposals beside transcripts, decisions, and what is never overwritten."""

from datetime import UTC, datetime
from typing import Any

import pytest

from storage.accounts.canary_account import CANARY_ID
from storage.campaigns import campaign_rows, campaign_states, decisions, selection, trials, word_error_table
from storage.campaigns.campaign_rows import Campaign, CampaignItem, CampaignState, TrialState
from storage.campaigns.campaign_states import Budget, CampaignOrder
from storage.campaigns.comparison import compare, word_changes
from storage.campaigns.decisions import DecisionRule
from storage.campaigns.selection import Selection
from storage.domain.errors import (
    BadRequest,
    CampaignMoved,
    NotFound,
    ProposalDecided,
    TranscriptCorrected,
    TranscriptMoved,
)
from storage.domain.records import Job, JobState, Lane, Segment, User
from storage.files.file_store import Files
from storage.jobs import canary_jobs, intake, job_store, save_edit
from storage.jobs.kept_parts import KeptPart
from storage.jobs.listing import JobFilter
from storage.ledger import audit
from storage.ledger.database import Ledger
from storage.transcripts import transcript_store, versions
from storage.transcripts.edits import Draft, Piece
from tests.factories import DirectReporter, FlowRun, job_in, transcript_of

ACTOR = "user:root"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
OLD, NEW = "one two three four five", "one two free four five"


def said(text: str, probability: float = -0.5) -> tuple[Segment, ...]:
    return (Segment(start_s=0, end_s=3, text=f" {text}", avg_logprob=probability),)


class Office:
    """Plans campaigns, and plays the workers that transcribe their trials."""

    def __init__(self, ledger: Ledger, files: Files, owner: User) -> None:
        self.ledger, self.files, self.owner = ledger, files, owner

    def job(self, name: str = "a.wav", text: str = OLD, **more: Any) -> Job:
        return job_in(self.ledger, self.files, self.owner, JobState.COMPLETED, name=name, segments=said(text), **more)

    def create(self, name: str = "large", wanted: Selection | None = None, budget: Budget | None = None) -> Campaign:
        order = CampaignOrder(
            name=name,
            changes={"model": "large-v3", "beam_size": 8},
            selection=wanted or Selection(),
            budget=budget or Budget(),
        )
        return self.ledger.run(campaign_states.create, order, actor=ACTOR)

    def start(self, **given: Any) -> Campaign:
        campaign = self.create(**given)
        return self.ledger.run(campaign_states.move, campaign.id, CampaignState.RUNNING, actor=ACTOR)

    def begin(self, campaign: Campaign, now: datetime = NOON, most: int = 8) -> Job | None:
        return self.ledger.run(trials.begin, campaign.id, most=most, now=now)

    def hear(self, trial: Job, text: str = NEW, probability: float = -0.1, engine_s: float = 6.0) -> None:
        facts: dict[str, Any] = {"model": "large-v3", "duration_s": 60.0, "speech_s": 40.0}
        run = FlowRun(
            DirectReporter(self.ledger, self.files),
            self.files,
            trial,
            transcript_of(trial, said(text, probability), **facts),
        )
        run.start()
        run.plan()
        run.hear(0, engine_s=engine_s)
        run.complete({})

    def settle(self, campaign: Campaign) -> list[CampaignItem]:
        for item in self.items(campaign, TrialState.TRANSCRIBING):
            trials.settle(self.ledger, self.files, item)
        trials.clear(self.ledger, self.files, campaign.id)
        return self.items(campaign)

    def proposed(self, *texts: str, **given: Any) -> Campaign:
        """Bring a campaign to its proposals, a text each."""
        campaign = self.start(**given)
        for text in texts:
            trial = self.begin(campaign)
            assert trial
            self.hear(trial, text)
        self.settle(campaign)
        return campaign

    def items(self, campaign: Campaign, *states: TrialState) -> list[CampaignItem]:
        with self.ledger.read() as con:
            return campaign_rows.ranked(con, campaign.id, states=states)

    def text(self, job: Job) -> str:
        with self.ledger.read() as con:
            found = transcript_store.get(con, job.id)
        assert found
        return found.text

    def correct(self, job: Job, text: str, base: int = 1) -> None:
        draft = Draft(base=base, segments=(Piece(start_s=0, end_s=3, text=text, origin=(0,)),))
        save_edit.edit(self.ledger, self.files, job.id, draft, actor=f"user:{self.owner.id}")

    def look(self, job: Job) -> Job:
        with self.ledger.read() as con:
            return job_store.get(con, job.id)

    def actions(self, subject: str) -> list[str]:
        with self.ledger.read() as con:
            return [row.action for row in audit.page(con, subject=subject)][::-1]


@pytest.fixture
def office(ledger: Ledger, files: Files, ann: User) -> Office:
    return Office(ledger, files, ann)


def test_an_archive_is_transcribed_again_and_each_file_decided_on(ledger: Ledger, files: Files, office: Office) -> None:
    jobs = [office.job(f"{n}.wav") for n in range(3)]
    campaign = office.proposed(OLD, NEW, "something else entirely")
    found = office.items(campaign)
    assert [(one.number, one.changed_words, one.change) for one in found] == [(3, 5, 1.0), (2, 1, 0.2), (1, 0, 0.0)]
    assert {(one.old_model, one.new_model, one.base, one.corrected) for one in found} == {
        ("small", "large-v3", 1, False)
    }
    assert [office.text(job) for job in jobs] == [OLD] * 3
    with ledger.read() as con:
        assert [job.id for job in job_store.page(con)] == [job.id for job in jobs[::-1]]

    version = decisions.accept(ledger, files, campaign.id, 2, actor=ACTOR)
    assert (version.number, version.made_by, version.note) == (2, ACTOR, "Campaign large")
    assert (office.text(jobs[1]), office.look(jobs[1]).model) == (NEW, "large-v3")
    ledger.run(decisions.keep, campaign.id, 3, actor=ACTOR)
    with pytest.raises(ProposalDecided, match="kept"):
        decisions.roll_back(ledger, files, campaign.id, 3, actor=ACTOR)
    assert decisions.roll_back(ledger, files, campaign.id, 2, actor=ACTOR).number == 3
    assert (office.text(jobs[1]), office.look(jobs[1]).model) == (OLD, "small")
    with pytest.raises(ProposalDecided, match="rolled_back"):
        decisions.accept(ledger, files, campaign.id, 2, actor=ACTOR)
    assert office.actions(jobs[1].id)[-3:] == ["campaign.propose", "transcript.adopt", "transcript.restore"]
    assert office.actions(jobs[2].id)[-2:] == ["campaign.propose", "campaign.keep"]
    assert office.actions(campaign.id) == ["campaign.create", "campaign.start"]


def test_a_trial_is_a_hidden_backfill_job_with_the_campaigns_options(
    office: Office, ledger: Ledger, files: Files
) -> None:
    job = office.job()
    trial = office.begin(office.start())
    assert trial
    assert (trial.owner_id, trial.lane, trial.media_sha256) == (CANARY_ID, Lane.BACKFILL, job.media_sha256)
    assert (trial.options.model, trial.options.beam_size, trial.options.language) == ("large-v3", 8, None)
    assert canary_jobs.clear(ledger, files, actor="system:canary") == []


def test_corrections_are_never_replaced_and_tell_the_word_error_rates(
    office: Office, ledger: Ledger, files: Files
) -> None:
    job = office.job(text="one two three for five")
    office.correct(job, OLD)
    campaign = office.proposed(NEW)
    (item,) = office.items(campaign)
    assert (item.corrected, item.said_words, item.old_errors, item.new_errors) == (True, 5, 1, 1)
    with pytest.raises(TranscriptCorrected):
        decisions.accept(ledger, files, campaign.id, 1, actor=ACTOR)
    assert ledger.run(decisions.accept_by_rule, campaign.id, DecisionRule(), actor=ACTOR) == 0
    assert office.text(job) == OLD
    with ledger.read() as con:
        rates = word_error_table.table(con, campaign.id)
    assert [(one.model, one.language, one.errors, one.words, one.rate) for one in rates] == [
        ("large-v3", "en", 1, 5, 0.2),
        ("small", "en", 1, 5, 0.2),
    ]


def test_a_correction_after_the_proposal_wins(office: Office, ledger: Ledger, files: Files) -> None:
    job, other = office.job("a.wav"), office.job("b.wav")
    campaign = office.proposed(NEW, NEW)
    office.correct(job, "mine")
    with pytest.raises(TranscriptCorrected):
        decisions.accept(ledger, files, campaign.id, 1, actor=ACTOR)
    decisions.accept(ledger, files, campaign.id, 2, actor=ACTOR)
    office.correct(other, "mine, too", base=2)
    with pytest.raises(TranscriptMoved):
        decisions.roll_back(ledger, files, campaign.id, 2, actor=ACTOR)
    assert (office.text(job), office.text(other)) == ("mine", "mine, too")


def test_rules_decide_in_the_background_and_are_taken_back(office: Office, ledger: Ledger, files: Files) -> None:
    jobs = [office.job(f"{n}.wav") for n in range(3)]
    campaign = office.proposed(OLD, NEW, "something else entirely")
    with pytest.raises(BadRequest):
        ledger.run(decisions.accept_by_rule, campaign.id, DecisionRule(change_below=-1), actor=ACTOR)
    rule = DecisionRule(change_below=0.5, confidence_rose=True)
    assert ledger.run(decisions.accept_by_rule, campaign.id, rule, actor=ACTOR) == 2
    assert ledger.run(decisions.accept_by_rule, campaign.id, rule, actor=ACTOR) == 0
    office.correct(jobs[0], "mine")
    carry_out(office, campaign)
    states = {one.number: (one.state, one.error_code) for one in office.items(campaign)}
    assert states[1] == (TrialState.PROPOSED, "transcript_corrected")
    assert states[2] == (TrialState.ACCEPTED, None)
    assert ledger.run(decisions.keep_by_rule, campaign.id, DecisionRule(change_from=0.5), actor=ACTOR) == 1
    assert ledger.run(decisions.roll_back_all, campaign.id, actor=ACTOR) == 1
    carry_out(office, campaign)
    assert [one.state for one in office.items(campaign)] == [
        TrialState.KEPT,
        TrialState.ROLLED_BACK,
        TrialState.PROPOSED,
    ]
    assert [office.text(job) for job in jobs] == ["mine", OLD, OLD]
    assert office.actions(campaign.id)[2:] == [
        "campaign.accept_all",
        "campaign.accept_all",
        "campaign.keep_all",
        "campaign.roll_back_all",
    ]


def carry_out(office: Office, campaign: Campaign) -> None:
    with office.ledger.read() as con:
        intended = campaign_rows.intended(con, campaign.id, limit=10)
    for item in intended:
        decisions.carry_out(office.ledger, office.files, item)
    with office.ledger.read() as con:
        assert campaign_rows.intended(con, campaign.id, limit=10) == []


def test_a_crash_between_two_steps_neither_loses_nor_repeats_a_trial(
    office: Office, ledger: Ledger, files: Files
) -> None:
    job = office.job()
    campaign = office.start()
    trial = office.begin(campaign)
    assert trial
    assert office.begin(campaign) is None
    office.hear(trial)
    (item,) = office.items(campaign)
    assert trials.settle(ledger, files, item)
    assert trials.settle(ledger, files, item)  # the process died before it could tell, and does it again
    (settled,) = office.items(campaign)
    assert (settled.state, settled.trial_id, settled.device_s) == (TrialState.PROPOSED, trial.id, 6.0)
    assert trials.clear(ledger, files, campaign.id) == [trial.id]
    assert trials.clear(ledger, files, campaign.id) == []
    with pytest.raises(NotFound):
        office.look(trial)
    assert office.begin(campaign) is None
    assert office.actions(job.id).count("campaign.propose") == 1
    decisions.accept(ledger, files, campaign.id, 1, actor=ACTOR)
    assert office.text(job) == NEW


def test_two_starts_at_once_make_one_campaign(office: Office) -> None:
    office.job()
    first, second = office.start(), office.start(name="the same")
    assert (first.id, first.started_at) == (second.id, second.started_at)
    assert office.actions(first.id) == ["campaign.create", "campaign.start"]


def test_a_lost_trial_begins_again_and_a_failed_one_says_why(office: Office, ledger: Ledger, files: Files) -> None:
    office.job("a.wav"), office.job("b.wav")
    campaign = office.start()
    lost, failed = office.begin(campaign), office.begin(campaign)
    assert lost
    assert failed
    ledger.run(job_store.cancel, lost.id, actor=ACTOR)
    intake.throw_out(ledger, files, lost.id, actor=ACTOR)
    FlowRun(DirectReporter(ledger, files), files, failed).fail("no sound in it", "no_audio_track")
    found = {one.number: (one.state, one.error_code) for one in office.settle(campaign)}
    assert found == {1: (TrialState.WAITING, None), 2: (TrialState.FAILED, "no_audio_track")}
    again = office.begin(campaign)
    assert again
    assert again.id != lost.id


def test_a_budget_of_device_time_and_hours_is_kept(office: Office) -> None:
    for n in range(4):
        office.job(f"{n}.wav")
    night = Budget(device_s=13.0, from_hour=22, until_hour=6, time_zone="Europe/Berlin")
    campaign = office.start(budget=night)
    assert office.begin(campaign) is None  # at noon
    midnight = datetime(2026, 1, 1, 23, tzinfo=UTC)
    trial = office.begin(campaign, midnight)
    assert trial
    assert office.begin(campaign, midnight) is None  # the speed is not known yet: one at a time
    office.hear(trial, engine_s=6.0)
    office.settle(campaign)
    second = office.begin(campaign, midnight)
    assert second
    assert office.begin(campaign, midnight) is None  # 6 s spent, 6 s expected, and 6 s more are too many
    office.hear(second, engine_s=6.5)
    office.settle(campaign)
    assert office.begin(campaign, midnight) is None
    office.ledger.run(campaign_states.set_budget, campaign.id, Budget(device_s=100.0), actor=ACTOR)
    assert office.begin(campaign, NOON)


def test_pausing_takes_waiting_trials_back_and_cancelling_ends_all(office: Office, ledger: Ledger) -> None:
    office.job("a.wav"), office.job("b.wav"), office.job("c.wav")
    campaign = office.start()
    running, waiting = office.begin(campaign), office.begin(campaign)
    assert running
    assert waiting
    FlowRun(DirectReporter(ledger, office.files), office.files, running).start()
    ledger.run(campaign_states.move, campaign.id, CampaignState.PAUSED, actor=ACTOR)
    assert [job.id for job in ledger.run(trials.withdraw, campaign.id)] == [waiting.id]
    counted = {one.number: one.state for one in office.settle(campaign)}
    assert counted == {1: TrialState.TRANSCRIBING, 2: TrialState.WAITING, 3: TrialState.WAITING}
    assert office.begin(campaign) is None
    ledger.run(campaign_states.move, campaign.id, CampaignState.CANCELLED, actor=ACTOR)
    assert [job.id for job in ledger.run(trials.withdraw, campaign.id)] == [running.id]
    assert {one.state for one in office.settle(campaign)} == {TrialState.CANCELLED}
    with pytest.raises(CampaignMoved, match="cancelled"):
        ledger.run(campaign_states.move, campaign.id, CampaignState.RUNNING, actor=ACTOR)


def test_recordings_are_chosen_by_filter_and_confidence_with_an_estimate(
    office: Office, ledger: Ledger, files: Files
) -> None:
    sure = office.job("a.wav", tags=("court",))
    unsure = job_in(
        ledger, files, office.owner, JobState.COMPLETED, name="b.wav", segments=said("hm", -2.0), tags=("court",)
    )
    office.job("c.wav", tags=("court",), model="base")
    dropped = office.job("d.wav", tags=("court",))
    intake.drop_part(ledger, files, dropped.id, KeptPart.SOURCE, actor=ACTOR)
    job_in(ledger, files, office.owner, JobState.FAILED, name="e.wav", tags=("court",))

    def ids(**given: Any) -> list[str]:
        with ledger.read() as con:
            return [one.job_id for one in selection.choose(con, Selection(**given))]

    assert ids(jobs=JobFilter(tag="court", model="small")) == [sure.id, unsure.id]
    assert ids(confidence_below=0.3) == [unsure.id]
    assert ids(batch_id="none") == []
    with pytest.raises(BadRequest, match="no completed recording"):
        office.create(wanted=Selection(jobs=JobFilter(tag="nothing")))
    with ledger.read() as con:
        chosen = selection.choose(con, Selection(jobs=JobFilter(model="small")))
        measured = selection.estimate(con, chosen, "small")
        unknown = selection.estimate(con, chosen, "large-v3")
    assert (measured.recordings, measured.audio_s) == (2, 120.0)
    assert measured.device_s == pytest.approx(120 * 2.5 / 60)
    assert unknown.device_s is None


def test_a_purged_recording_takes_its_proposal_along(office: Office, ledger: Ledger, files: Files) -> None:
    job = office.job()
    campaign = office.proposed(NEW)
    stored_as = office.items(campaign)[0].stored_as
    assert stored_as
    assert files.exists(stored_as)
    intake.throw_out(ledger, files, job.id, actor=ACTOR)
    assert not files.exists(stored_as)
    with pytest.raises(NotFound):
        decisions.accept(ledger, files, campaign.id, 1, actor=ACTOR)


def test_words_are_compared_without_case_and_punctuation(office: Office) -> None:
    job = office.job()
    old, new = transcript_of(job, said("Well, one two three.")), transcript_of(job, said("one too THREE four"))
    found = compare(old, new)
    assert (found.old_words, found.changed_words) == (4, 3)
    assert [(one.before, one.after) for one in word_changes(old, new)] == [("Well,", ""), ("two", "too"), ("", "four")]
    empty = transcript_of(job, ())
    assert compare(empty, new).change == 4
    assert compare(empty, empty).change == 0


def test_versions_of_a_rolled_back_campaign_are_no_corrections(office: Office, ledger: Ledger, files: Files) -> None:
    job = office.job()
    campaign = office.proposed(NEW)
    decisions.accept(ledger, files, campaign.id, 1, actor=ACTOR)
    decisions.roll_back(ledger, files, campaign.id, 1, actor=ACTOR)
    ledger.run(campaign_states.move, campaign.id, CampaignState.COMPLETED, actor=ACTOR)
    second = office.proposed(NEW)
    assert second.id != campaign.id
    assert decisions.accept(ledger, files, second.id, 1, actor=ACTOR).number == 4
    with ledger.read() as con:
        assert [one.number for one in versions.list_of(con, job.id)] == [4, 3, 2, 1]
