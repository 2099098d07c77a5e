"""The scopes of API keys: one `ScopeSpec` each.

`dashboards/http/route_scopes.py` says which scope each route needs.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from storage.domain.errors import BadRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeSpec:
    """The facts of a scope."""

    name: str
    label: str
    about: str


class Scope(StrEnum):
    """What a key may do; never more than its user."""

    spec: ScopeSpec
    _value_: str

    def __new__(cls, spec: Any) -> Self:  # a ScopeSpec here; `Scope("read")` looks up a member
        member = str.__new__(cls, spec.name)
        member._value_ = spec.name
        member.spec = spec
        return member

    READ = ScopeSpec(name="read", label="Read", about="List, read, search and download.")
    WRITE = ScopeSpec(name="write", label="Write", about="Send recordings, edit, rename, cancel and share; webhooks.")
    DELETE = ScopeSpec(name="delete", label="Delete", about="Delete recordings, notes and uploads.")
    BATCH = ScopeSpec(name="batch", label="Batch", about="Send recordings to the lanes batch and backfill.")
    ADMIN = ScopeSpec(name="admin", label="Administer", about="Manage keys; for administrators, everybody's data too.")


def in_order(scopes: Iterable[str]) -> tuple[Scope, ...]:
    """Return the scopes, each once, in the order of the table.

    Raises:
        BadRequest: there is none, or one is unknown.
    """
    asked = set(scopes)
    unknown = sorted(asked - set(Scope))
    if unknown or not asked:
        problem = f"there is no scope {unknown[0][:40]}" if unknown else "a key needs at least one"
        raise BadRequest("scopes", f"{problem}; there are {', '.join(Scope)}")
    return tuple(scope for scope in Scope if scope in asked)
