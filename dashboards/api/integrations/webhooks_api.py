"""`/api/v1/webhooks`: where events are sent, each delivery, and replay."""

from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Annotated, Self

from duckdb import DuckDBPyConnection
from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from dashboards.http.api_parameters import BeforeDelivery, BeforeId
from dashboards.http.identity import caller_of
from dashboards.runtime import db
from dashboards.services import job_access, webhook_management
from storage.accounts import webhook_deliveries, webhooks
from storage.accounts.webhook_deliveries import Attempt, Delivery, DeliveryState
from storage.accounts.webhooks import DisabledBecause, Webhook, WebhookEvent
from storage.domain.network.outgoing_targets import MAX_URL_CHARS
from storage.domain.records import User
from storage.domain.scopes import Scope

router = APIRouter(tags=["webhooks"])
LONGEST_OVERLAP_HOURS = webhooks.LONGEST_OVERLAP / timedelta(hours=1)
EVERYBODY = "Events of all users' jobs; for administrators."


class WebhookBody(BaseModel):
    """A webhook without its secret."""

    id: str
    owner_id: str
    url: str
    events: list[WebhookEvent]
    everybody: bool = Field(description=EVERYBODY)
    enabled: bool
    disabled_because: DisabledBecause | None = Field(description="Why the platform disabled it by itself.")
    failing_since: AwareDatetime | None = Field(description="The first failure after the last success.")
    created_at: AwareDatetime
    previous_secret_until: AwareDatetime | None = Field(
        description="How long messages are signed with the secret before a rotation, too."
    )

    @classmethod
    def of(cls, hook: Webhook) -> Self:
        """Describe a webhook."""
        same = ("id", "url", "everybody", "enabled", "disabled_because", "failing_since", "created_at")
        return cls(
            **{field: getattr(hook, field) for field in same},
            owner_id=hook.user_id,
            events=list(hook.events),
            previous_secret_until=hook.previous_until,
        )


class WebhookList(BaseModel):
    """A page of webhooks, newest first."""

    webhooks: list[WebhookBody]
    next: str | None = Field(description="Use it as `before` for the next page; null on the last.")


