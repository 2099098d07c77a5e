"""Runs and keeps administrators' queries over the datasets."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from dashboards.runtime import context, db
from dashboards.services import account_management
from dashboards.services.datasets import dataset_runs
from storage.datasets import query_runner, saved_queries
from storage.datasets.query_process import MAX_STATEMENT_CHARS
from storage.datasets.query_runner import QueryResult
from storage.domain.errors import NotFound, TranscriberError
from storage.domain.records import User
from storage.ledger import audit

CACHE = "datasets-cache"
DOING = "querying datasets"
READ: dict[str, Callable[[str], Any]] = {
    "DATE": date.fromisoformat,
    "TIMESTAMP": datetime.fromisoformat,
    "TIMESTAMP WITH TIME ZONE": datetime.fromisoformat,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a query found, as columns by unique names, and how long it took."""

    columns: dict[str, list[Any]]
    rows: int
    cut: bool
    took_s: float


def run(user: User, statement: str) -> Answered:
    """Run a query and record it, with its text, its time and its rows.

    Raises:
        NotAllowed: the user is no administrator.
        NotFound: nothing has been exported yet.
        QueriesBusy, QueryRefused, QueryStopped: it did not run, or not to its end.
    """
    account_management.require_admin(user, DOING)
    detail: dict[str, Any] = {"statement": statement[:MAX_STATEMENT_CHARS]}
    began = time.monotonic()
    try:
        found = _ask(statement)
        detail |= {"rows": len(found.rows), "cut": found.cut}
    except TranscriberError as error:
        detail["refused"] = str(error)[:500]
        raise
    finally:
        took_s = round(time.monotonic() - began, 3)
        told = detail | {"took_s": took_s}
        db.change(audit.record, actor=user.actor, action="datasets.query", subject="datasets", detail=told)
    return Answered(columns=_columns(found), rows=len(found.rows), cut=found.cut, took_s=took_s)


def _ask(statement: str) -> QueryResult:
    settings, place = context.settings(), dataset_runs.place()
    manifest = place.manifest()
    if manifest is None:
        raise NotFound("export of datasets in", place.url)
    paths = place.local_paths(manifest, settings.storage.data_dir / CACHE)
    limits = settings.datasets
    return query_runner.run(
        statement, paths, seconds=limits.dataset_query_seconds, memory_mb=limits.dataset_query_memory_mb
    )


def _columns(found: QueryResult) -> dict[str, list[Any]]:
    """Return the columns with their values in Python's types; equal names get a number."""
    columns: dict[str, list[Any]] = {}
    for place, column in enumerate(found.columns):
        name, number = column.name, 1
        while name in columns:
            number += 1
            name = f"{column.name} ({number})"
        read = float if column.type.startswith("DECIMAL") else READ.get(column.type)
        columns[name] = [_value(row[place], read) for row in found.rows]
    return columns


def _value(value: Any, read: Callable[[str], Any] | None) -> Any:
    if read is None or not isinstance(value, str):
        return value
    try:
        return read(value)
    except ValueError:  # a moment before Christ, or after the year 9999
        return value


def save(user: User, name: str, statement: str) -> str:
    """Save a query for all administrators; see `saved_queries.save`.

    Raises:
        NotAllowed: the user is no administrator.
        BadRequest: the name or the statement is empty or too long.
    """
    account_management.require_admin(user, "saving queries")
    return db.change(saved_queries.save, owner_id=user.id, name=name, statement=statement, actor=user.actor)


def delete(user: User, query_id: str) -> None:
    """Delete one of the user's queries.

    Raises:
        NotAllowed: the user is no administrator.
        NotFound: there is no such query, or it is somebody else's.
    """
    account_management.require_admin(user, "deleting queries")
    db.change(saved_queries.delete, query_id, owner_id=user.id, actor=user.actor)
