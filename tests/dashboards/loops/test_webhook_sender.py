"""Webhooks at a real receiver: signed, once each, with retries that survive a restart."""

import time
from base64 import b64decode
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from dashboards.loops.webhook_sender import send_events
from dashboards.runtime import context
from dashboards.runtime.limits import Limits
from storage.accounts import users, webhook_deliveries, webhooks
from storage.accounts.webhook_deliveries import Delivery, DeliveryState
from storage.accounts.webhooks import DisabledBecause, Webhook
from storage.domain.clock import utc_now
from storage.domain.errors import EmptyUpload
from storage.domain.job_messages import encode, raised
from storage.domain.network.outgoing_targets import OutgoingSettings
from storage.domain.records import Job, JobState
from storage.domain.settings import Settings
from storage.jobs import job_rows
from storage.maintenance import account_deletion
from storage.remote.webhook_secrets import KEY_FILE
from tests.dashboards.receiver import Got, Receiver, receiving
from tests.dashboards.site import Site, running
from tests.factories import TEXT, accept, job_in
from tests.waiting import PATIENCE_S

FAST = (0.05, 0.05)
LIMITS = Limits(webhook_pauses_s=FAST, webhook_look_every_s=0.05, webhook_answer_s=5.0)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.fixture
def hooking(settings: Settings) -> Settings:
    """Settings that allow this machine."""
    settings.__dict__["outgoing"] = OutgoingSettings(outgoing_allowed="127.0.0.1", _env_file=None)
    return settings


@pytest.fixture
def site(hooking: Settings) -> Iterator[Site]:
    with running(hooking, LIMITS) as started:
        yield started


def hooked(site: Site, url: str, name: str = "ada", **asked: Any) -> tuple[str, str]:
    """Create a webhook; return its secret and id."""
    answer = site.client.post("/api/v1/webhooks", headers=site.key_of(site.user(name)), json={"url": url} | asked)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    return made["secret"], made["webhook"]["id"]


def ends(site: Site, state: JobState = JobState.COMPLETED, name: str = "talk.wav", owner: str = "ada") -> Job:
    error = encode(raised(EmptyUpload(name))) if state is JobState.FAILED else None
    job = accept(context.ledger(), site.user(owner), name=name)
    by: dict[str, Any] = {"actor": "system:test", "action": "job.end", "error": error, "error_code": "empty_upload"}
    return context.ledger().run(job_rows.finish, job, state, **by)


def verified(secret: str, got: Got) -> dict[str, Any]:
    told: dict[str, Any] = Verifier(secret).verify(got.body, got.headers)
    return told


def hook_of(webhook_id: str) -> Webhook:
    with context.ledger().read() as con:
        return webhooks.get(con, webhook_id)


def deliveries_of(webhook_id: str) -> list[Delivery]:
    with context.ledger().read() as con:
        return webhook_deliveries.page(con, webhook_id)


def settled(webhook_id: str, state: DeliveryState, count: int = 1) -> list[Delivery]:
    """Wait until so many deliveries of the webhook are in this state."""
    until = time.monotonic() + PATIENCE_S
    while len(found := [one for one in deliveries_of(webhook_id) if one.state is state]) < count:
        assert time.monotonic() < until, deliveries_of(webhook_id)
        time.sleep(0.02)
    return found


def test_the_end_of_a_job_is_sent_and_signed(site: Site, receiver: Receiver) -> None:
    secret, webhook_id = hooked(site, f"{receiver.url}/hook")
    done, failed = ends(site), ends(site, JobState.FAILED, "bad.wav")
    cancelled = ends(site, JobState.CANCELLED, "not.wav")
    told = [verified(secret, got) for got in receiver.wait_for(3)]
    assert [one["type"] for one in told] == ["job.completed", "job.failed", "job.cancelled"]
    assert [one["data"]["job_id"] for one in told] == [done.id, failed.id, cancelled.id]
    assert told[1]["data"]["error"] == {"code": "empty_upload", "message": str(EmptyUpload("bad.wav"))}
    first = receiver.got[0]
    assert (first.path, first.headers["content-type"]) == ("/hook", "application/json")
    assert abs(int(first.headers["webhook-timestamp"]) - time.time()) < 60
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 3
    with pytest.raises(WebhookVerificationError):
        Verifier(secret).verify(first.body + b" ", first.headers)
    (sent,) = [one for one in settled(webhook_id, DeliveryState.DELIVERED, 3) if one.job_id == done.id]
    assert sent.last
    assert (sent.attempts, sent.last.status, sent.due_at) == (1, 204, None)


