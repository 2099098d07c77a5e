"""What counts as a change: a transaction without one is not committed."""

import duckdb
import pytest

from storage.accounts import api_keys
from storage.domain.records import KeyGrant, User
from storage.ledger.database import Ledger


@pytest.mark.parametrize(
    ("statement", "counts"),
    [
        ("SELECT count(*) FROM users", False),
        ("WITH one AS (SELECT 1) SELECT * FROM one", False),
        ("UPDATE users SET name = 'x' WHERE id = 'nobody'", False),
        ("DELETE FROM users WHERE id = 'nobody'", False),
        ("DELETE FROM users WHERE id = 'nobody' RETURNING id", False),
        ("UPDATE audit_head SET count = count", True),
        ("UPDATE audit_head SET count = 0 RETURNING count", True),
        ("CREATE TABLE other (id INTEGER)", True),
        ("SELECT 1; DELETE FROM users", True),
    ],
)
@pytest.mark.parametrize("read", ["all", "one", "nothing"])
def test_only_what_changed_something_is_committed(ledger: Ledger, statement: str, counts: bool, read: str) -> None:
    before = ledger.changes
    with ledger.write() as con:
        found = con.execute(statement)
        if read != "nothing":
            rows = found.fetchall() if read == "all" else [found.fetchone()]
            assert rows or not counts or "CREATE" in statement
        con.execute("SELECT 1").fetchall()
    assert (ledger.changes - before, ledger.writes.count) == ((2, 1) if counts else (0, 0))


def test_a_change_among_others_is_committed(ledger: Ledger) -> None:
    with ledger.write() as con:
        con.execute("DELETE FROM users WHERE id = 'nobody'")
        con.execute("UPDATE audit_head SET count = 7, hash = 'x'")
        assert con.execute("SELECT count FROM audit_head").fetchone() == (7,)
        con.execute("DELETE FROM users WHERE id = 'nobody'")
    with ledger.read() as con:
        assert con.execute("SELECT count FROM audit_head").fetchone() == (7,)


def test_many_rows_are_a_change_and_a_failure_is_none(ledger: Ledger) -> None:
    with ledger.write() as con:
        con.executemany("UPDATE audit_head SET count = $1", [[8], [9]])
    assert ledger.changes == 2
    with pytest.raises(duckdb.Error), ledger.write() as con:
        con.execute("SELECT nothing FROM audit_head")
    assert ledger.changes == 2


@pytest.mark.parametrize(
    ("statement", "counted"),
    [
        ("UPDATE users SET disabled = TRUE", 2),
        ("UPDATE api_keys SET revoked_at = now()", 2),
        ("INSERT INTO jobs_by_key SELECT 'job', id FROM users", 2),
        ("INSERT INTO jobs_by_key (job_id, key_id) VALUES ('job', 'key')", 0),
        ("SELECT count(*) FROM users", 0),
        ("DELETE FROM api_keys WHERE id = 'nobody'", 0),
    ],
)
def test_commits_that_may_be_about_accounts_are_counted_by_themselves(
    ledger: Ledger, ann: User, statement: str, counted: int
) -> None:
    ledger.run(api_keys.create, user_id=ann.id, name="x", grant=KeyGrant(), actor="cli:me")
    before = ledger.account_changes
    ledger.run(lambda con: con.execute(statement).fetchall())
    assert ledger.account_changes - before == counted
