"""`upkeep`: asks the web process, which owns the ledger, to look after it."""

from typing import Any

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State

from flows.endings import failed
from flows.resident import current, in_thread
from storage.client import WebClient
from storage.errors import TranscriberError
from storage.tokens import worker_token

PATIENCE_S = 600.0


@flow(name="upkeep", persist_result=False)
async def upkeep() -> State[Any] | None:
    """Have old sessions and answers forgotten, and abandoned uploads swept."""
    settings = current().settings

    def ask() -> bytes:
        with WebClient(settings.web.base_url, worker_token(settings), patience_s=PATIENCE_S) as client:
            return client.call("POST", "/internal/v1/upkeep")

    try:
        done = await in_thread(ask)
    except TranscriberError as error:
        return failed(error)
    get_run_logger().info("done: %s", done.decode())
    return None
