"""`ingest-batch`: a folder of the worker's machine or an S3 prefix, sent as jobs of the batch lane."""

import contextlib
from typing import Any

from prefect import flow, get_run_logger
from prefect.artifacts import acreate_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows.batch import Asked, Found, Outcome, recordings_in, send_all, summary
from flows.endings import cancelled, failed, this_run
from flows.resident import current, in_thread
from storage.errors import TranscriberError

SHOWN_ROWS = 1000


@flow(name="ingest-batch", persist_result=False)
async def ingest_batch(
    source: str, owner: str = "admin", model: str = "auto", language: str | None = None, recursive: bool = False
) -> State[Any]:
    """Make a job of every recording under `source`; what was sent before makes no second one."""
    here, flag = current(), current().flag(this_run().id)
    asked = Asked(owner=owner, model=model, language=language, actor=f"worker:{here.name}")
    found: list[Found] = []
    outcomes: list[Outcome] = []

    def send() -> None:
        found.extend(recordings_in(source, here.settings.storage, recursive=recursive))
        for outcome in send_all(here.settings, found, asked):
            outcomes.append(outcome)
            if flag.is_raised():
                return

    problem: TranscriberError | None = None
    try:
        await in_thread(send)
    except TranscriberError as error:
        problem = error
    told = summary(outcomes, len(found))
    get_run_logger().info("%s: %s", source, told)
    if outcomes:
        with contextlib.suppress(Exception):  # the jobs are made, whether or not this can be shown
            await acreate_markdown_artifact(
                markdown(outcomes, told), key=f"batch-{this_run().id}", description=f"What became of {source}"
            )
    if problem is not None:
        return failed(problem)
    if len(outcomes) < len(found):
        return cancelled(f"stopped, as asked: {told}")
    return (Failed if any(each.refused for each in outcomes) else Completed)(message=told)


def markdown(outcomes: list[Outcome], told: str) -> str:
    """Return a table of what became of the files, those that made no job first."""
    rows = [
        f"| {_cell(each.name)} | {f'job {each.job_id}' if each.job_id else _cell(each.reason)} |"
        for each in sorted(outcomes, key=lambda each: each.job_id is not None)
    ]
    more = [f"\n… and {len(rows) - SHOWN_ROWS} more"] if len(rows) > SHOWN_ROWS else []
    return "\n".join([f"{told}\n", "| file | became |", "|---|---|", *rows[:SHOWN_ROWS], *more])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