class WebhookOrder(BaseModel):
    """A webhook to create."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(max_length=MAX_URL_CHARS, examples=["https://hooks.example.org/transcripts"])
    events: list[WebhookEvent] = Field(
        [WebhookEvent.JOB_COMPLETED, WebhookEvent.JOB_FAILED, WebhookEvent.JOB_CANCELLED], min_length=1
    )
    everybody: bool = Field(False, description=EVERYBODY)


class WebhookChange(BaseModel):
    """What to change of a webhook; fields that are left out stay as they are."""

    model_config = ConfigDict(extra="forbid")

    url: str | None = Field(None, max_length=MAX_URL_CHARS)
    events: list[WebhookEvent] | None = Field(None, min_length=1)
    everybody: bool | None = None
    enabled: bool | None = Field(None, description="Enabling one sends what waited for it.", examples=[True])


class NewWebhookSecret(BaseModel):
    """A webhook with its secret, which is shown only once."""

    secret: str
    webhook: WebhookBody


class WebhookRotateBody(BaseModel):
    """How long messages are signed with the present secret, too."""

    model_config = ConfigDict(extra="forbid")

    overlap_hours: float = Field(24.0, ge=0, le=LONGEST_OVERLAP_HOURS, allow_inf_nan=False, examples=[1])


class AttemptBody(BaseModel):
    """One attempt to deliver a message."""

    sent_at: AwareDatetime
    duration_ms: int
    status: int | None = Field(description="The status of the answer; null if there was none.")
    error: str | None = Field(description="What went wrong, if there was no answer.")

    @classmethod
    def of(cls, attempt: Attempt) -> Self:
        """Describe an attempt."""
        return cls(**{field: getattr(attempt, field) for field in cls.model_fields})


class DeliveryBody(BaseModel):
    """A message to a webhook, and how its last attempt went."""

    id: str = Field(description="The message's `webhook-id`.")
    event: str
    job_id: str | None
    state: DeliveryState
    created_at: AwareDatetime
    next_attempt_at: AwareDatetime | None
    attempts: int
    last_attempt: AttemptBody | None

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        """Describe a delivery."""
        same = ("id", "event", "job_id", "state", "created_at", "attempts")
        return cls(
            **{field: getattr(delivery, field) for field in same},
            next_attempt_at=delivery.due_at,
            last_attempt=AttemptBody.of(delivery.last) if delivery.last else None,
        )


class DeliveryList(BaseModel):
    """A page of deliveries, newest first."""

    deliveries: list[DeliveryBody]
    next: str | None = Field(description="Use it as `before` for the next page; null on the last.")


class DeliveryDetail(BaseModel):
    """A delivery with its body and all of its attempts."""

    delivery: DeliveryBody
    body: str = Field(description="The JSON that is sent, byte by byte.")
    attempts: list[AttemptBody]


@router.get("/v1/webhooks")
async def list_webhooks(
    request: Request,
    before: BeforeId = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    everybody: Annotated[bool, Query(description="All users' webhooks; for administrators.")] = False,
) -> WebhookList:
    """List webhooks, newest first."""
    caller = caller_of(request)
    if everybody:
        caller.require(Scope.ADMIN)
    owner = job_access.listed_owner(caller.the_user(), everybody=everybody, doing="listing everybody's webhooks")
    found = await db.read(webhooks.page, user_id=owner, before=before, limit=limit + 1)
    page = found[:limit]
    return WebhookList(webhooks=list(map(WebhookBody.of, page)), next=page[-1].id if len(found) > limit else None)


@router.post("/v1/webhooks", status_code=HTTPStatus.CREATED)
async def create_webhook(request: Request, body: WebhookOrder) -> NewWebhookSecret:
    """Create a webhook. The response alone has its secret, which signs messages as Standard Webhooks has it."""
    create = partial(webhook_management.create, everybody=body.everybody)
    secret, made = await db.in_ledger(create, caller_of(request).the_user(), body.url, body.events)
    return NewWebhookSecret(secret=secret.get_secret_value(), webhook=WebhookBody.of(made))


@router.get("/v1/webhooks/{webhook_id}")
async def get_webhook(request: Request, webhook_id: str) -> WebhookBody:
    """Return a webhook."""
    return WebhookBody.of(await db.read(webhook_management.visible, caller_of(request).the_user(), webhook_id))


@router.patch("/v1/webhooks/{webhook_id}")
async def change_webhook(request: Request, webhook_id: str, body: WebhookChange) -> WebhookBody:
    """Change a webhook."""
    change = partial(webhook_management.change, **body.model_dump())
    return WebhookBody.of(await db.in_ledger(change, caller_of(request).the_user(), webhook_id))


@router.delete("/v1/webhooks/{webhook_id}", status_code=HTTPStatus.NO_CONTENT)
async def delete_webhook(request: Request, webhook_id: str) -> None:
    """Delete a webhook with its deliveries."""
    await db.in_ledger(webhook_management.delete, caller_of(request).the_user(), webhook_id)


@router.post("/v1/webhooks/{webhook_id}/rotate")
async def rotate_webhook(request: Request, webhook_id: str, body: WebhookRotateBody) -> NewWebhookSecret:
    """Give a webhook a new secret. For some more hours, messages have a signature of the present one, too."""
    rotate = partial(webhook_management.rotate, overlap=timedelta(hours=body.overlap_hours))
    secret, hook = await db.in_ledger(rotate, caller_of(request).the_user(), webhook_id)
    return NewWebhookSecret(secret=secret.get_secret_value(), webhook=WebhookBody.of(hook))


@router.post("/v1/webhooks/{webhook_id}/test", status_code=HTTPStatus.ACCEPTED)
async def test_webhook(request: Request, webhook_id: str) -> DeliveryBody:
    """Send the event `webhook.test`; its delivery says how it went."""
    user = caller_of(request).the_user()
    return DeliveryBody.of(await db.in_ledger(webhook_management.send_test, user, webhook_id))


@router.get("/v1/webhooks/{webhook_id}/deliveries")
async def list_deliveries(
    request: Request,
    webhook_id: str,
    state: Annotated[DeliveryState | None, Query(description="Only deliveries in this state.")] = None,
    before: BeforeDelivery = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> DeliveryList:
    """List a webhook's deliveries of the last two weeks, newest first."""
    await db.read(webhook_management.visible, caller_of(request).the_user(), webhook_id)
    found = await db.read(webhook_deliveries.page, webhook_id, state=state, before=before, limit=limit + 1)
    page = found[:limit]
    return DeliveryList(deliveries=list(map(DeliveryBody.of, page)), next=page[-1].id if len(found) > limit else None)


@router.get("/v1/webhooks/{webhook_id}/deliveries/{delivery_id}")
async def get_delivery(request: Request, webhook_id: str, delivery_id: str) -> DeliveryDetail:
    """Return a delivery with its body and its attempts."""
    return await db.read(_detail, caller_of(request).the_user(), webhook_id, delivery_id)


def _detail(con: DuckDBPyConnection, user: User, webhook_id: str, delivery_id: str) -> DeliveryDetail:
    webhook_management.visible(con, user, webhook_id)
    found = webhook_deliveries.get(con, webhook_id, delivery_id)
    tries = [AttemptBody.of(one) for one in webhook_deliveries.attempts_of(con, delivery_id)]
    return DeliveryDetail(delivery=DeliveryBody.of(found), body=found.body, attempts=tries)


@router.post("/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/replay", status_code=HTTPStatus.ACCEPTED)
async def replay_delivery(request: Request, webhook_id: str, delivery_id: str) -> DeliveryBody:
    """Send a delivery again, with the same id and body; its attempts begin anew."""
    user = caller_of(request).the_user()
    return DeliveryBody.of(await db.in_ledger(webhook_management.replay, user, webhook_id, delivery_id))
