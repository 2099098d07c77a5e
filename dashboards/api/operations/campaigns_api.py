"""`/api/v1/campaigns`: transcribe an archive again, compare, and accept or keep; for administrators."""

from dataclasses import asdict
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Self

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from dashboards.http.api_parameters import BeforeId
from dashboards.http.identity import caller_of
from dashboards.http.request_options import OptionsForm
from dashboards.runtime import db
from dashboards.services.campaigns import campaign_orders
from dashboards.services.campaigns.campaign_orders import CampaignOverview
from storage.campaigns.campaign_rows import CampaignItem, CampaignState, TrialState
from storage.campaigns.campaign_states import MAX_NAME_CHARS, Budget, CampaignOrder
from storage.campaigns.decisions import DecisionRule
from storage.campaigns.selection import Selection
from storage.domain.errors import BadRequest
from storage.domain.tags import one_tag
from storage.jobs.listing import JobFilter

router = APIRouter(tags=["campaigns"])
FIXED = {"cues", "formats"}
"""Options that do not change what is transcribed."""


class SelectionBody(BaseModel):
    """Which completed recordings; what is left out matches all."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    owner_id: str | None = Field(None, max_length=100)
    since: AwareDatetime | None = Field(None, description="Accepted at this time or later.")
    until: AwareDatetime | None = Field(None, description="Accepted before this time.")
    language: str | None = Field(None, max_length=20)
    model: str | None = Field(None, max_length=120, description="The model that transcribed them.")
    tag: str | None = Field(None, max_length=200)
    text: str = Field("", max_length=200, description="Part of the recording's name.")
    batch_id: str | None = Field(None, max_length=100)
    confidence_below: float | None = Field(None, gt=0, le=1, description="Mean probability of the segments, 0 to 1.")

    def selection(self) -> Selection:
        """Return the selection as a record."""
        values = self.model_dump(exclude={"batch_id", "confidence_below"})
        values |= {"tag": one_tag(self.tag) if self.tag else None}
        return Selection(jobs=JobFilter(**values), batch_id=self.batch_id, confidence_below=self.confidence_below)


class BudgetBody(BaseModel):
    """How much device time a campaign has, and in which hours of the day.

    null is without a limit.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    device_hours: float | None = Field(None, gt=0, examples=[40])
    from_hour: int | None = Field(None, ge=0, le=23, examples=[22])
    until_hour: int | None = Field(None, ge=0, le=23, examples=[6])
    time_zone: str = Field("UTC", max_length=60, examples=["Europe/Berlin"])

    def budget(self) -> Budget:
        """Return the budget as a record."""
        device_s = None if self.device_hours is None else 3600 * self.device_hours
        return Budget(device_s=device_s, **self.model_dump(exclude={"device_hours"}))


class EstimateBody(BaseModel):
    """Recordings, and the options with which they would be transcribed again."""

    model_config = ConfigDict(extra="forbid")

    selection: SelectionBody = Field(default_factory=SelectionBody)
    options: OptionsForm = Field(
        default_factory=OptionsForm,
        description="Options that differ from each recording's own; the others stay.",
        examples=[{"model": "large-v3"}],
    )

    def changes(self) -> dict[str, Any]:
        """Return the options that were given.

        Raises:
            BadRequest: there are none, or one that changes no transcript.
        """
        given = self.options.model_dump(mode="json", exclude_unset=True)
        if wrong := sorted(FIXED & set(given)):
            raise BadRequest("options", f"{wrong[0]} changes no transcript; leave it out")
        if not given:
            raise BadRequest("options", "name a model or another option that differs from before")
        return given


class CampaignBody(EstimateBody):
    """A campaign to plan; it starts with `/start`."""

    name: str = Field(min_length=1, max_length=MAX_NAME_CHARS, examples=["large-v3 for 2025"])
    budget: BudgetBody = Field(default_factory=BudgetBody)


class EstimateAnswer(BaseModel):
    """What it would take.

    Times are null while the speed of the model was not measured on this platform.
    """

    recordings: int
    audio_hours: float
    device_hours: float | None
    hours: float | None = Field(description="With all devices that are there now, day and night.")


class CampaignAnswer(BaseModel):
    """A campaign, and how far it is."""

    id: str
    name: str
    state: CampaignState
    selection: dict[str, Any]
    options: dict[str, Any]
    budget: BudgetBody
    recordings: int
    counts: dict[TrialState, int]
    deciding: int = Field(description="Recordings for which a rule's decision is still to be carried out.")
    audio_hours: float
    device_hours_used: float
    device_hours_left: float | None = Field(description="Estimated from measured speed; null while that is unknown.")
    out_of_budget: bool
    created_at: AwareDatetime
    started_at: AwareDatetime | None
    ended_at: AwareDatetime | None

    @classmethod
    def of(cls, one: CampaignOverview) -> Self:
        """Describe a campaign."""
        campaign, sums, left_s = one.campaign, one.totals, one.left_device_s
        same = ("id", "name", "state", "selection", "created_at", "started_at", "ended_at")
        hours = ("from_hour", "until_hour", "time_zone")
        device_hours = None if campaign.budget_s is None else round(campaign.budget_s / 3600, 9)
        return cls(
            **{field: getattr(campaign, field) for field in same},
            options=campaign.changes,
            budget=BudgetBody(device_hours=device_hours, **{field: getattr(campaign, field) for field in hours}),
            recordings=campaign.total,
            counts=sums.counts,
            deciding=sums.deciding,
            audio_hours=sums.audio_s / 3600,
            device_hours_used=sums.device_s / 3600,
            device_hours_left=None if left_s is None else left_s / 3600,
            out_of_budget=one.is_out_of_budget,
        )


