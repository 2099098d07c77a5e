"""Settings that administrators change at run time."""

from storage.ledger import audit, site_settings
from storage.ledger.database import Ledger


def test_a_value_is_kept_and_its_change_is_on_record(ledger: Ledger) -> None:
    ledger.run(site_settings.put, "registration", "closed", actor="user:1")
    ledger.run(site_settings.put, "registration", {"open": [1, None]}, actor="user:1")
    ledger.run(site_settings.put, "registration", {"open": [1, None]}, actor="user:1")
    with ledger.read() as con:
        assert site_settings.get(con, "registration") == {"open": [1, None]}
        assert site_settings.get(con, "nothing", "default") == "default"
        rows = audit.page(con, subject="registration")
    assert [row.detail["to"] for row in rows] == [{"open": [1, None]}, "closed"]
