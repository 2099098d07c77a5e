"""Background loop that erases deleted accounts."""

from dashboards.runtime import context, db
from storage.files import direct_parts
from storage.maintenance import account_deletion


async def erase_leavers() -> None:
    """Delete the remains of deleted accounts, and uploads that are still arriving for them."""
    for user_id in await db.read(account_deletion.who):
        await db.in_thread(_erase, user_id)


def _erase(user_id: str) -> None:
    shelf = context.current().shelf
    for upload in list(shelf.all()):
        if upload.owner_id == user_id:
            direct_parts.remove(shelf, upload, context.current().direct_parts)
    account_deletion.erase(context.ledger(), context.files(), user_id)
