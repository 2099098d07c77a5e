"""API keys: shown once, kept hashed, revoked for good."""

from collections.abc import Callable

import pytest

from storage import keys, users
from storage.errors import BadRequest, NotFound
from storage.ledger import Ledger
from storage.records import User


def lookup(ledger: Ledger, secret: str) -> User | None:
    with ledger.read() as con:
        found = keys.lookup(con, secret)
    return found[1] if found else None


def test_a_secret_finds_its_user(ledger: Ledger, ann: User) -> None:
    secret, key = ledger.run(keys.create, user_id=ann.id, name="nightly", actor="cli:me")
    assert secret.startswith("wt_")
    assert secret.startswith(key.prefix)
    assert len(key.prefix) < len(secret) / 3
    assert lookup(ledger, secret) == ann


@pytest.mark.parametrize("secret", ["", "wt_", "wt_x", "' OR ''='", "\udcff"])
def test_other_secrets_find_nobody(ledger: Ledger, ann: User, secret: str) -> None:
    ledger.run(keys.create, user_id=ann.id, name="nightly", actor="cli:me")
    assert lookup(ledger, secret) is None


def test_the_secret_itself_is_not_kept(ledger: Ledger, ann: User) -> None:
    secret, _ = ledger.run(keys.create, user_id=ann.id, name="nightly", actor="cli:me")
    ledger.close()
    assert secret.encode() not in ledger.path.read_bytes()


def test_use_is_noted(ledger: Ledger, ann: User) -> None:
    secret, key = ledger.run(keys.create, user_id=ann.id, name="nightly", actor="cli:me")
    assert key.last_used_at is None
    lookup(ledger, secret)
    with ledger.read() as con:
        assert keys.get(con, key.id).last_used_at


def test_a_revoked_key_finds_nobody_and_stays_in_the_list(ledger: Ledger, ann: User) -> None:
    secret, key = ledger.run(keys.create, user_id=ann.id, name="nightly", actor="cli:me")
    first = ledger.run(keys.revoke, key.id, actor="cli:me").revoked_at
    assert first
    assert ledger.run(keys.revoke, key.id, actor="cli:me").revoked_at == first
    assert lookup(ledger, secret) is None
    with ledger.read() as con:
        assert [one.id for one in keys.list_of(con, ann.id)] == [key.id]


def test_a_disabled_users_key_finds_nobody(ledger: Ledger, ann: User) -> None:
    secret, _ = ledger.run(keys.create, user_id=ann.id, name="nightly", actor="cli:me")
    ledger.run(users.set_disabled, ann.id, disabled=True, actor="cli:me")
    assert lookup(ledger, secret) is None


def test_keys_need_a_user_and_a_name(ledger: Ledger, ann: User, make_user: Callable[[str], User]) -> None:
    with pytest.raises(NotFound):
        ledger.run(keys.create, user_id="nobody", name="x", actor="cli:me")
    with pytest.raises(BadRequest, match="name"):
        ledger.run(keys.create, user_id=ann.id, name="  ", actor="cli:me")
    with pytest.raises(NotFound):
        ledger.run(keys.revoke, "nothing", actor="cli:me")
