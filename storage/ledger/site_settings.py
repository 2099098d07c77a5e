"""Settings that administrators change at run time, stored in the ledger.

`storage.domain.settings` has those of the environment.
"""

import json
from typing import Any

from duckdb import DuckDBPyConnection

from storage.domain.clock import utc_now
from storage.ledger import audit

GET = "SELECT value FROM settings WHERE key = $key"
SET = """
INSERT INTO settings (key, value, changed_at) VALUES ($key, $value, $now)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, changed_at = excluded.changed_at
"""


def get(con: DuckDBPyConnection, key: str, default: Any = None) -> Any:
    """Return the value of a key, or the default."""
    row = con.execute(GET, {"key": key}).fetchone()
    return json.loads(row[0]) if row else default


def put(con: DuckDBPyConnection, key: str, value: Any, *, actor: str) -> None:
    """Set a key to any JSON value; an equal value changes nothing."""
    before = get(con, key)
    if before == value:
        return
    con.execute(SET, {"key": key, "value": json.dumps(value), "now": utc_now()})
    audit.record(con, actor=actor, action="setting.change", subject=key, detail={"from": before, "to": value})