class CampaignList(BaseModel):
    """A page of campaigns, newest first."""

    campaigns: list[CampaignAnswer]
    next: str | None = Field(description="Use it as `before` for the next page; null on the last.")


class CampaignItemBody(BaseModel):
    """A recording of a campaign, and how its new transcript differs."""

    number: int
    job_id: str
    name: str | None = Field(description="null if the recording was deleted.")
    state: TrialState
    change: float | None = Field(description="Changed words as a share of the old ones.")
    changed_words: int | None
    old_words: int | None
    old_model: str | None
    new_model: str | None
    language: str | None
    old_confidence: float | None
    new_confidence: float | None
    corrected: bool = Field(description="A person corrected the transcript; it is never replaced.")
    error: str | None

    @classmethod
    def of(cls, item: CampaignItem) -> Self:
        """Describe an item."""
        return cls(**{field: getattr(item, field) for field in cls.model_fields})


class CampaignItemList(BaseModel):
    """Recordings of a campaign, with the largest change first."""

    items: list[CampaignItemBody]
    next: int | None = Field(description="Use it as `offset` for the next page; null on the last.")


class WordChangeBody(BaseModel):
    """Words that differ, from a moment on."""

    start_s: float
    before: str
    after: str


class RuleBody(BaseModel):
    """Which undecided proposals; what is left out matches all."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    change_below: float | None = Field(None, ge=0, le=1000, examples=[0.1])
    change_from: float | None = Field(None, ge=0, le=1000)
    confidence_rose: bool = False
    language: str | None = Field(None, max_length=20, description="Of the recording, as its current transcript has it.")

    def rule(self) -> DecisionRule:
        """Return the rule as a record."""
        return DecisionRule(**self.model_dump())


class DecidedBody(BaseModel):
    """How many recordings were decided on; accepting and rolling back go on in the background."""

    recordings: int


class WordErrorBody(BaseModel):
    """The word error rate of a model in a language, against corrected transcripts."""

    model: str
    settings: str = Field(description="What the campaign changed beside the model; empty for what was there before.")
    language: str
    recordings: int
    words: int
    errors: int
    rate: float


@router.post("/v1/campaigns/estimate")
async def estimate(request: Request, body: EstimateBody) -> EstimateAnswer:
    """Say how many recordings fit, and what transcribing them again takes; nothing changes."""
    model = body.changes().get("model")
    plan = await db.in_thread(campaign_orders.plan, caller_of(request).the_user(), body.selection.selection(), model)
    return EstimateAnswer(
        recordings=plan.recordings,
        audio_hours=plan.audio_s / 3600,
        device_hours=None if plan.device_s is None else plan.device_s / 3600,
        hours=None if plan.through_s is None else plan.through_s / 3600,
    )


@router.post("/v1/campaigns", status_code=HTTPStatus.CREATED)
async def create_campaign(request: Request, body: CampaignBody, response: Response) -> CampaignAnswer:
    """Plan a campaign: its recordings are fixed then, and nothing is transcribed before `/start`.

    If one with the same recordings and options has not ended, it is returned instead.
    """
    user = caller_of(request).the_user()
    order = CampaignOrder(
        name=body.name, selection=body.selection.selection(), changes=body.changes(), budget=body.budget.budget()
    )
    made = await db.in_thread(campaign_orders.create, user, order)
    response.headers["Location"] = f"/api/v1/campaigns/{made.id}"
    return await _answer(request, made.id)


@router.get("/v1/campaigns")
async def list_campaigns(
    request: Request,
    before: BeforeId = None,
    limit: Annotated[int, Query(ge=1, le=50)] = 20,
) -> CampaignList:
    """List campaigns, newest first."""
    look = partial(campaign_orders.page, before=before, limit=limit + 1)
    found = await db.in_thread(look, caller_of(request).the_user())
    page = list(map(CampaignAnswer.of, found[:limit]))
    return CampaignList(campaigns=page, next=page[-1].id if len(found) > limit else None)


@router.get("/v1/campaigns/word-error-rates")
async def word_error_rates(
    request: Request,
    campaign: Annotated[str | None, Query(description="Only of this campaign.", max_length=100)] = None,
) -> list[WordErrorBody]:
    """Return word error rates against transcripts that people corrected, by language and model."""
    rows = await db.in_thread(campaign_orders.word_errors, caller_of(request).the_user(), campaign)
    return [WordErrorBody(**asdict(row), rate=row.rate) for row in rows]


@router.get("/v1/campaigns/{campaign_id}")
async def get_campaign(request: Request, campaign_id: str) -> CampaignAnswer:
    """Return a campaign with its counts."""
    return await _answer(request, campaign_id)


@router.put("/v1/campaigns/{campaign_id}/budget")
async def put_budget(request: Request, campaign_id: str, body: BudgetBody) -> CampaignAnswer:
    """Replace the budget; recordings under way go on."""
    await db.in_thread(campaign_orders.set_budget, caller_of(request).the_user(), campaign_id, body.budget())
    return await _answer(request, campaign_id)


@router.post("/v1/campaigns/{campaign_id}/start")
async def start_campaign(request: Request, campaign_id: str) -> CampaignAnswer:
    """Start a campaign, or resume a paused one.

    Its recordings are transcribed in the lane `backfill`.
    """
    return await _moved(request, campaign_id, CampaignState.RUNNING)


@router.post("/v1/campaigns/{campaign_id}/pause")
async def pause_campaign(request: Request, campaign_id: str) -> CampaignAnswer:
    """Begin no more recordings; those under way go on."""
    return await _moved(request, campaign_id, CampaignState.PAUSED)


@router.post("/v1/campaigns/{campaign_id}/cancel")
async def cancel_campaign(request: Request, campaign_id: str) -> CampaignAnswer:
    """Cancel what has not ended; proposals stay, and can still be decided on."""
    return await _moved(request, campaign_id, CampaignState.CANCELLED)


@router.post("/v1/campaigns/{campaign_id}/accept")
async def accept_all(request: Request, campaign_id: str, body: RuleBody) -> DecidedBody:
    """Accept all proposals that fit the rule; transcripts that a person corrected are left out."""
    user = caller_of(request).the_user()
    return DecidedBody(recordings=await db.in_thread(campaign_orders.accept_by_rule, user, campaign_id, body.rule()))


@router.post("/v1/campaigns/{campaign_id}/keep")
async def keep_all(request: Request, campaign_id: str, body: RuleBody) -> DecidedBody:
    """Keep the old transcripts of all proposals that fit the rule."""
    user = caller_of(request).the_user()
    return DecidedBody(recordings=await db.in_thread(campaign_orders.keep_by_rule, user, campaign_id, body.rule()))


@router.post("/v1/campaigns/{campaign_id}/roll-back")
async def roll_back_all(request: Request, campaign_id: str) -> DecidedBody:
    """Take all accepted proposals back; transcripts that were changed since stay as they are."""
    user = caller_of(request).the_user()
    return DecidedBody(recordings=await db.in_thread(campaign_orders.roll_back_all, user, campaign_id))


@router.get("/v1/campaigns/{campaign_id}/items")
async def list_campaign_items(
    request: Request,
    campaign_id: str,
    state: Annotated[list[TrialState] | None, Query(description="Only recordings in these states.")] = None,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> CampaignItemList:
    """List the recordings of a campaign, with the largest change first."""
    look = partial(campaign_orders.items, states=tuple(state or ()), offset=offset, limit=limit + 1)
    found = await db.in_thread(look, caller_of(request).the_user(), campaign_id)
    page = [CampaignItemBody.of(one) for one in found[:limit]]
    return CampaignItemList(items=page, next=offset + limit if len(found) > limit else None)


@router.get("/v1/campaigns/{campaign_id}/items/{number}/changes")
async def item_changes(request: Request, campaign_id: str, number: int) -> list[WordChangeBody]:
    """Return where the words of the new transcript differ from the old one's."""
    user = caller_of(request).the_user()
    found = await db.in_thread(campaign_orders.changes, user, campaign_id, number)
    return [WordChangeBody(**asdict(one)) for one in found]


