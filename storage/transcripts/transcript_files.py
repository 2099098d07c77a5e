"""Transcripts as files on storage, which are created and never overwritten."""

import logging
import re
from typing import TYPE_CHECKING

from storage.domain import names
from storage.domain.errors import AlreadyStored, TranscriberError
from storage.domain.records import Transcript, to_json

if TYPE_CHECKING:
    from storage.files.file_store import Files

logger = logging.getLogger(__name__)
VERSION = re.compile(r"transcripts/[^/]+/(?P<job_id>[^/.]+)\.v(?P<number>\d+)\.json")


def store_first(files: "Files", transcript: Transcript, *, attempt: int) -> str:
    """Store the engine's transcript, and return its name.

    An earlier attempt may have stored another one, from which versions were made if the ledger is older than storage.
    An attempt that was killed before its report has stored the same one.
    """
    data = to_json(transcript)
    name = names.transcript_name(transcript.job_id)
    try:
        files.create(name, data)
    except AlreadyStored:
        if files.read(name) == data:
            return name
        name = names.later_transcript_name(transcript.job_id, attempt)
        files.write(name, data)
    return name


def newest_numbers(files: "Files") -> dict[str, int]:
    """Return each job's newest version on storage; jobs without an edit are left out."""
    found: dict[str, int] = {}
    for name in files.list("transcripts"):
        if match := VERSION.fullmatch(name):
            job_id, number = match["job_id"], int(match["number"])
            found[job_id] = max(number, found.get(job_id, 0))
    return found


def drop_partial(files: "Files", job_id: str, attempt: int | None = None) -> None:
    """Delete the text so far of a finished job or attempt.

    `intake.drop_partials` does it later if storage is unavailable.
    """
    try:
        files.delete(names.partial_folder(job_id, attempt))
    except TranscriberError as error:
        logger.info("the text so far of job %s is left on storage: %s", job_id, error)
