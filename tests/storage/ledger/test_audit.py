"""The audit chain detects rows that were changed, removed, added or moved."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from storage.ledger import audit, audit_origin
from storage.ledger.database import Ledger

FROM_ELSEWHERE = audit_origin.cleaned(address="203.0.113.7", agent="curl/8", request_id="r1", key_id="k1")
OLD_CHAIN = (
    ("system:setup", "user.create", "u1", '{"name":"admin","role":"admin"}'),
    ("user:u1", "session.start", "s1", '{"client":"127.0.0.1 Firefox"}'),
    ("user:u1", "job.accept", "j1", '{"name":"Köln.wav"}'),
)
OLD_HASHES = (
    "9cc973203e4bc24871e3b6c08cb5eca08d4ab57157aaa78f99e194eb41bdd08e",
    "88b42b2c61bf54f705c831922b9c9cdb85a6cded55c0e368a4cdcb5fbea20f86",
    "d75611d2a7025214031e96d9e0af71b033cf6d410378eb6e213e83b54d5fd19d",
)
"""What the version before origins wrote for the rows of OLD_CHAIN, a minute apart."""


@pytest.fixture
def chain(ledger: Ledger) -> Ledger:
    """A ledger with five rows, the last one from elsewhere."""
    for number in range(5):
        with audit_origin.of(FROM_ELSEWHERE if number == 4 else audit_origin.NOWHERE):
            ledger.run(audit.record, actor="user:1", action="test", subject=str(number), detail={"né": [number, None]})
    return ledger


def verify(ledger: Ledger, *, chunk: int = audit.CHUNK) -> int | None:
    with ledger.read() as con:
        return audit.verify(con, chunk=chunk)


def test_an_untouched_chain_is_whole(chain: Ledger) -> None:
    assert verify(chain) is None


def test_an_empty_chain_is_whole(ledger: Ledger) -> None:
    assert verify(ledger) is None


@pytest.mark.parametrize(
    ("tampering", "broken"),
    [
        ("UPDATE audit SET actor = 'user:2' WHERE seq = 3", 3),
        ("UPDATE audit SET detail = '{}' WHERE seq = 5", 5),
        ("UPDATE audit SET happened_at = happened_at + INTERVAL 1 MICROSECOND WHERE seq = 1", 1),
        ("UPDATE audit SET happened_at = '0044-03-15 (BC)' WHERE seq = 3", 3),
        ("UPDATE audit SET happened_at = '10000-01-01' WHERE seq = 4", 4),
        ("UPDATE audit SET happened_at = 'infinity' WHERE seq = 5", 5),
        ("UPDATE audit SET hash = 'x' WHERE seq = 5", 5),
        ("DELETE FROM audit WHERE seq = 1", 1),
        ("DELETE FROM audit WHERE seq = 3", 3),
        ("DELETE FROM audit WHERE seq = 5", 5),
        ("DELETE FROM audit", 1),
        ("UPDATE audit SET seq = CASE seq WHEN 2 THEN 4 ELSE 2 END WHERE seq IN (2, 4)", 2),
        ("UPDATE audit SET seq = seq + 1 WHERE seq = 5", 5),
        ("UPDATE audit SET seq = seq - 1", 0),
        ("INSERT INTO audit SELECT * FROM audit WHERE seq = 2", 3),
        ("INSERT INTO audit SELECT * FROM audit WHERE seq = 5", 6),
        ("INSERT INTO audit SELECT * REPLACE (6 AS seq) FROM audit WHERE seq = 5", 6),
        ("UPDATE audit SET address = '203.0.113.8' WHERE seq = 5", 5),
        ("UPDATE audit SET agent = 'other' WHERE seq = 5", 5),
        ("UPDATE audit SET request_id = NULL WHERE seq = 5", 5),
        ("UPDATE audit SET key_id = NULL WHERE seq = 5", 5),
        ("UPDATE audit SET address = NULL, agent = NULL, request_id = NULL, key_id = NULL WHERE seq = 5", 5),
        ("UPDATE audit SET address = '127.0.0.1' WHERE seq = 2", 2),
        ("UPDATE audit_head SET hash = 'x'", 5),
        ("UPDATE audit_head SET count = 9", 6),
        ("DELETE FROM audit_head", 1),
    ],
)
def test_tampering_is_found_at_its_row(chain: Ledger, tampering: str, broken: int) -> None:
    with chain.write() as con:
        con.execute(tampering)
    assert verify(chain) == broken


@pytest.mark.parametrize("chunk", [1, 2, 3])
def test_a_doubled_row_is_found_at_the_edge_of_a_chunk(chain: Ledger, chunk: int) -> None:
    assert verify(chain, chunk=chunk) is None
    with chain.write() as con:
        con.execute("INSERT INTO audit SELECT * FROM audit WHERE seq = 3")
    assert verify(chain, chunk=chunk) is not None


def test_pages_go_backwards_and_can_be_narrowed(chain: Ledger) -> None:
    chain.run(audit.record, actor="user:9", action="other", subject="x")
    with chain.read() as con:
        assert [row.seq for row in audit.page(con, limit=2)] == [6, 5]
        assert [row.seq for row in audit.page(con, before_seq=5, limit=2)] == [4, 3]
        assert [row.seq for row in audit.page(con, actor="user:9")] == [6]
        assert [row.seq for row in audit.page(con, action="test", limit=1)] == [5]
        assert [row.seq for row in audit.page(con, subject="0")] == [1]


@pytest.mark.parametrize(("moment", "year"), [("0044-03-15 (BC)", 1), ("10000-01-01", 9999), ("-infinity", 1)])
def test_a_row_whose_time_python_does_not_know_is_shown(chain: Ledger, moment: str, year: int) -> None:
    with chain.write() as con:
        con.execute("UPDATE audit SET happened_at = $moment::TIMESTAMPTZ WHERE seq = 2", {"moment": moment})
    with chain.read() as con:
        assert [row.happened_at.year for row in audit.page(con) if row.seq == 2] == [year]


def test_a_row_comes_back_as_it_was_written(chain: Ledger) -> None:
    with chain.read() as con:
        (row,) = audit.page(con, subject="4")
    assert row.detail == {"né": [4, None]}
    assert row.happened_at.utcoffset() is not None
    assert len(row.hash) == 64
    assert (row.address, row.agent, row.request_id, row.key_id) == ("203.0.113.7", "curl/8", "r1", "k1")


def test_a_chain_of_an_older_version_verifies_and_goes_on(ledger: Ledger) -> None:
    insert = "INSERT INTO audit (seq, happened_at, actor, action, subject, detail, hash) VALUES (?, ?, ?, ?, ?, ?, ?)"
    first = datetime(2026, 11, 20, 9, 30, 0, 123456, tzinfo=UTC)
    with ledger.write() as con:
        for seq, (values, digest) in enumerate(zip(OLD_CHAIN, OLD_HASHES, strict=True), start=1):
            con.execute(insert, [seq, first + timedelta(minutes=seq), *values, digest])
        con.execute("UPDATE audit_head SET count = 3, hash = ?", [OLD_HASHES[-1]])
        audit.record(con, actor="user:u1", action="job.delete", subject="j1", origin=FROM_ELSEWHERE)
    assert verify(ledger) is None


def test_what_a_client_says_of_itself_is_bounded_and_printable() -> None:
    origin = audit_origin.cleaned(address="::1", agent="Moz\r\nilla\x1b[31m\u202e " + "x" * 10_000)
    assert origin.agent
    assert len(origin.agent) <= audit_origin.MAX_AGENT_CHARS
    assert origin.agent.isprintable()
    assert origin.agent.startswith("Mozilla[31m")
    assert audit_origin.cleaned(address="", agent="\r\n") == audit_origin.NOWHERE


def test_rows_are_found_by_address_and_by_several_actions(chain: Ledger) -> None:
    with chain.read() as con:
        assert [row.seq for row in audit.page(con, address="203.0.113.7")] == [5]
        assert [row.seq for row in audit.page(con, actions=["test"], limit=1)] == [5]
        assert audit.page(con, actions=["other"]) == []


NAMES = ("actor", "action", "subject", "detail")
MOVED = """
UPDATE audit SET address = actor, agent = action, request_id = subject, key_id = detail::VARCHAR,
    actor = NULL, action = NULL, subject = NULL, detail = NULL WHERE seq = 2