def test_a_message_has_no_text_and_the_ledger_no_secret(site: Site, receiver: Receiver) -> None:
    secret, webhook_id = hooked(site, receiver.url)
    job_in(context.ledger(), context.files(), site.user(), JobState.COMPLETED)
    (got,) = receiver.wait_for(1)
    assert verified(secret, got)["data"]["model"] == "small"
    assert not any(word in got.body.decode() for word in TEXT.split() if len(word) > 4)
    data_dir = site.settings.storage.data_dir
    assert (data_dir / KEY_FILE).stat().st_mode & 0o777 == 0o600
    stored = b"".join(path.read_bytes() for path in data_dir.iterdir() if path.is_file())
    assert secret.removeprefix("whsec_").encode() not in stored
    assert b64decode(secret.removeprefix("whsec_")) not in stored
    assert webhook_id.encode() in stored


def test_events_go_to_those_who_may_see_the_job(site: Site, receiver: Receiver) -> None:
    key = site.key_of(site.user("ada"))
    refused = site.client.post("/api/v1/webhooks", headers=key, json={"url": receiver.url, "everybody": True})
    assert refused.status_code == 403
    hooked(site, f"{receiver.url}/bob", "bob")
    hooked(site, f"{receiver.url}/all", "root", everybody=True)
    hooked(site, f"{receiver.url}/own", "root")
    hooked(site, f"{receiver.url}/failures", "ada", events=["job.failed"])
    ends(site)
    ends(site, owner="root")
    receiver.wait_for(3)
    time.sleep(0.3)
    assert sorted(got.path for got in receiver.got) == ["/all", "/all", "/own"]


def test_a_failed_delivery_is_tried_again_with_the_same_id(site: Site, receiver: Receiver) -> None:
    secret, webhook_id = hooked(site, receiver.url)
    receiver.answers = [(500, {}, b"x" * 100_000), (302, {"Location": "http://10.0.0.1/"}, b"")]
    ends(site)
    got = receiver.wait_for(3)
    assert len({one.headers["webhook-id"] for one in got}) == len({one.body for one in got}) == 1
    assert [verified(secret, one)["type"] for one in got] == ["job.completed"] * 3
    settled(webhook_id, DeliveryState.DELIVERED)
    assert hook_of(webhook_id).failing_since is None


def test_what_was_not_delivered_is_by_the_next_process(hooking: Settings, receiver: Receiver) -> None:
    receiver.usual = (503, {}, b"")
    slow = Limits(webhook_pauses_s=(0.5, 60.0), webhook_look_every_s=0.05)
    with running(hooking, slow) as site:
        secret, webhook_id = hooked(site, receiver.url)
        ends(site)
        receiver.wait_for(1)
        until = time.monotonic() + PATIENCE_S
        while not deliveries_of(webhook_id)[0].attempts:
            assert time.monotonic() < until
            time.sleep(0.01)
    before, receiver.usual = len(receiver.got), (200, {}, b"")
    with running(hooking, LIMITS):
        got = receiver.wait_for(before + 1)[-1]
        assert verified(secret, got)["type"] == "job.completed"
        (sent,) = settled(webhook_id, DeliveryState.DELIVERED)
        assert (got.headers["webhook-id"], sent.attempts) == (sent.id, before + 1)


def test_a_process_that_died_while_it_sent_has_not_lost_the_message(site: Site, receiver: Receiver) -> None:
    _, webhook_id = hooked(site, receiver.url, events=["job.failed"])
    with context.ledger().write() as con:
        webhooks.change(con, webhook_id, enabled=False, events=["job.completed"], actor="system:test")
        webhooks.change(con, webhook_id, enabled=True, actor="system:test")
    now = utc_now()
    with context.ledger().write() as con:  # as a process that dies here does
        webhook_deliveries.queue_test(con, webhook_id)
        taken = webhook_deliveries.take(con, webhook_id, now=now + timedelta(seconds=1), taken_for=timedelta(seconds=1))
        assert taken
        assert webhook_deliveries.take(con, webhook_id, now=now + timedelta(seconds=1)) is None
    receiver.wait_for(1)
    (sent,) = settled(webhook_id, DeliveryState.DELIVERED)
    assert (sent.id, sent.tries, sent.attempts) == (taken.id, 2, 1)


