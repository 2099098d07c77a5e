"""Plans campaigns, and plays the workers that transcribe their trials."""

from datetime import UTC, datetime
from typing import Any

from storage.campaigns import campaign_rows, campaign_states, trials
from storage.campaigns.campaign_rows import Campaign, CampaignItem, CampaignState, TrialState
from storage.campaigns.campaign_states import Budget, CampaignOrder
from storage.campaigns.selection import Selection
from storage.domain.records import Job, JobState, Segment, User
from storage.files.file_store import Files
from storage.jobs import job_store, save_edit
from storage.ledger import audit
from storage.ledger.database import Ledger
from storage.transcripts import transcript_store
from storage.transcripts.edits import Draft, Piece
from tests.factories import DirectReporter, FlowRun, job_in, transcript_of

ACTOR = "user:root"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
OLD, NEW = "one two three four five", "one two free four five"


def said(text: str, probability: float = -0.5) -> tuple[Segment, ...]:
    return (Segment(start_s=0, end_s=3, text=f" {text}", avg_logprob=probability),)


class Office:
    """Plans campaigns, and plays the workers that transcribe their trials."""

    def __init__(self, ledger: Ledger, files: Files, owner: User | None = None) -> None:
        self.ledger, self.files, self.person = ledger, files, owner

    @property
    def owner(self) -> User:
        assert self.person
        return self.person

    def job(self, name: str = "a.wav", text: str = OLD, **more: Any) -> Job:
        return job_in(self.ledger, self.files, self.owner, JobState.COMPLETED, name=name, segments=said(text), **more)

    def create(
        self,
        name: str = "large",
        wanted: Selection | None = None,
        budget: Budget | None = None,
        changes: dict[str, Any] | None = None,
    ) -> Campaign:
        order = CampaignOrder(
            name=name,
            changes=changes or {"model": "large-v3", "beam_size": 8},
            selection=wanted or Selection(),
            budget=budget or Budget(),
        )
        return self.ledger.run(campaign_states.create, order, actor=ACTOR)

    def start(self, **given: Any) -> Campaign:
        campaign = self.create(**given)
        return self.ledger.run(campaign_states.move, campaign.id, CampaignState.RUNNING, actor=ACTOR)

    def begin(self, campaign: Campaign, now: datetime = NOON, most: int = 8) -> Job | None:
        return self.ledger.run(trials.begin, campaign.id, most=most, now=now)

    def hear(
        self, trial: Job, text: str = NEW, probability: float = -0.1, engine_s: float = 6.0, model: str = "large-v3"
    ) -> None:
        facts: dict[str, Any] = {"model": model, "duration_s": 60.0, "speech_s": 40.0}
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

    def hear_all(self, campaign: Campaign, *, most: int = 8, **heard: Any) -> None:
        """Begin trials, at most so many, hear them and settle them."""
        for _ in range(most):
            if (trial := self.begin(campaign)) is None:
                break
            self.hear(trial, **heard)
        self.settle(campaign)

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
