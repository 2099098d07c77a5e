"""What administrators choose while the platform runs, beside the settings of the installation."""

from dataclasses import dataclass
from enum import StrEnum

from duckdb import DuckDBPyConnection

from storage import audit
from storage.clock import utc_now
from storage.errors import BadRequest
from storage.records import Role, from_json, to_json


class Registration(StrEnum):
    """Who may make an account: everybody, whom an administrator has invited, or nobody."""

    OPEN = "open"
    INVITED = "invited"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """`role` is that of accounts that people make for themselves without an invitation."""

    registration: Registration = Registration.INVITED
    role: Role = Role.MEMBER


FIND = "SELECT value FROM settings WHERE key = 'choices'"


def of(con: DuckDBPyConnection) -> Choices:
    """Return what holds now."""
    row = con.execute(FIND).fetchone()
    return from_json(Choices, row[0]) if row else Choices()


KEEP = """
INSERT INTO settings (key, value, changed_at) VALUES ('choices', $value, $now)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, changed_at = excluded.changed_at
"""


def set_(con: DuckDBPyConnection, choices: Choices, *, actor: str) -> None:
    """Change what holds; the same again changes nothing.

    Raises:
        BadRequest: everybody would become an administrator.
    """
    before = of(con)
    if before == choices:
        return
    if choices.role is Role.ADMIN:
        raise BadRequest("role", "people who register themselves cannot be administrators; invite those")
    con.execute(KEEP, {"value": to_json(choices).decode(), "now": utc_now()})
    detail = {"registration": choices.registration, "role": choices.role}
    audit.record(con, actor=actor, action="settings.change", subject="choices", detail=detail)
