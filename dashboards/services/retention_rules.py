"""Changes retention rules and legal holds, and applies them, for administrators."""

from dashboards.runtime import context, db, notify
from dashboards.services import account_management
from storage.domain.clock import utc_now
from storage.domain.records import User
from storage.jobs import legal_holds
from storage.jobs.kept_parts import KeptPart
from storage.jobs.legal_holds import HoldKind, LegalHold
from storage.maintenance import retention
from storage.maintenance.retention import RetentionState, Rule, RuleKind

DOING = "deciding how long recordings are kept"


def state(user: User) -> RetentionState:
    """Return the rules, the holds, and what is due now.

    Raises:
        NotAllowed: the user is no administrator.
    """
    account_management.require_admin(user, DOING)
    return db.look(retention.state, now=utc_now())


def set_rule(user: User, kind: RuleKind, named: str, part: KeptPart, days: float | None) -> None:
    """Set a rule for a job, a tag, a person or everybody.

    Without days it keeps forever.

    Raises:
        NotAllowed: the user is no administrator.
        NotFound: nothing has this name.
        BadRequest: the days are no number of days, or the tag is none.
    """
    account_management.require_admin(user, DOING)
    subject = db.look(retention.subject_of, kind, named)
    db.change(retention.put, Rule(kind=kind, subject=subject, part=part, days=days), actor=user.actor)


def remove_rule(user: User, rule: Rule) -> None:
    """Remove a rule.

    Raises:
        NotAllowed: the user is no administrator.
        NotFound: somebody else removed it.
    """
    account_management.require_admin(user, DOING)
    db.change(retention.remove, rule, actor=user.actor)


def place_hold(user: User, kind: HoldKind, named: str, reason: str) -> None:
    """Place a legal hold on the job, tag or person with this name.

    Raises:
        NotAllowed: the user is no administrator.
        NotFound: nothing has this name.
        BadRequest: the reason is empty or too long, or the tag is none.
    """
    account_management.require_admin(user, DOING)
    subject = db.look(retention.subject_of, RuleKind(kind), named)
    db.change(legal_holds.put, kind, subject, reason=reason, actor=user.actor)


def release_hold(user: User, hold: LegalHold) -> None:
    """Release a legal hold.

    Raises:
        NotAllowed: the user is no administrator.
        NotFound: somebody else released it.
    """
    account_management.require_admin(user, DOING)
    db.change(legal_holds.release, hold.kind, hold.subject, actor=user.actor)


def apply_now(user: User) -> int:
    """Delete what is due, rather than within the hour; return how many parts.

    Raises:
        NotAllowed: the user is no administrator.
    """
    account_management.require_admin(user, DOING)
    return apply_by_operator()


def apply_by_operator() -> int:
    """Do the same for the command line, whose token is that of the platform's operator."""
    holder = context.current()
    count = retention.apply(holder.ledger, holder.files, now=utc_now())
    notify.wake()
    return count
