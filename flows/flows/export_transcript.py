"""`export-transcript`: a stored transcript as files, in any format and form, without listening again."""

from collections.abc import Mapping, Sequence
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.endings import Stopped, cancelled, failed, this_run, with_retries
from flows.resident import current, in_thread
from storage import names
from storage.errors import NotStored, TranscriberError
from storage.files import Files
from storage.records import CueLimits, ExportFormat, Transcript, from_json
from tasks.export import store

MOST_FILES = 100
"""A job's files beyond so many are deleted, since each can be made again."""


def make(files: Files, stored_as: str, formats: Sequence[ExportFormat], limits: CueLimits) -> list[str]:
    """Write the files that are not there yet and return the names of all that were asked for; blocking, for a thread.

    Raises:
        NotStored: the transcript is gone; so is what was written meanwhile.
    """
    transcript = from_json(Transcript, files.read(stored_as))
    made = store(files, transcript, stored_as=stored_as, formats=formats, limits=limits, again=False).values()
    folder = names.exports_folder(transcript.job_id)
    if not files.exists(stored_as):
        files.delete(folder)
        raise NotStored(stored_as)
    there = list(files.list(folder))
    if len(there) > MOST_FILES:
        for name in set(there) - set(made):
            files.delete(name)
    return list(made)


@flow(name="export-transcript", persist_result=False)
async def export_transcript(
    stored_as: str, formats: list[str], settings: Mapping[str, Any] | None = None
) -> State[Any] | None:
    """Write a stored transcript in these formats; `settings` are those of `CueLimits`, as far as they are not usual.

    The files are named by all that they depend on (`storage.names.export_name`), so a second run finds them there.
    """
    run = this_run()
    here, flag = current(), current().flag(run.id)

    async def work() -> None:
        limits, wanted = CueLimits(**(settings or {})), [ExportFormat(fmt) for fmt in formats]
        await in_thread(lambda: make(here.files, stored_as, wanted, limits))

    try:
        await with_retries(work, flag=flag)
    except Stopped:
        return cancelled("stopped before it was done, as asked")
    except TranscriberError as error:
        return failed(error)
    return None