@router.post("/v1/campaigns/{campaign_id}/items/{number}/accept")
async def accept_item(request: Request, campaign_id: str, number: int) -> CampaignItemBody:
    """Make the new transcript the current version; the old one stays among the versions."""
    user = caller_of(request).the_user()
    return CampaignItemBody.of(await db.in_thread(campaign_orders.accept, user, campaign_id, number))


@router.post("/v1/campaigns/{campaign_id}/items/{number}/keep")
async def keep_item(request: Request, campaign_id: str, number: int) -> CampaignItemBody:
    """Keep the old transcript."""
    user = caller_of(request).the_user()
    return CampaignItemBody.of(await db.in_thread(campaign_orders.keep, user, campaign_id, number))


@router.post("/v1/campaigns/{campaign_id}/items/{number}/roll-back")
async def roll_back_item(request: Request, campaign_id: str, number: int) -> CampaignItemBody:
    """Make the old transcript current again, unless somebody changed the accepted one."""
    user = caller_of(request).the_user()
    return CampaignItemBody.of(await db.in_thread(campaign_orders.roll_back, user, campaign_id, number))


async def _moved(request: Request, campaign_id: str, state: CampaignState) -> CampaignAnswer:
    await db.in_thread(campaign_orders.move, caller_of(request).the_user(), campaign_id, state)
    return await _answer(request, campaign_id)


async def _answer(request: Request, campaign_id: str) -> CampaignAnswer:
    user = caller_of(request).the_user()
    return CampaignAnswer.of(await db.in_thread(campaign_orders.overview, user, campaign_id))