async def test_two_senders_send_nothing_twice(site: Site, receiver: Receiver) -> None:
    ids = [hooked(site, f"{receiver.url}/{number}")[1] for number in range(3)]
    site.client.portal.start_task_soon(send_events)  # type: ignore[union-attr]
    for number in range(5):
        ends(site, name=f"{number}.wav")
    for webhook_id in ids:
        settled(webhook_id, DeliveryState.DELIVERED, 5)
    assert len({got.headers["webhook-id"] for got in receiver.got}) == len(receiver.got) == 15


def test_what_is_never_taken_ends_and_disables_the_webhook(site: Site, receiver: Receiver) -> None:
    receiver.usual = (500, {}, b"")
    _, webhook_id = hooked(site, receiver.url)
    ends(site)
    (given_up,) = settled(webhook_id, DeliveryState.FAILED)
    assert (given_up.attempts, len(receiver.got)) == (len(FAST) + 1, len(FAST) + 1)
    hook = hook_of(webhook_id)
    assert (hook.enabled, hook.disabled_because) == (False, DisabledBecause.FAILING)
    ends(site)
    receiver.usual = (200, {}, b"")
    key, url = site.key_of(site.user()), f"/api/v1/webhooks/{webhook_id}"
    again = f"{url}/deliveries/{given_up.id}/replay"
    assert site.client.post(again, headers=key).status_code == 400
    shown = site.client.patch(url, headers=key, json={"enabled": True}).json()
    assert (shown["enabled"], shown["disabled_because"], shown["failing_since"]) == (True, None, None)
    assert site.client.post(again, headers=key).status_code == 202
    (sent,) = settled(webhook_id, DeliveryState.DELIVERED)
    assert (sent.id, sent.attempts) == (given_up.id, len(FAST) + 2)
    detail = site.client.get(f"{url}/deliveries/{given_up.id}", headers=key).json()
    assert [one["status"] for one in detail["attempts"]] == [500, 500, 500, 200]


def test_a_receiver_that_is_gone_is_left_alone(site: Site, receiver: Receiver) -> None:
    receiver.usual = (410, {}, b"")
    _, webhook_id = hooked(site, receiver.url)
    ends(site)
    settled(webhook_id, DeliveryState.FAILED)
    assert hook_of(webhook_id).disabled_because is DisabledBecause.GONE
    ends(site)
    time.sleep(0.3)
    assert len(receiver.got) == 1


def test_one_slow_receiver_holds_up_no_other(hooking: Settings, receiver: Receiver) -> None:
    with receiving() as slow, running(hooking, Limits(webhook_look_every_s=0.05, webhook_answer_s=1.0)) as site:
        slow.slow_s = 30.0
        _, stuck = hooked(site, slow.url)
        _, quick = hooked(site, receiver.url)
        for _ in range(3):
            ends(site)
        settled(quick, DeliveryState.DELIVERED, 3)
        until = time.monotonic() + PATIENCE_S
        while not any(one.last for one in deliveries_of(stuck)):
            assert time.monotonic() < until
            time.sleep(0.05)
        (tried,) = [one.last for one in deliveries_of(stuck) if one.last][:1]
        assert (tried.status, tried.error) == (None, "no answer within 1 s")


def test_a_redirect_to_a_private_address_is_not_followed(site: Site, receiver: Receiver) -> None:
    _, webhook_id = hooked(site, receiver.url)
    receiver.usual = (307, {"Location": "http://169.254.169.254/latest/meta-data"}, b"")
    ends(site)
    (tried,) = settled(webhook_id, DeliveryState.FAILED)
    assert tried.last
    assert "169.254.169.254 is no host on the public internet" in str(tried.last.error)
    receiver.usual, receiver.answers = (200, {}, b""), [(307, {"Location": "/there"}, b"")]
    with context.ledger().write() as con:
        webhooks.change(con, webhook_id, enabled=True, actor="system:test")
    ends(site)
    settled(webhook_id, DeliveryState.DELIVERED)
    assert receiver.got[-1].path == "/there"


