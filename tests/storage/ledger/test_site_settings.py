"""Settings that are changed while the installation runs."""

from storage import audit, installation
from storage.ledger import Ledger


def test_a_value_is_kept_and_its_change_is_on_record(ledger: Ledger) -> None:
    ledger.run(installation.put, "registration", "closed", actor="user:1")
    ledger.run(installation.put, "registration", {"open": [1, None]}, actor="user:1")
    ledger.run(installation.put, "registration", {"open": [1, None]}, actor="user:1")
    with ledger.read() as con:
        assert installation.get(con, "registration") == {"open": [1, None]}
        assert installation.get(con, "nothing", "default") == "default"
        rows = audit.page(con, subject="registration")
    assert [row.detail["to"] for row in rows] == [{"open": [1, None]}, "closed"]
