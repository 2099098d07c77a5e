"""Clears the caches of this process, for administrators."""

from dashboards.runtime import cache_stats, context, db
from dashboards.services import job_access
from storage.domain.errors import NotAllowed
from storage.domain.records import User
from storage.ledger import audit


def clear(user: User) -> None:
    """Forget everything that is kept for pages and for the API.

    Raises:
        NotAllowed: the user is no administrator.
    """
    if not job_access.may_see_all(user):
        raise NotAllowed("clearing caches", "an administrator")
    db.change(audit.record, actor=user.actor, action="cache.clear", subject="web", detail={})
    for one in cache_stats.KNOWN.values():
        one.clear()
    context.current().answers.clear()
