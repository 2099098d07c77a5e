"""`upkeep`: deletes what earlier versions left at the Prefect server.

The web process itself looks after the ledger and the storage, every hour.
"""

from prefect import flow, get_run_logger
from prefect.client.orchestration import get_client

from flows.runs.artifacts import forget_transcripts
from storage.domain.deployments import Deployment


@flow(name=Deployment.UPKEEP.value, persist_result=False)
async def upkeep() -> None:
    """Delete artifacts with the text of recordings, which earlier versions made."""
    async with get_client() as client:
        forgotten = await forget_transcripts(client)
    get_run_logger().info("deleted %d artifacts with the text of recordings", forgotten)
