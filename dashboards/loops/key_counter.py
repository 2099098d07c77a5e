"""Write the requests of API keys to the ledger."""

from dashboards.runtime import context, db
from storage.accounts import api_key_usage


async def write_counts() -> None:
    """Write what was counted; the next call tries a failed write again."""
    counter = context.current().key_requests
    counts = counter.taken()
    if not counts:
        return
    try:
        await db.write(api_key_usage.add_requests, counts)
    except BaseException:
        for key_id, count in counts.items():
            counter.add(key_id, count)
        raise
