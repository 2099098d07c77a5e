"""Transcripts as files on storage, which are created and never overwritten."""

import re
from typing import TYPE_CHECKING

from storage.domain import names
from storage.domain.errors import AlreadyStored
from storage.domain.records import Transcript, to_json

if TYPE_CHECKING:
    from storage.files.file_store import Files

VERSION = re.compile(r"transcripts/[^/]+/(?P<job_id>[^/.]+)\.v(?P<number>\d+)\.json")


def store_first(files: "Files", transcript: Transcript, *, attempt: int) -> str:
    """Store the engine's transcript, and return its name.

    An earlier attempt may have stored another one, from which versions were made if the ledger is older than storage.
    """
    data = to_json(transcript)
    name = names.transcript_name(transcript.job_id)
    try:
        files.create(name, data)
    except AlreadyStored:
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
