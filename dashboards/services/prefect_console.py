"""Opens the Prefect UI for administrators."""

from dashboards.clients import prefect_ui
from dashboards.runtime import db
from dashboards.services.job_access import may_see_all
from storage.domain.errors import NotAllowed
from storage.domain.records import User
from storage.ledger import audit


async def address_for(user: User) -> str:
    """Return an address that opens the Prefect UI for this administrator; it is recorded.

    Raises:
        NotAllowed: the user is no administrator.
        PrefectAway: the server does not answer.
    """
    if not may_see_all(user):
        raise NotAllowed("the Prefect UI", "an administrator")
    address = await db.in_thread(prefect_ui.address)
    await db.write(audit.record, actor=user.actor, action="prefect.open", subject="prefect")
    return address
