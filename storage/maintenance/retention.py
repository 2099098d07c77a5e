"""Retention: how long recordings and their parts are kept, and what is due.

The rule that is nearest to a recording decides, for each part: one for the recording itself, else for its tags (the
longest of them), else for its owner, else for everybody. Without a rule, all is kept.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from duckdb import DuckDBPyConnection

from storage.accounts import users
from storage.domain.clock import utc_now
from storage.domain.errors import BadRequest, JobHeld, JobMoved, NotFound
from storage.domain.tags import SEPARATOR, clean_tags
from storage.domain.translation import marked
from storage.files.file_store import Files
from storage.jobs import intake, job_store, legal_holds
from storage.jobs.kept_parts import KeptPart
from storage.jobs.legal_holds import LegalHold
from storage.ledger import audit
from storage.ledger.database import Ledger

ACTOR = "system:retention"
EVERYBODY = "*"
MOST_AT_ONCE = 1000
MOST_DAYS = 100_000
FOR_ALL = marked("a rule for everybody covers all recordings; leave the name out, or choose job, tag or person")
NAMELESS = marked("say which job, tag or person it is for")
ONE_EACH = marked("name one tag; each tag has a rule or hold of its own")


class RuleKind(StrEnum):
    """What a rule is for, the nearest first."""

    JOB = "job"
    TAG = "tag"
    PERSON = "person"
    EVERYBODY = "everybody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Keep a part for `days` after the recording was finished; None means forever."""

    kind: RuleKind
    subject: str
    part: KeptPart
    days: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A part that is to be deleted now, and the rule that says so."""

    job_id: str
    name: str
    finished_at: datetime
    part: KeptPart
    rule: Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionState:
    """The rules, the holds, and what is due.

    `people` are the names of the persons that rules and holds are about, and of those who made the holds.
    """

    rules: tuple[Rule, ...]
    holds: tuple[LegalHold, ...]
    due: tuple[Due, ...]
    people: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    job_id: str
    name: str
    owner_id: str
    tags: tuple[str, ...]
    finished_at: datetime
    dropped: frozenset[str]


ALL = "SELECT kind, subject, part, days FROM retention_rules ORDER BY kind, subject, part"


def rules(con: DuckDBPyConnection) -> list[Rule]:
    """Return all rules."""
    return [
        Rule(kind=RuleKind(kind), subject=subject, part=KeptPart(part), days=days)
        for kind, subject, part, days in con.execute(ALL).fetchall()
    ]


PUT = """
INSERT INTO retention_rules (kind, subject, part, days, made_by, made_at)
VALUES ($kind, $subject, $part, $days, $actor, $now)
ON CONFLICT (kind, subject, part) DO UPDATE
SET days = excluded.days, made_by = excluded.made_by, made_at = excluded.made_at
"""


def put(con: DuckDBPyConnection, rule: Rule, *, actor: str) -> None:
    """Add a rule, or change how long it keeps.

    Raises:
        BadRequest: the days are no number of days.
    """
    if rule.days is not None and not (math.isfinite(rule.days) and 0 <= rule.days <= MOST_DAYS):
        raise BadRequest("days", "say a number of days from 0 to 100000, or nothing for ever")
    told = {"kind": rule.kind, "subject": rule.subject, "part": rule.part, "days": rule.days}
    con.execute(PUT, told | {"actor": actor, "now": utc_now()})
    audit.record(con, actor=actor, action="retention.put", subject=rule.subject, detail=told)


REMOVE = "DELETE FROM retention_rules WHERE kind = $kind AND subject = $subject AND part = $part RETURNING kind"


def remove(con: DuckDBPyConnection, rule: Rule, *, actor: str) -> None:
    """Remove a rule.

    Raises:
        NotFound: there is none.
    """
    told = {"kind": rule.kind, "subject": rule.subject, "part": rule.part}
    if not con.execute(REMOVE, told).fetchall():
        raise NotFound(f"rule on {rule.part} of this {rule.kind}:", rule.subject)
    audit.record(con, actor=actor, action="retention.remove", subject=rule.subject, detail=told)


CANDIDATES = """
SELECT id, name, owner_id, tags, finished_at, coalesce(list(part) FILTER (WHERE dropped_at >= finished_at), [])
FROM jobs LEFT JOIN dropped_parts ON job_id = id
WHERE finished_at < $before AND deleted_at IS NULL AND state IN ('completed', 'failed', 'cancelled')
    AND id NOT IN (SELECT id FROM held_jobs)
