"""The registration policy, which administrators change at run time."""

from dataclasses import dataclass
from enum import StrEnum

from duckdb import DuckDBPyConnection

from storage.domain.clock import utc_now
from storage.domain.errors import BadRequest
from storage.domain.records import Role, from_json, to_json
from storage.ledger import audit


class Registration(StrEnum):
    """Who may register: anyone, people with an invitation, or nobody."""

    OPEN = "open"
    INVITED = "invited"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationPolicy:
    """The policy; `role` is the role of users who register without an invitation."""

    registration: Registration = Registration.INVITED
    role: Role = Role.MEMBER


FIND = "SELECT value FROM settings WHERE key = 'choices'"


def of(con: DuckDBPyConnection) -> RegistrationPolicy:
    """Return the current policy."""
    row = con.execute(FIND).fetchone()
    return from_json(RegistrationPolicy, row[0]) if row else RegistrationPolicy()


KEEP = """
INSERT INTO settings (key, value, changed_at) VALUES ('choices', $value, $now)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, changed_at = excluded.changed_at
"""


def set_(con: DuckDBPyConnection, choices: RegistrationPolicy, *, actor: str) -> None:
    """Change the policy; an equal one changes nothing.

    Raises:
        BadRequest: every new user would become an administrator.
    """
    before = of(con)
    if before == choices:
        return
    if choices.role is Role.ADMIN:
        raise BadRequest("role", "people who register themselves cannot be administrators; invite those")
    con.execute(KEEP, {"value": to_json(choices).decode(), "now": utc_now()})
    detail = {"registration": choices.registration, "role": choices.role}
    audit.record(con, actor=actor, action="settings.change", subject="choices", detail=detail)