"""


def test_values_that_moved_to_other_columns_are_found(chain: Ledger) -> None:
    for name in NAMES:
        with chain.write() as con:
            con.execute(f"ALTER TABLE audit ALTER {name} DROP NOT NULL")
    with chain.write() as con:
        con.execute(MOVED)
    assert verify(chain) == 2


def test_a_sound_chain_is_verified_where_it_lies(chain: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten million rows that Python hashed one by one took minutes, and the web process with them."""
    monkeypatch.setattr(hashlib, "sha256", lambda *_: pytest.fail("a row was hashed in Python"))
    assert verify(chain) is None


@pytest.mark.parametrize("text", ['"', "\\", "/", "\u2028", "☃😀", "\x7f", "\x01\x1f\b\f\n\t", "", "null"])
def test_any_text_is_verified_as_it_was_hashed(ledger: Ledger, text: str) -> None:
    origin = audit_origin.Origin(address=None, agent=text, request_id=None, key_id="k")
    for about in (origin, audit_origin.NOWHERE):
        ledger.run(audit.record, actor=text, action=text, subject=text, detail={text: [text, 1.5]}, origin=about)
    assert verify(ledger) is None
    with ledger.write() as con:
        con.execute("UPDATE audit SET subject = subject || 'x' WHERE seq = 2")
    assert verify(ledger) == 2