GROUP BY ALL ORDER BY finished_at, id
"""


def due(con: DuckDBPyConnection, *, now: datetime) -> list[Due]:
    """Return what the rules delete now, oldest first; nothing is changed. What is held is not due."""
    given = rules(con)
    finite = [rule.days for rule in given if rule.days is not None]
    if not finite:
        return []
    found: list[Due] = []
    for row in con.execute(CANDIDATES, {"before": now - timedelta(days=min(finite))}).fetchall():
        job_id, name, owner_id, tags, finished_at, dropped = row
        one = _Candidate(
            job_id=job_id,
            name=name,
            owner_id=owner_id,
            tags=tuple(filter(None, (tags or "").split(SEPARATOR))),
            finished_at=finished_at,
            dropped=frozenset(dropped),
        )
        found += _due_of(one, given, now)
    return found


def _due_of(one: _Candidate, given: Sequence[Rule], now: datetime) -> list[Due]:
    """Return what is due of one recording; the whole of it, or parts."""
    found = []
    for part in KeptPart:
        rule = nearest([rule for rule in given if rule.part is part], one.job_id, one.tags, one.owner_id)
        if rule is None or rule.days is None or part in one.dropped:
            continue
        if one.finished_at <= now - timedelta(days=rule.days):
            found.append(
                Due(job_id=one.job_id, name=one.name, finished_at=one.finished_at, part=part, rule=rule),
            )
            if part is KeptPart.RECORDING:
                break
    return found


def nearest(given: Sequence[Rule], job_id: str, tags: Sequence[str], owner_id: str) -> Rule | None:
    """Return the rule that decides, of the rules on one part."""
    subjects = {RuleKind.JOB: {job_id}, RuleKind.TAG: set(tags), RuleKind.PERSON: {owner_id}}
    for kind in RuleKind:
        fitting = [rule for rule in given if rule.kind is kind and rule.subject in subjects.get(kind, {EVERYBODY})]
        if fitting:
            return max(fitting, key=lambda rule: math.inf if rule.days is None else rule.days)
    return None


def subject_of(con: DuckDBPyConnection, kind: RuleKind, given: str) -> str:
    """Return a subject as rules have it: an id, a tag, or everybody.

    Raises:
        NotFound: there is no such account or job.
        BadRequest: it names nothing, or somebody for a rule that is for everybody, or is no single tag.
    """
    given = given.strip()
    if (kind is RuleKind.EVERYBODY) is not (given in {"", EVERYBODY}):
        raise BadRequest("name", FOR_ALL if kind is RuleKind.EVERYBODY else NAMELESS)
    match kind:
        case RuleKind.EVERYBODY:
            return EVERYBODY
        case RuleKind.TAG:
            if SEPARATOR in given:
                raise BadRequest("tag", ONE_EACH)
            return clean_tags((given,))[0]
        case RuleKind.JOB:
            return job_store.get(con, given).id
        case RuleKind.PERSON:
            if (user := users.by_name(con, given)) is None:
                raise NotFound("user", given)
            return user.id


def state(con: DuckDBPyConnection, *, now: datetime) -> RetentionState:
    """Return the rules, the holds, and what is due: a dry run."""
    ruled, held = rules(con), legal_holds.all_of(con)
    persons = {one.subject for one in ruled if one.kind is RuleKind.PERSON}
    persons |= {one.subject for one in held if one.kind is legal_holds.HoldKind.PERSON}
    people = users.names_of(con, persons | {one.made_by.removeprefix("user:") for one in held})
    return RetentionState(rules=tuple(ruled), holds=tuple(held), due=tuple(due(con, now=now)), people=people)


def apply(ledger: Ledger, files: Files, *, now: datetime, most: int = MOST_AT_ONCE, actor: str = ACTOR) -> int:
    """Delete what is due, at most so much at once; return how many parts.

    Whole recordings are deleted as their owners do it: they can be restored for a while.
    """
    with ledger.read() as con:
        found = due(con, now=now)[:most]
    count = 0
    for one in found:
        try:
            if one.part is KeptPart.RECORDING:
                intake.delete(ledger, files, one.job_id, actor=actor)
            else:
                intake.drop_part(ledger, files, one.job_id, one.part, actor=actor)
        except (JobHeld, JobMoved, NotFound):  # changed meanwhile
            continue
        count += 1
    return count
