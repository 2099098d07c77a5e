"""Versions of a transcript in the ledger: each an immutable file, the last one current."""

import dataclasses
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from duckdb import DuckDBPyConnection

from storage.domain.errors import NotFound
from storage.domain.records import Transcript, Version, from_json

if TYPE_CHECKING:
    from storage.files.file_store import Files

ENGINE = "engine"

LIST = "SELECT number, stored_as, made_by, made_at, note, changed FROM versions WHERE job_id = $id ORDER BY number DESC"
FIRST = "SELECT stored_as, created_at FROM transcripts WHERE job_id = $id"


def list_of(con: DuckDBPyConnection, job_id: str) -> list[Version]:
    """Return the versions of the job's transcript, current one first; empty without one."""
    fields = ("number", "stored_as", "made_by", "made_at", "note", "changed")
    rows = [dict(zip(fields, row, strict=True)) for row in con.execute(LIST, {"id": job_id}).fetchall()]
    if not rows and (row := con.execute(FIRST, {"id": job_id}).fetchone()):
        rows = [{"number": 1, "stored_as": row[0], "made_by": ENGINE, "made_at": row[1]}]
    found = []
    for values in rows:
        made_at: datetime = values["made_at"]
        found.append(Version(**(values | {"made_at": made_at.astimezone(UTC)})))
    return found


def current(con: DuckDBPyConnection, job_id: str) -> Version:
    """Return the current version.

    Raises:
        NotFound: the job has no transcript.
    """
    for version in list_of(con, job_id):
        return version
    raise NotFound("transcript of job", job_id)


def one_of(con: DuckDBPyConnection, job_id: str, number: int) -> Version:
    """Return one version.

    Raises:
        NotFound: there is none of this number.
    """
    for version in list_of(con, job_id):
        if version.number == number:
            return version
    raise NotFound("version", f"{number} of the transcript of job {job_id}")


def read(files: "Files", version: Version) -> Transcript:
    """Return a version's transcript from storage.

    Raises:
        NotStored: the file is gone.
    """
    return from_json(Transcript, files.read(version.stored_as))


ADD = """
INSERT INTO versions (job_id, number, stored_as, made_by, made_at, note, changed)
VALUES ($job_id, $number, $stored_as, $made_by, $made_at, $note, $changed)
"""

HAS_ROWS = "SELECT count(*) FROM versions WHERE job_id = $id"


def add(con: DuckDBPyConnection, job_id: str, version: Version) -> None:
    """Add a version's row."""
    con.execute(ADD, {"job_id": job_id, **dataclasses.asdict(version)})


def begin(con: DuckDBPyConnection, job_id: str) -> Version:
    """Return the current version, creating its row."""
    version = current(con, job_id)
    if not con.execute(HAS_ROWS, {"id": job_id}).fetchall()[0][0]:
        add(con, job_id, version)
    return version
