"""`ingest-batch`: makes jobs of a worker's folder or an S3 prefix, in the batch lane."""

import contextlib
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.artifacts import acreate_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows.platform.batch_upload import BatchFile, BatchOptions, recordings_in, send_all
from flows.runs.process_state import current, in_thread
from flows.runs.run_outcomes import cancelled, failed, this_run
from storage.domain import batch_sources
from storage.domain.batch_outcomes import REFUSED_STATUS, Outcome, exit_status, printable, summary
from storage.domain.deployments import Deployment
from storage.domain.errors import TranscriberError
from storage.remote.service_tokens import worker_token

SHOWN_ROWS = 1000


@flow(name=Deployment.INGEST_BATCH.value, persist_result=False)
async def ingest_batch(  # noqa: PLR0917 - Prefect calls it by name
    source: str,
    owner: str | None = None,
    model: str = "auto",
    language: str | None = None,
    recursive: bool = False,
    again: bool = False,
) -> State[Any]:
    """Make a job of every recording under `source`; repeats create no second job.

    Recordings that failed or were deleted stay so, unless `again` is set.

    `TRANSCRIBER_BATCH_SOURCES` decides what may be read and whose it is; `owner` only chooses between its entries.
    """
    here, flag = current(), current().flag(this_run().id)
    try:
        listed = batch_sources.allowed(batch_sources.parse(here.settings.web.batch_sources), source, owner)
    except TranscriberError as error:
        return failed(error)
    batch_options = BatchOptions(
        owner=listed.owner,
        model=model,
        language=language,
        actor=f"worker:{here.name}",
        again=again,
        token=worker_token(here.settings),  # a flow has no more rights than its worker, wherever that runs
    )
    batch_files: list[BatchFile] = []
    by_name: dict[str, Outcome] = {}

    def send() -> None:
        batch_files.extend(recordings_in(source, here.settings.storage, recursive=recursive, within=Path(listed.root)))
        for outcome in send_all(here.settings, batch_files, batch_options):
            by_name[outcome.name] = outcome
            if flag.is_raised():
                return

    problem: TranscriberError | None = None
    try:
        await in_thread(send)
    except TranscriberError as error:
        problem = error
    outcomes = list(by_name.values())
    summary_line = summary(outcomes, len(batch_files))
    get_run_logger().info("%s: %s", source, summary_line)
    if outcomes:
        with contextlib.suppress(Exception):  # the jobs exist, whether or not this can be shown
            await acreate_markdown_artifact(
                markdown(outcomes, summary_line), key=f"batch-{this_run().id}", description=f"What became of {source}"
            )
    if problem is not None:
        return failed(problem)
    if len(outcomes) < len(batch_files):
        return cancelled(f"stopped on request: {summary_line}")
    refused = exit_status(outcomes) == REFUSED_STATUS
    return (Failed if refused else Completed)(message=summary_line)


def markdown(outcomes: list[Outcome], summary_line: str) -> str:
    """Return a table of the files' outcomes, with those that have a reason first."""
    ordered = sorted(outcomes, key=lambda outcome: not outcome.became.spec.is_named)
    cells = [(printable(each.name), each.became.spec.words, each.job_id or "", each.reason) for each in ordered]
    rows = [f"| {' | '.join(map(_cell, row))} |" for row in cells]
    more = [f"\n… and {len(rows) - SHOWN_ROWS} more"] if len(rows) > SHOWN_ROWS else []
    head = [f"{summary_line}\n", "| file | outcome | job | reason |", "|---|---|---|---|"]
    return "\n".join([*head, *rows[:SHOWN_ROWS], *more])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
