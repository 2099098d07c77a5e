"""API keys: shown once, stored as hashes, revoked permanently."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from duckdb import DuckDBPyConnection

from storage.accounts import api_key_usage, api_keys, quotas, users
from storage.domain.clock import utc_now
from storage.domain.errors import BadRequest, KeyHoursUsedUp, NotFound
from storage.domain.network import key_networks
from storage.domain.records import KeyGrant, User
from storage.domain.scopes import Scope
from storage.ledger import schema_migrations
from storage.ledger.database import Ledger
from storage.ledger.database_file import connect


def lookup(ledger: Ledger, secret: str) -> User | None:
    found = api_keys.lookup(ledger, secret)
    return found[1] if found else None


def test_a_secret_finds_its_user(ledger: Ledger, ann: User) -> None:
    secret, key = ledger.run(api_keys.create, user_id=ann.id, name="nightly", actor="cli:me")
    assert secret.startswith("wt_")
    assert secret.startswith(key.prefix)
    assert len(key.prefix) < len(secret) / 3
    assert lookup(ledger, secret) == ann


@pytest.mark.parametrize("secret", ["", "wt_", "wt_x", "' OR ''='", "\udcff"])
def test_other_secrets_find_nobody(ledger: Ledger, ann: User, secret: str) -> None:
    ledger.run(api_keys.create, user_id=ann.id, name="nightly", actor="cli:me")
    assert lookup(ledger, secret) is None


def test_the_secret_itself_is_not_kept(ledger: Ledger, ann: User) -> None:
    secret, _ = ledger.run(api_keys.create, user_id=ann.id, name="nightly", actor="cli:me")
    ledger.close()
    assert secret.encode() not in ledger.path.read_bytes()


def test_use_is_noted(ledger: Ledger, ann: User) -> None:
    secret, key = ledger.run(api_keys.create, user_id=ann.id, name="nightly", actor="cli:me")
    assert key.last_used_at is None
    lookup(ledger, secret)
    with ledger.read() as con:
        assert api_keys.get(con, key.id).last_used_at


def test_a_revoked_key_finds_nobody_and_stays_in_the_list(ledger: Ledger, ann: User) -> None:
    secret, key = ledger.run(api_keys.create, user_id=ann.id, name="nightly", actor="cli:me")
    first = ledger.run(api_keys.revoke, key.id, actor="cli:me").revoked_at
    assert first
    assert ledger.run(api_keys.revoke, key.id, actor="cli:me").revoked_at == first
    assert lookup(ledger, secret) is None
    with ledger.read() as con:
        assert [one.id for one in api_keys.list_of(con, ann.id)] == [key.id]


def test_a_disabled_users_key_finds_nobody(ledger: Ledger, ann: User) -> None:
    secret, _ = ledger.run(api_keys.create, user_id=ann.id, name="nightly", actor="cli:me")
    ledger.run(users.set_disabled, ann.id, disabled=True, actor="cli:me")
    assert lookup(ledger, secret) is None


def test_keys_need_a_user_and_a_name(ledger: Ledger, ann: User, make_user: Callable[[str], User]) -> None:
    with pytest.raises(NotFound):
        ledger.run(api_keys.create, user_id="nobody", name="x", actor="cli:me")
    with pytest.raises(BadRequest, match="name"):
        ledger.run(api_keys.create, user_id=ann.id, name="  ", actor="cli:me")
    with pytest.raises(NotFound):
        ledger.run(api_keys.revoke, "nothing", actor="cli:me")


@pytest.mark.parametrize(
    ("grant", "field"),
    [
        ({"scopes": ()}, "scopes"),
        ({"expires_at": utc_now()}, "expires_at"),
        ({"networks": "10.0.0.0/8, home"}, "networks"),
        ({"networks": " ".join(f"10.0.0.{n}" for n in range(51))}, "networks"),
        ({"quota_hours": 0.0}, "quota_hours"),
        ({"quota_hours": float("nan")}, "quota_hours"),
        ({"requests_per_hour": 0}, "requests_per_hour"),
        ({"requests_per_hour": 1_000_001}, "requests_per_hour"),
    ],
)
def test_a_grant_that_cannot_hold_is_refused(ledger: Ledger, ann: User, grant: dict[str, Any], field: str) -> None:
    with pytest.raises(BadRequest, match=field):
        ledger.run(api_keys.create, user_id=ann.id, name="x", grant=KeyGrant(**grant), actor="cli:me")


@pytest.mark.parametrize(
    ("networks", "address", "allowed"),
    [
        ("", "203.0.113.7", True),
        ("203.0.113.7", "203.0.113.7", True),
        ("10.0.0.0/8, 2001:db8::/32", "::ffff:10.1.2.3", True),
        ("10.0.0.0/8, 2001:db8::/32", "2001:db8::1", True),
        ("::ffff:203.0.113.7", "203.0.113.7", True),
        ("::ffff:203.0.113.7", "203.0.113.8", False),
        ("10.0.0.0/8", "11.0.0.1", False),
        ("10.0.0.0/8", "unknown", False),
    ],
)
def test_networks_say_from_where_a_key_may_be_used(networks: str, address: str, allowed: bool) -> None:
    assert key_networks.allow(networks, address) is allowed


def expire(con: DuckDBPyConnection, key_id: str) -> None:
    con.execute("UPDATE api_keys SET expires_at = now() WHERE id = $id", {"id": key_id})


def test_an_expired_key_finds_nobody(ledger: Ledger, ann: User) -> None:
    grant = KeyGrant(expires_at=utc_now() + timedelta(days=1))
    secret, key = ledger.run(api_keys.create, user_id=ann.id, name="x", grant=grant, actor="cli:me")
    assert lookup(ledger, secret) == ann
    ledger.run(expire, key.id)
    assert lookup(ledger, secret) is None
    with ledger.read() as con:
        assert api_keys.alive(con, [key.id]) == set()
        assert api_keys.page(con, only_valid=True) == []
    with pytest.raises(BadRequest, match="expired"):
        ledger.run(api_keys.rotate, key.id, overlap=timedelta(0), actor="cli:me")


def test_after_a_rotation_both_secrets_work_for_a_while(ledger: Ledger, ann: User) -> None:
    first, key = ledger.run(api_keys.create, user_id=ann.id, name="x", actor="cli:me")
    second, rotated = ledger.run(api_keys.rotate, key.id, overlap=timedelta(hours=1), actor="cli:me")
    assert (rotated.id, rotated.name, second[:11]) == (key.id, "x", rotated.prefix)
    assert [lookup(ledger, secret) for secret in (first, second)] == [ann, ann]
    third, _ = ledger.run(api_keys.rotate, key.id, overlap=timedelta(hours=1), actor="cli:me")
    assert [lookup(ledger, secret) for secret in (first, second, third)] == [None, ann, ann]
    fourth, _ = ledger.run(api_keys.rotate, key.id, overlap=timedelta(0), actor="cli:me")
    assert [lookup(ledger, secret) for secret in (second, third, fourth)] == [None, None, ann]
    with pytest.raises(BadRequest, match="overlap"):
        ledger.run(api_keys.rotate, key.id, overlap=timedelta(days=31), actor="cli:me")


def test_the_hours_of_a_key_are_counted_and_bounded(ledger: Ledger, ann: User) -> None:
    grant = KeyGrant(quota_hours=1.0)
    _, key = ledger.run(api_keys.create, user_id=ann.id, name="x", grant=grant, actor="cli:me")
    ledger.run(api_key_usage.add_requests, {key.id: 7})
    ledger.run(api_key_usage.add_job, key.id, "job-1")
    with ledger.read() as con:
        quotas.check(con, ann.id, more_bytes=1, api_key_id=key.id)
    ledger.run(api_key_usage.add_heard, "job-1", 3600.0)
    ledger.run(api_key_usage.add_heard, "job-of-a-browser", 3600.0)
    with ledger.read() as con, pytest.raises(KeyHoursUsedUp, match=r"1\.0 of this key's 1 hours"):
        quotas.check(con, ann.id, more_bytes=1, api_key_id=key.id)
    with ledger.read() as con:
        (month,) = api_key_usage.months_of(con, key.id)
        assert quotas.check(con, ann.id, more_bytes=1).name == ann.name
    assert (month.requests, month.recordings, month.heard_s) == (7, 1, 3600.0)


def test_keys_from_before_scopes_keep_all_rights(tmp_path: Path) -> None:
    path, steps = tmp_path / "ledger.duckdb", schema_migrations.shipped()
    with connect(path) as con:
        schema_migrations.bring_up_to_date(con, path, tuple(step for step in steps if step.version < 15))
        con.execute("INSERT INTO api_keys VALUES ('k', 'u', 'old', 'wt_old', 'hash', now(), NULL, NULL)")
        schema_migrations.bring_up_to_date(con, path, steps)
        assert api_keys.get(con, "k").grant == KeyGrant(scopes=tuple(Scope))
