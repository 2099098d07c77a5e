"""Campaigns: trials, proposals beside transcripts, decisions, and what is never overwritten."""

import shutil
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from storage.accounts import users
from storage.accounts.canary_account import CANARY_ID
from storage.campaigns import campaign_rows, campaign_states, decisions, selection, trials, word_error_table
from storage.campaigns.campaign_rows import Campaign, CampaignState, TrialState
from storage.campaigns.campaign_states import Budget
from storage.campaigns.comparison import compare, word_changes
from storage.campaigns.decisions import DecisionRule
from storage.campaigns.selection import Selection
from storage.domain import names
from storage.domain.clock import new_id
from storage.domain.errors import (
    BadRequest,
    CampaignMoved,
    NotFound,
    ProposalDecided,
    ProposalOutdated,
    TranscriptCorrected,
)
from storage.domain.records import JobState, Lane, Role, User
from storage.files.file_store import Files
from storage.jobs import canary_jobs, intake, job_store
from storage.jobs.kept_parts import KeptPart
from storage.jobs.listing import JobFilter
from storage.ledger import audit
from storage.ledger.database import Ledger
from storage.maintenance.legacy_import import EDITED_THERE, MADE_BY
from storage.transcripts import versions
from tests.factories import DirectReporter, FlowRun, accept, job_in, transcript_of
from tests.storage.campaigns.office import ACTOR, NEW, NOON, OLD, Office, said


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
    assert [(one.model, one.settings, one.language, one.errors, one.words, one.rate) for one in rates] == [
        ("large-v3", "beam_size=8", "en", 1, 5, 0.2),
        ("small", "", "en", 1, 5, 0.2),
    ]


def test_a_text_that_was_edited_in_the_older_application_is_a_correction(
    office: Office, ledger: Ledger, files: Files
) -> None:
    edited, untouched = office.job("a.wav"), office.job("b.wav")
    for job, note in ((edited, EDITED_THERE), (untouched, "")):
        with ledger.write() as con:
            first = versions.current(con, job.id)
            versions.add(con, job.id, replace(first, made_by=MADE_BY, note=note))
    campaign = office.proposed(NEW, NEW)
    found = {one.number: (one.corrected, one.old_errors, one.new_errors) for one in office.items(campaign)}
    assert found == {1: (True, None, 1), 2: (False, None, None)}
    with pytest.raises(TranscriptCorrected):
        decisions.accept(ledger, files, campaign.id, 1, actor=ACTOR)
    assert decisions.accept(ledger, files, campaign.id, 2, actor=ACTOR).number == 2


def test_a_correction_after_the_proposal_wins(office: Office, ledger: Ledger, files: Files) -> None:
    job, other = office.job("a.wav"), office.job("b.wav")
    campaign = office.proposed(NEW, NEW)
    office.correct(job, "mine")
    with pytest.raises(TranscriptCorrected):
        decisions.accept(ledger, files, campaign.id, 1, actor=ACTOR)
    decisions.accept(ledger, files, campaign.id, 2, actor=ACTOR)
    office.correct(other, "mine, too", base=2)
    with pytest.raises(ProposalOutdated):
        decisions.roll_back(ledger, files, campaign.id, 2, actor=ACTOR)
    assert (office.text(job), office.text(other)) == ("mine", "mine, too")


def test_a_proposal_is_outdated_once_another_campaign_changed_the_transcript(
    office: Office, ledger: Ledger, files: Files
) -> None:
    job = office.job()
    first = office.proposed(NEW)
    ledger.run(campaign_states.move, first.id, CampaignState.COMPLETED, actor=ACTOR)
    second = office.proposed("one two three for five", name="another")
    decisions.accept(ledger, files, second.id, 1, actor=ACTOR)
    ledger.run(decisions.accept_by_rule, first.id, DecisionRule(), actor=ACTOR)
    with ledger.read() as con:
        (item,) = campaign_rows.intended(con, first.id, limit=2)
    assert decisions.carry_out(ledger, files, item) is None
    (left,) = office.items(first)
    assert (left.state, left.error_code) == (TrialState.PROPOSED, "proposal_outdated")
    assert left.error is not None
    assert "a new campaign compares with the current one" in left.error
    assert office.text(job) == "one two three for five"


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


