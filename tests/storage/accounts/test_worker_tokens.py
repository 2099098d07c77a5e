"""Tokens of single workers: shown once, recorded, revocable."""

import pytest

from storage.accounts import worker_tokens
from storage.domain.errors import BadRequest, NotFound
from storage.ledger import audit
from storage.ledger.database import Ledger

ACTOR = "user:root"


def make(ledger: Ledger, name: str = "gpu-box") -> tuple[str, worker_tokens.WorkerToken]:
    return ledger.run(worker_tokens.create, name=name, actor=ACTOR)


def test_a_token_is_found_by_its_secret_which_is_nowhere_in_the_ledger(ledger: Ledger) -> None:
    secret, token = make(ledger)
    assert token.last_used_at is None
    assert worker_tokens.lookup(ledger, secret) == "gpu-box"
    assert worker_tokens.lookup(ledger, secret[:-1]) is None
    with ledger.read() as con:
        (listed,) = worker_tokens.list_all(con)
        rows = str(con.execute("SELECT * FROM worker_tokens").fetchall()) + str(audit.page(con))
    assert listed.last_used_at is not None
    assert secret not in rows


def test_a_revoked_token_opens_nothing_and_its_name_is_free_again(ledger: Ledger) -> None:
    secret, token = make(ledger)
    with pytest.raises(BadRequest, match="there is a token named gpu-box"):
        make(ledger)
    ledger.run(worker_tokens.revoke, token.id, actor=ACTOR)
    ledger.run(worker_tokens.revoke, token.id, actor=ACTOR)
    assert worker_tokens.lookup(ledger, secret) is None
    other, _ = make(ledger)
    assert worker_tokens.lookup(ledger, other) == "gpu-box"
    with ledger.read() as con:
        assert len(worker_tokens.list_all(con)) == 2
        assert len(worker_tokens.list_all(con, only_valid=True)) == 1
        actions = [row.action for row in reversed(audit.page(con)) if row.action.startswith("worker_token")]
    assert actions == ["worker_token.create", "worker_token.revoke", "worker_token.create"]


@pytest.mark.parametrize("name", ["", "  ", "x" * 65, "a\nb"])
def test_a_name_is_needed(ledger: Ledger, name: str) -> None:
    with pytest.raises(BadRequest):
        make(ledger, name)


def test_what_is_not_there_cannot_be_revoked(ledger: Ledger) -> None:
    with pytest.raises(NotFound):
        ledger.run(worker_tokens.revoke, "nothing", actor=ACTOR)