def test_a_busy_receiver_gets_the_pause_that_it_asks_for(site: Site, receiver: Receiver) -> None:
    _, webhook_id = hooked(site, receiver.url)
    receiver.answers = [(429, {"Retry-After": "1"}, b"")]
    ends(site)
    began = time.monotonic()
    receiver.wait_for(1)
    receiver.wait_for(2)
    assert time.monotonic() - began > 0.9
    settled(webhook_id, DeliveryState.DELIVERED)


def test_a_disabled_account_gets_nothing_until_it_is_enabled(site: Site, receiver: Receiver) -> None:
    receiver.answers = [(500, {}, b"")]
    _, webhook_id = hooked(site, receiver.url)
    ada, ledger = site.user(), context.ledger()
    with ledger.write() as con:
        webhook_deliveries.queue_test(con, webhook_id)
        users.set_disabled(con, ada.id, disabled=True, actor="system:test")
    ends(site)
    time.sleep(0.4)
    assert receiver.got == []
    assert len(deliveries_of(webhook_id)) == 1  # nothing was queued meanwhile
    ledger.run(users.set_disabled, ada.id, disabled=False, actor="system:test")
    settled(webhook_id, DeliveryState.DELIVERED)


def test_a_deleted_account_leaves_no_webhooks(site: Site, receiver: Receiver) -> None:
    receiver.usual = (500, {}, b"")
    _, webhook_id = hooked(site, receiver.url)
    ends(site)
    receiver.wait_for(1)
    context.ledger().run(account_deletion.leave, site.user().id, actor="system:test")
    with context.ledger().read() as con:
        assert webhooks.page(con) == []
        assert webhook_deliveries.page(con, webhook_id) == []


def test_a_rotated_secret_signs_beside_the_one_before_for_a_while(site: Site, receiver: Receiver) -> None:
    old, webhook_id = hooked(site, receiver.url)
    key, url = site.key_of(site.user()), f"/api/v1/webhooks/{webhook_id}"
    new = site.client.post(f"{url}/rotate", headers=key, json={"overlap_hours": 1}).json()["secret"]
    ends(site)
    (got,) = receiver.wait_for(1)
    assert verified(old, got) == verified(new, got)
    newest = site.client.post(f"{url}/rotate", headers=key, json={"overlap_hours": 0}).json()["secret"]
    assert len({old, new, newest}) == 3
    ends(site)
    last = receiver.wait_for(2)[-1]
    verified(newest, last)
    for before in (old, new):
        with pytest.raises(WebhookVerificationError):
            Verifier(before).verify(last.body, last.headers)


def test_a_lost_key_file_is_noticed_before_anything_is_sent(site: Site, receiver: Receiver) -> None:
    _, webhook_id = hooked(site, receiver.url)
    (site.settings.storage.data_dir / KEY_FILE).unlink()
    ends(site)
    until = time.monotonic() + PATIENCE_S
    while hook_of(webhook_id).enabled:
        assert time.monotonic() < until
        time.sleep(0.02)
    assert hook_of(webhook_id).disabled_because is DisabledBecause.SECRET_LOST
    key, url = site.key_of(site.user()), f"/api/v1/webhooks/{webhook_id}"
    secret = site.client.post(f"{url}/rotate", headers=key, json={}).json()["secret"]
    site.client.patch(url, headers=key, json={"enabled": True})
    assert verified(secret, receiver.wait_for(1)[0])["type"] == "job.completed"


def test_old_deliveries_are_deleted(site: Site, receiver: Receiver) -> None:
    _, webhook_id = hooked(site, receiver.url)
    ends(site)
    settled(webhook_id, DeliveryState.DELIVERED)
    ledger = context.ledger()
    ledger.run(webhook_deliveries.tidy, now=utc_now() + webhook_deliveries.KEPT_FOR - timedelta(hours=1))
    assert len(deliveries_of(webhook_id)) == 1
    ledger.run(webhook_deliveries.tidy, now=utc_now() + webhook_deliveries.KEPT_FOR + timedelta(hours=1))
    assert deliveries_of(webhook_id) == []
