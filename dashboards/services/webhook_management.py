"""Creates, changes and deletes webhooks: one's own, or as an administrator anybody's."""

from collections.abc import Iterable
from datetime import timedelta

from duckdb import DuckDBPyConnection
from pydantic import SecretStr

from dashboards.clients import outgoing_http
from dashboards.runtime import context, db
from dashboards.services import job_access
from storage.accounts import webhook_deliveries, webhooks
from storage.accounts.webhook_deliveries import Delivery
from storage.accounts.webhooks import Webhook
from storage.domain.clock import new_id
from storage.domain.errors import NotAllowed, NotFound
from storage.domain.records import Role, User
from storage.remote import webhook_secrets

DOING = "changing webhooks"


def create(user: User, url: str, events: Iterable[str], *, everybody: bool = False) -> tuple[SecretStr, Webhook]:
    """Create a webhook of the user's; return its secret and the webhook.

    Raises:
        NotAllowed: the user is read-only, or no administrator and asks for everybody's events.
        BadRequest, OutgoingRefused: the address or an event is not accepted, or the user has too many webhooks.
    """
    _require(user, everybody=everybody)
    ident, settings = new_id(), context.settings()
    secret = webhook_secrets.secret_of(settings, ident, 1)
    made = db.change(
        webhooks.create,
        webhook_id=ident,
        user_id=user.id,
        url=outgoing_http.checked(settings.outgoing.targets, url),
        events=list(events),
        everybody=everybody,
        secret_mark=webhook_secrets.mark_of(secret),
        actor=user.actor,
    )
    return secret, made


def change(
    user: User,
    webhook_id: str,
    *,
    url: str | None = None,
    events: Iterable[str] | None = None,
    everybody: bool | None = None,
    enabled: bool | None = None,
) -> Webhook:
    """Change what is given; enabling one sends what waited for it.

    Raises:
        NotFound: there is no such webhook, or it is somebody else's.
        NotAllowed, BadRequest, OutgoingRefused: see `create`.
    """
    _require(user, everybody=bool(everybody))
    db.look(visible, user, webhook_id)
    if url is not None:
        url = outgoing_http.checked(context.settings().outgoing.targets, url)
    chosen = None if events is None else list(events)
    return db.change(
        webhooks.change, webhook_id, url=url, events=chosen, everybody=everybody, enabled=enabled, actor=user.actor
    )


def rotate(user: User, webhook_id: str, *, overlap: timedelta) -> tuple[SecretStr, Webhook]:
    """Give a webhook a new secret; messages have signatures of both for `overlap` longer.

    Raises:
        NotAllowed, NotFound: see `change`.
        BadRequest: the overlap is out of range.
    """
    _require(user)
    hook = db.look(visible, user, webhook_id)
    secret = webhook_secrets.secret_of(context.settings(), webhook_id, hook.generation + 1)
    mark = webhook_secrets.mark_of(secret)
    return secret, db.change(webhooks.rotate, webhook_id, secret_mark=mark, overlap=overlap, actor=user.actor)


def delete(user: User, webhook_id: str) -> None:
    """Delete a webhook with its deliveries.

    Raises:
        NotAllowed, NotFound: see `change`.
    """
    _require(user)
    db.look(visible, user, webhook_id)
    db.change(webhooks.delete, webhook_id, actor=user.actor)


def send_test(user: User, webhook_id: str) -> Delivery:
    """Queue a test message.

    Raises:
        NotAllowed, NotFound: see `change`.
        BadRequest: the webhook is disabled.
    """
    _require(user)
    db.look(visible, user, webhook_id)
    return db.change(webhook_deliveries.queue_test, webhook_id)


def replay(user: User, webhook_id: str, delivery_id: str) -> Delivery:
    """Send a delivery again, with its id and body.

    Raises:
        NotAllowed, NotFound: see `change`.
        BadRequest: the webhook is disabled.
    """
    _require(user)
    db.look(visible, user, webhook_id)
    return db.change(webhook_deliveries.replay, webhook_id, delivery_id, actor=user.actor)


def visible(con: DuckDBPyConnection, user: User, webhook_id: str) -> Webhook:
    """Return a webhook of the user, or for an administrator anybody's.

    Raises:
        NotFound: there is none, or it is somebody else's, which is not revealed.
    """
    hook = webhooks.get(con, webhook_id)
    if hook.user_id != user.id and user.role is not Role.ADMIN:
        raise NotFound("webhook", webhook_id)
    return hook


def _require(user: User, *, everybody: bool = False) -> None:
    job_access.require_writer(user, DOING)
    if everybody and user.role is not Role.ADMIN:
        raise NotAllowed("getting everybody's events", "an administrator")
