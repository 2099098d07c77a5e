"""The chain finds every row that other hands have changed, removed, added or moved."""

import pytest

from storage import audit
from storage.ledger import Ledger


@pytest.fixture
def chain(ledger: Ledger) -> Ledger:
    """A ledger with five rows."""
    for number in range(5):
        ledger.run(audit.record, actor="user:1", action="test", subject=str(number), detail={"né": [number, None]})
    return ledger


def verify(ledger: Ledger) -> int | None:
    with ledger.read() as con:
        return audit.verify(con)


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
        ("INSERT INTO audit SELECT 6, happened_at, actor, action, subject, detail, hash FROM audit WHERE seq = 5", 6),
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
def test_a_doubled_row_is_found_at_the_edge_of_a_chunk(
    chain: Ledger, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(audit, "CHUNK", chunk)
    assert verify(chain) is None
    with chain.write() as con:
        con.execute("INSERT INTO audit SELECT * FROM audit WHERE seq = 3")
    assert verify(chain) is not None


def test_pages_go_backwards_and_can_be_narrowed(chain: Ledger) -> None:
    chain.run(audit.record, actor="user:9", action="other", subject="x")
    with chain.read() as con:
        assert [row.seq for row in audit.page(con, limit=2)] == [6, 5]
        assert [row.seq for row in audit.page(con, before_seq=5, limit=2)] == [4, 3]
        assert [row.seq for row in audit.page(con, actor="user:9")] == [6]
        assert [row.seq for row in audit.page(con, action="test", limit=1)] == [5]
        assert [row.seq for row in audit.page(con, subject="0")] == [1]


def test_a_row_comes_back_as_it_was_written(chain: Ledger) -> None:
    with chain.read() as con:
        (row,) = audit.page(con, subject="4")
    assert row.detail == {"né": [4, None]}
    assert row.happened_at.utcoffset() is not None
    assert len(row.hash) == 64
