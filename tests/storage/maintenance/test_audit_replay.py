"""A change of accounts, keys or links without a row of the audit log is found."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from storage.accounts import api_keys, users, worker_tokens
from storage.domain.records import Job, JobState, Role, User
from storage.files.file_store import Files
from storage.jobs import share_links
from storage.ledger.database import Ledger
from storage.maintenance import account_deletion, audit_replay
from tests.factories import job_in

BY = "system:test"


@pytest.fixture
def lived_in(ledger: Ledger, files: Files, make_user: Callable[..., User]) -> Ledger:
    """A ledger in which everything was changed by the program."""
    ann, bob, cid = (make_user(name) for name in ("Ann", "Bob", "Cid"))
    ledger.run(users.set_role, ann.id, role=Role.ADMIN, actor=BY)
    ledger.run(users.set_disabled, bob.id, disabled=True, actor=BY)
    job: Job = job_in(ledger, files, ann, JobState.COMPLETED)
    for user in (ann, cid):
        for name in ("kept", "revoked"):
            _, key = ledger.run(api_keys.create, user_id=user.id, name=name, actor=BY)
            if name == "revoked":
                ledger.run(api_keys.revoke, key.id, actor=BY)
    for name in ("one", "two"):
        ledger.run(worker_tokens.create, name=name, actor=BY)
        ledger.run(share_links.create, job.id, lasts=timedelta(days=1), actor=BY)
    with ledger.read() as con:
        token, share = worker_tokens.list_all(con)[0], share_links.list_of(con, job.id)[0]
    ledger.run(worker_tokens.revoke, token.id, actor=BY)
    ledger.run(share_links.revoke, job.id, share.id, actor=BY)
    ledger.run(account_deletion.leave, cid.id, actor=BY)
    return ledger


def found(ledger: Ledger) -> list[str]:
    with ledger.read() as con:
        return audit_replay.differences(con)


def test_what_the_program_did_is_all_there(lived_in: Ledger, files: Files) -> None:
    assert found(lived_in) == []
    with lived_in.read() as con:
        (leaver,) = account_deletion.who(con)
    account_deletion.erase(lived_in, files, leaver)
    assert found(lived_in) == []


CHANGES = (
    ("UPDATE users SET role = 'admin' WHERE name = 'Bob'", "Bob .* has the role admin, by the audit log member"),
    ("UPDATE users SET disabled = FALSE WHERE name = 'Bob'", "Bob .* is enabled, by the audit log disabled"),
    ("UPDATE users SET disabled = TRUE WHERE name = 'Ann'", "Ann .* is disabled, by the audit log enabled"),
    ("INSERT INTO users SELECT * REPLACE ('new' AS id) FROM users WHERE name = 'Bob'", "Bob .new. was made without"),
    ("DELETE FROM users WHERE name = 'Bob'", "the account .* was removed without a row"),
    ("UPDATE api_keys SET revoked_at = NULL WHERE name = 'revoked'", "API key .* is valid, by the audit log revoked"),
    ("INSERT INTO api_keys SELECT * REPLACE ('k' AS id) FROM api_keys LIMIT 1", "API key k was made without a row"),
    ("UPDATE api_keys SET user_id = 'x' WHERE revoked_at IS NULL", "API key .* was changed without a row"),
    ("UPDATE worker_tokens SET revoked_at = NULL", "worker token .* is valid, by the audit log revoked"),
    ("DELETE FROM worker_tokens", "worker token .* was removed without a row"),
    ("UPDATE shares SET revoked_at = NULL", "share link .* is valid, by the audit log revoked"),
    ("UPDATE shares SET expires_at = expires_at + INTERVAL 1 YEAR", "share link .* was changed without a row"),
)


def test_a_change_by_sql_is_found(lived_in: Ledger) -> None:
    for change, told in CHANGES:
        with lived_in.cursor() as con:
            con.execute("BEGIN TRANSACTION")
            con.execute(change)
            differences = audit_replay.differences(con)
            con.execute("ROLLBACK")
        assert differences, change
        for difference in differences:
            assert re.search(told, difference), (change, difference)
