"""Batches that have ended, each told to Prefect once.

A batch that is retried is told once more.
"""

from duckdb import DuckDBPyConnection

from storage.accounts import prefect_outbox
from storage.jobs import batches
from storage.jobs.batches import Batch, BatchState

ENDED = frozenset(BatchState) - {BatchState.WORKING, BatchState.CANCELLING}
UNTOLD = """
SELECT id FROM batches
WHERE retry_at IS NULL AND owner_id <> 'canary' AND id NOT IN (SELECT batch_id FROM batch_ends) ORDER BY id
"""
TELL = "INSERT INTO batch_ends (batch_id) VALUES ($id)"


def ended(con: DuckDBPyConnection) -> list[str]:
    """Return the batches that have ended and are not told yet."""
    there = [batches.get(con, ident) for (ident,) in con.execute(UNTOLD).fetchall()]
    return [batch.id for batch in there if _state(con, batch) in ENDED]


def tell(con: DuckDBPyConnection, batch_ids: list[str]) -> None:
    """Queue the events of batches that have ended."""
    for batch in (batches.get(con, ident) for ident in batch_ids):
        counted = batches.counts(con, batch.id)
        state = batches.state_of(batch, counted)
        if state not in ENDED:
            continue
        con.execute(TELL, {"id": batch.id})
        prefect_outbox.queue(
            con,
            f"transcriber.batch.{state}",
            f"transcriber.batch.{batch.id}",
            batch.name or batch.id,
            labels={"transcriber.owner-id": batch.owner_id, "transcriber.lane": batch.lane.value},
            payload={"batch_id": batch.id, "owner_id": batch.owner_id, "name": batch.name, "state": state.value}
            | {"total": batch.total, "counts": counted},
        )


def _state(con: DuckDBPyConnection, batch: Batch) -> BatchState:
    return batches.state_of(batch, batches.counts(con, batch.id))
