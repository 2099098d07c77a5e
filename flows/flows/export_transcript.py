"""`export-transcript`: writes a stored transcript in any format, without transcribing again."""

from collections.abc import Mapping, Sequence
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.runs.process_state import current, in_thread
from flows.runs.run_outcomes import Stopped, cancelled, failed, this_run, with_retries
from storage.domain import names
from storage.domain.deployments import Deployment
from storage.domain.errors import NotStored, TranscriberError
from storage.domain.records import CueLimits, ExportFormat, Transcript, from_json
from storage.files.file_store import Files
from tasks.exports.writers import store

MOST_FILES = 100
"""A job's other files are deleted beyond this number; each can be made again."""


def make(
    files: Files,
    stored_as: str,
    formats: Sequence[ExportFormat],
    limits: CueLimits,
    *,
    most_files: int = MOST_FILES,
) -> list[str]:
    """Write missing files, and return the names of all requested ones; blocking, for a thread.

    Raises:
        NotStored: the transcript is gone; files written meanwhile are deleted.
    """
    transcript = from_json(Transcript, files.read(names.required_in(names.TRANSCRIPTS, stored_as)))
    written = store(files, transcript, stored_as=stored_as, formats=formats, limits=limits, again=False).values()
    folder = names.exports_folder(transcript.job_id)
    if not files.exists(stored_as):
        files.delete(folder)
        raise NotStored(stored_as)
    existing = list(files.list(folder))
    if len(existing) > most_files:
        for name in set(existing) - set(written):
            files.delete(name)
    return list(written)


@flow(name=Deployment.EXPORT_TRANSCRIPT.value, persist_result=False)
async def export_transcript(
    stored_as: str, formats: list[str], settings: Mapping[str, Any] | None = None
) -> State[Any] | None:
    """Write a stored transcript in these formats; `settings` override `CueLimits`' defaults.

    A file's name contains everything that it depends on (`storage.domain.names.export_name`), so a second run finds it.
    """
    run = this_run()
    here, flag = current(), current().flag(run.id)

    async def work() -> None:
        limits, requested = CueLimits(**(settings or {})), [ExportFormat(fmt) for fmt in formats]
        await in_thread(lambda: make(here.files, stored_as, requested, limits))

    try:
        await with_retries(work, flag=flag)
    except Stopped:
        return cancelled("stopped on request before it was done")
    except TranscriberError as error:
        return failed(error)
    return None
