"""`ingest-batch`: makes jobs of a listed source, and writes their results."""

import contextlib
import time
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from prefect import flow, get_run_logger
from prefect.artifacts import acreate_table_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from pydantic import Field

from flows.batch.batch_parameters import ordered
from flows.batch.batch_run import BatchRun
from flows.batch.written_results import BESIDE
from flows.runs.process_state import current, in_thread
from flows.runs.run_outcomes import cancelled, failed, this_run
from storage.domain import batch_sources
from storage.domain.batch_outcomes import REFUSED_STATUS, BatchOutcome, Outcome, printable
from storage.domain.batch_sources import SETTING, TARGETS_SETTING, BatchSource
from storage.domain.deployments import Deployment
from storage.domain.errors import TranscriberError
from storage.domain.network.host_names import without_login
from storage.domain.settings import Settings
from storage.files.batch_table import BatchRow, BatchTable
from storage.remote.service_tokens import worker_token

ROWS_EACH, MOST_TABLES = 1000, 10
LOG_EVERY_S = 60.0


class ProgressLog:
    """Logs every minute how far a batch is."""

    def __init__(
        self, run: BatchRun, log: Callable[..., object], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._run, self._log, self._clock = run, log, clock
        self._sent, self._logged_at_s = 0, clock()

    def sent(self, _: Outcome) -> None:
        self._sent += 1
        if self._is_due():
            total = self._run.expected_total
            self._log("%s files%s", f"{self._sent:,}", f" of about {total:,}" if total else ", and more are listed")

    def followed(self, ended: int, left: int) -> None:
        if self._is_due():
            self._log("%s of %s jobs are at their end", f"{ended:,}", f"{ended + left:,}")

    def _is_due(self) -> bool:
        if self._clock() - self._logged_at_s < LOG_EVERY_S:
            return False
        self._logged_at_s = self._clock()
        return True


@flow(name=Deployment.INGEST_BATCH.value, persist_result=False)
async def ingest_batch(  # noqa: PLR0917 - Prefect calls it by name
    source: str,
    owner: str | None = None,
    model: str = "auto",
    language: str | None = None,
    recursive: bool = False,
    again: bool = False,
    task: str = "transcribe",
    prompt: str | None = None,
    tags: str | None = None,
    dest: str | None = None,
    template: str | None = None,
    formats: Annotated[tuple[str, ...], Field(max_length=20)] = ("srt", "vtt", "txt", "json"),
    overwrite: bool = False,
    rejects: str | None = None,
    wait: bool = False,
) -> State[Any]:
    """Make a job of every recording in `source`; repeats create no second job.

    Recordings that failed or were deleted stay so, unless `again` is set. With `dest`, the results of jobs that are
    complete are written there, and with `wait` the run goes on until all are.

    `TRANSCRIBER_BATCH_SOURCES` decides what may be read and whose it is, `TRANSCRIBER_BATCH_TARGETS` where results go;
    `owner` only chooses between the entries.
    """
    here, flag = current(), current().flag(this_run().id)
    try:
        listed = _listed(here.settings, source, owner, dest, rejects)
        plan, options = ordered(
            source,
            listed.owner,
            model,
            language,
            task,
            prompt,
            tags,
            recursive,
            again,
            dest,
            template,
            formats,
            overwrite,
            rejects,
            wait,
            actor=f"worker:{here.name}",
            token=worker_token(here.settings),  # a flow has no more rights than its worker, wherever that runs
        )
    except TranscriberError as error:
        return failed(error)
    may_read = partial(_root, here.settings.web.batch_sources, SETTING, listed.owner)
    may_write = partial(_root, here.settings.web.batch_targets, TARGETS_SETTING, listed.owner)
    problem: TranscriberError | None = None
    run = BatchRun(here.settings, plan, options, may_read=may_read, may_write=may_write, stop=flag.is_raised)
    log_progress = ProgressLog(run, get_run_logger().info)
    with run:
        try:
            await in_thread(lambda: run.run(log_progress.sent, log_progress.followed))
        except TranscriberError as error:
            problem = error
        get_run_logger().info("%s: %s", source, run.summary)
        with contextlib.suppress(Exception):  # the jobs exist, whether or not this can be shown
            await _show(run.table, run.summary, source)
        if problem is not None:
            return failed(problem)
        if flag.is_raised():
            return cancelled(f"stopped on request: {run.summary}")
        return (Failed if run.exit_status == REFUSED_STATUS else Completed)(message=run.summary)


def _listed(settings: Settings, source: str, owner: str | None, dest: str | None, rejects: str | None) -> BatchSource:
    """Return the entry that holds the source; targets are listed for its owner, too.

    Raises:
        BadRequest, NotAllowed: one is not listed.
    """
    listed = batch_sources.allowed(batch_sources.parse(settings.web.batch_sources), source, owner)
    for target in (dest, rejects):
        if target is not None and target != BESIDE:
            _root(settings.web.batch_targets, TARGETS_SETTING, listed.owner, target)
    return listed


def _root(listed: str, setting: str, owner: str, place: str) -> str:
    return batch_sources.allowed(batch_sources.parse(listed, setting), place, owner, setting).root


async def _show(table: BatchTable, summary_line: str, source: str) -> None:
    """Show every file's state as tables of the run, without any transcript's text."""
    for number in range(MOST_TABLES):
        rows = table.rows(ROWS_EACH, number * ROWS_EACH)
        if not rows and number:
            return
        key = f"batch-{this_run().id}" + (f"-{number + 1}" if number else "")
        description = f"What became of {without_login(source)}: {summary_line}" + (
            f" (part {number + 1})" if number else ""
        )
        await acreate_table_artifact([shown(row) for row in rows], key=key, description=description)


def shown(row: BatchRow) -> dict[str, str]:
    """Return a file's row for people."""
    became = BatchOutcome(row.became).spec.words
    return {
        "file": printable(row.name),
        "outcome": became,
        "state": row.state,
        "job": row.job_id or "",
        "reason": printable(row.reason),
    }
