"""The settings' list of webhooks: secrets shown once, deliveries, replay."""

from typing import Any

from standardwebhooks import Webhook as Verifier

from storage.accounts import webhook_deliveries, webhooks
from storage.accounts.webhook_deliveries import Attempt, DeliveryState
from storage.accounts.webhooks import DisabledBecause, Webhook
from storage.domain.clock import utc_now
from storage.domain.records import JobState, Role, User
from storage.ledger import audit
from tests.dashboards.desk import Desk, button, labels, words


def the_hook(desk: Desk, user: User) -> Webhook:
    with desk.ledger.read() as con:
        (hook,) = webhooks.page(con, user_id=user.id)
    return hook


def test_a_webhook_is_made_tested_rotated_and_deleted(desk: Desk) -> None:
    ada = desk.user()
    at = desk.page("settings", ada, part="Webhooks")
    address: Any = next(one for one in at.text_input if one.label == "Address of the webhook")
    address.set_value("http://10.0.0.7/x")
    button(at, "Create a webhook").click()
    at.run()
    assert "no host on the public internet" in words(at)
    next(one for one in at.text_input if one.label == "Address of the webhook").set_value("https://hooks.example/x")
    button(at, "Create a webhook").click()
    at.run()
    secret = next(one.value for one in at.code if one.value.startswith("whsec_"))
    Verifier(secret)
    hook = the_hook(desk, ada)
    assert [event.value for event in hook.events] == ["job.completed", "job.failed", "job.cancelled"]
    button(at, "I have copied the secret").click()
    at.run()
    at.button(key=f"test-{hook.id}").click()
    at.run()
    assert "`webhook.test`" in words(at)
    at.button(key=f"rotate-webhook-{hook.id}").click()
    at.run()
    assert next(one.value for one in at.code if one.value.startswith("whsec_")) != secret
    at.button(key=f"delete-{hook.id}").click()
    at.run()
    assert not at.exception, at.exception
    with desk.ledger.read() as con:
        assert webhooks.page(con) == []


def test_a_disabled_webhook_says_why_and_what_failed_is_sent_again(desk: Desk) -> None:
    ada, ledger = desk.user(), desk.ledger
    asked: dict[str, Any] = {"url": "https://hooks.example/x", "events": ["job.completed"], "everybody": False}
    ledger.run(webhooks.create, webhook_id="one", user_id=ada.id, secret_mark="", actor="system:test", **asked)
    desk.job(ada, JobState.COMPLETED)
    taken = ledger.run(webhook_deliveries.take, "one", now=utc_now())
    assert taken
    ledger.run(webhook_deliveries.tried, taken, Attempt(sent_at=utc_now(), duration_ms=1500, status=500), pauses_s=())
    ledger.run(webhooks.disable, "one", DisabledBecause.FAILING, now=utc_now(), actor="system:test")
    at = desk.page("settings", ada, part="Webhooks")
    said = words(at)
    assert "nothing could be delivered for a day" in said
    assert "one attempt · status 500 after 1.5 s" in said
    assert f"replay-{taken.id}" not in [one.key for one in at.button]
    at.button(key="enable-one").click()
    at.run()
    at.button(key=f"replay-{taken.id}").click()
    at.run()
    assert not at.exception, at.exception
    with ledger.read() as con:
        assert webhook_deliveries.get(con, "one", taken.id).state is DeliveryState.WAITING


def test_a_reader_makes_no_webhooks_and_only_administrators_get_everybodys(desk: Desk) -> None:
    assert "Create a webhook" not in labels(desk.page("settings", desk.user(role=Role.READER), part="Webhooks"))
    boxes = [one.label for one in desk.page("settings", desk.user("eve"), part="Webhooks").checkbox]
    assert "Events of all users' jobs" not in boxes
    boxes = [one.label for one in desk.page("settings", desk.user("root", role=Role.ADMIN), part="Webhooks").checkbox]
    assert "Events of all users' jobs" in boxes


def test_an_administrator_sees_everybodys_webhooks_and_disables_one(desk: Desk) -> None:
    ada, root = desk.user(), desk.user("root", Role.ADMIN)
    asked: dict[str, Any] = {
        "url": "https://hooks.example/secret-path",
        "events": ["job.completed"],
        "everybody": False,
    }
    desk.ledger.run(webhooks.create, webhook_id="one", user_id=ada.id, secret_mark="", actor="system:test", **asked)
    at = desk.page("people", root, part="Webhooks")
    assert "https://hooks.example" in [one.value for one in at.text]
    assert "secret-path" not in words(at)
    at.button(key="enable-everybodys-one").click()
    at.run()
    assert not at.exception, at.exception
    assert not the_hook(desk, ada).enabled
    with desk.ledger.read() as con:
        change = audit.page(con, subject="one")[0]
    assert (change.action, change.actor, change.detail["enabled"]) == ("webhook.change", root.actor, False)
