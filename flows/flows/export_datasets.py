"""`export-datasets`: lets the web process export the datasets, every night.

That process owns the ledger; the flow begins the export, follows it, and keeps a table of what was written.
"""

import asyncio
import json
from typing import Any

from prefect import flow, get_run_logger
from prefect.artifacts import acreate_table_artifact

from flows.runs.process_state import current, in_thread
from storage.domain.deployments import Deployment
from storage.domain.errors import DatasetsFailed
from storage.remote.service_tokens import worker_secret
from storage.remote.web_client import WebClient

PATH = "/internal/v1/datasets/exports"
LOOK_EVERY_S = 1.0


@flow(name=Deployment.EXPORT_DATASETS.value, persist_result=False)
async def export_datasets(full: bool = False) -> None:
    """Export what changed since the last export, or with `full` everything."""
    settings = current().settings
    with WebClient(settings.web.base_url, worker_secret(settings).current) as client:
        told = await export(client, full=full)
    rows = sum(one["rows"] for one in told["written"])
    get_run_logger().info("%d partitions with %d rows were written to %s", len(told["written"]), rows, told["url"])
    if told["written"]:
        await acreate_table_artifact(told["written"], key="datasets", description=f"Written to {told['url']}")


async def export(client: WebClient, *, full: bool, look_every_s: float = LOOK_EVERY_S) -> dict[str, Any]:
    """Begin an export, or follow the one that runs, and return what it did.

    Raises:
        DatasetsFailed: it failed, or the web process was started again meanwhile.
    """
    began = json.loads(await in_thread(lambda: client.call("POST", PATH, {"full": full})))
    while (told := json.loads(await in_thread(lambda: client.call("GET", PATH))))["running"]:  # noqa: ASYNC110
        await asyncio.sleep(look_every_s)  # the web process is asked, who tells nobody
    if told["error"] or told["runs"] <= began["runs"]:
        raise DatasetsFailed(told["error"] or "the web process was started again meanwhile")
    return dict(told)