@pytest.mark.parametrize("step", ["accept", "roll_back"])
def test_a_version_that_was_stored_before_a_crash_is_not_stored_twice(
    office: Office, ledger: Ledger, files: Files, step: str
) -> None:
    job = office.job()
    campaign = office.proposed(NEW)
    if step == "roll_back":
        decisions.accept(ledger, files, campaign.id, 1, actor=ACTOR)

    def dies(*_: object, **__: object) -> None:
        raise SystemExit

    decide = getattr(decisions, step)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger, "run", dies)
        with pytest.raises(SystemExit):
            decide(ledger, files, campaign.id, 1, actor=ACTOR)
    number = decide(ledger, files, campaign.id, 1, actor=ACTOR).number
    assert number == (2 if step == "accept" else 3)
    (item,) = office.items(campaign)
    assert (item.state, office.text(job)) == (
        (TrialState.ACCEPTED, NEW) if step == "accept" else (TrialState.ROLLED_BACK, OLD)
    )


WORK = """
import sys
from pathlib import Path
from storage.campaigns import campaign_rows
from storage.files.file_store import Files
from storage.ledger.database import Ledger
from storage.maintenance.legacy_import import EDITED_THERE, MADE_BY
from tests.storage.campaigns.office import Office

folder = Path(sys.argv[1])
with Ledger.open(folder / "ledger.duckdb") as ledger:
    office = Office(ledger, Files(str(folder / "store")))
    with ledger.read() as con:
        (campaign,) = campaign_rows.page(con)
    while trial := office.begin(campaign):
        office.hear(trial)
        office.settle(campaign)
        print(trial.id, flush=True)
"""


def test_a_campaign_goes_on_after_kill_9(tmp_path: Path, empty_ledger: Path) -> None:
    folder = tmp_path / "killed"
    folder.mkdir()
    shutil.copyfile(empty_ledger, folder / "ledger.duckdb")
    files = Files(str(folder / "store"))
    with Ledger.open(folder / "ledger.duckdb") as ledger:
        ann = ledger.run(users.restore, user_id=new_id(), name="Ann", role=Role.MEMBER, actor=ACTOR)
        office = Office(ledger, files, ann)
        jobs = [office.job(f"{n}.wav") for n in range(3)]
        campaign = office.start()
    with subprocess.Popen([sys.executable, "-c", WORK, str(folder)], stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout
        first = worker.stdout.readline().strip()
        time.sleep(0.05)  # somewhere in the next one
        worker.kill()
    assert first
    with Ledger.open(folder / "ledger.duckdb") as ledger:
        office = Office(ledger, files, ann)
        with ledger.read() as con:
            under_way = job_store.page(con, owner_id=CANARY_ID)
        for trial in under_way:
            if not trial.state.finished:
                office.hear(trial)
        office.settle(campaign)
        while following := office.begin(campaign):
            office.hear(following)
            office.settle(campaign)
        found = office.items(campaign)
        assert {(one.state, one.device_s) for one in found} == {(TrialState.PROPOSED, 6.0)}
        assert [office.actions(job.id).count("campaign.propose") for job in jobs] == [1] * 3
        with ledger.read() as con:
            accepted = [row.subject for row in audit.page(con, action="job.accept", actor="system:campaigns")]
            assert job_store.page(con, owner_id=CANARY_ID) == []
        assert len(set(accepted)) == 3


def test_a_damaged_proposal_is_refused_and_changes_nothing(office: Office, ledger: Ledger, files: Files) -> None:
    job = office.job()
    campaign = office.proposed(NEW)
    stored_as = office.items(campaign)[0].stored_as
    assert stored_as
    files.write(stored_as, b"{")
    ledger.run(decisions.accept_by_rule, campaign.id, DecisionRule(), actor=ACTOR)
    carry_out(office, campaign)
    (item,) = office.items(campaign)
    assert (item.state, item.error_code, office.text(job)) == (TrialState.PROPOSED, "not_found", OLD)


def test_a_trial_that_no_campaign_knows_is_purged(office: Office, ledger: Ledger, files: Files) -> None:
    office.job()
    trial = office.begin(office.start())
    assert trial
    assert trials.clear_strays(ledger, files) == 0
    with ledger.read() as con:
        canary = users.get(con, CANARY_ID)
    accept(ledger, canary, lane=Lane.BACKFILL)
    assert trials.clear_strays(ledger, files) == 1
    assert office.look(trial).id == trial.id


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


def test_what_a_rule_drops_meanwhile_does_not_stay_for_the_trial(office: Office, ledger: Ledger, files: Files) -> None:
    job = office.job()
    media = names.media_name(job.media_sha256)
    files.write(media, b"sound")
    campaign = office.start()
    trial = office.begin(campaign)
    assert trial
    intake.drop_part(ledger, files, job.id, KeptPart.SOURCE, actor="system:retention")
    assert files.exists(media)
    office.hear(trial)
    assert [one.state for one in office.settle(campaign)] == [TrialState.PROPOSED]
    assert not files.exists(media)


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
