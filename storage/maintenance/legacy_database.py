"""Read the SQLite database of the older application.

Its tables are those of https://github.com/buymeagoat/whisper-transcriber (`api/models.py` and `api/migrations`, as of
14 November 2025). SQLite does not enforce the types of columns, so each row is checked; passwords are never read.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from storage.domain.errors import LegacyDatabaseUnreadable
from storage.domain.languages import LANGUAGES

COMPLETED = "completed"
OLDEST = datetime(2015, 1, 1, tzinfo=UTC)
LONGEST_S = 1e7
MAX_NAME_CHARS, MAX_PATH_CHARS, MAX_VALUE_BYTES = 1_000, 4_000, 64 << 20
NEEDED = frozenset({"id", "original_filename", "saved_filename", "model", "status", "transcript_path", "created_at"})

TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table'"
COLUMNS = "SELECT name FROM pragma_table_info('jobs')"
JOBS = """
SELECT id, original_filename, saved_filename, model, status, transcript_path, created_at FROM jobs ORDER BY rowid
"""
OWNERS = "SELECT id, user_id FROM jobs"
FINISHED = "SELECT id, finished_at FROM jobs"
USERS = "SELECT id, username FROM users"
METADATA = "SELECT job_id, duration, language FROM transcript_metadata"
TAGS = "SELECT j.job_id, t.name FROM job_tags AS j JOIN transcript_tags AS t ON t.id = j.tag_id ORDER BY j.rowid"
EDITED = "SELECT job_id, content FROM transcript_versions WHERE is_current ORDER BY version_number"


def _time(value: Any) -> Any:
    """Return a time as SQLAlchemy stores it, without a zone, as UTC."""
    if not isinstance(value, str):
        raise ValueError("is not a time")
    at = datetime.fromisoformat(value)
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    if not OLDEST <= at <= datetime.now(UTC):
        raise ValueError("lies before 2015 or in the future")
    return at


Time = Annotated[datetime, BeforeValidator(_time)]
Path_ = Annotated[str, Field(min_length=1, max_length=MAX_PATH_CHARS)]


class LegacyJob(BaseModel):
    """A job of the older application; its paths are not to be trusted."""

    model_config = ConfigDict(strict=True, frozen=True)

    id: Annotated[str, Field(min_length=1, max_length=255)]
    original_filename: Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARS)]
    saved_filename: Path_
    model: Annotated[str, Field(min_length=1, max_length=100)]
    status: Annotated[str, Field(max_length=100)]
    transcript_path: Path_ | None
    created_at: Time
    finished_at: Time | None = None
    owner: str | None = None  # the user name; None if the job is nobody's
    duration_s: float | None = None
    language: str | None = None
    tags: tuple[str, ...] = ()
    edited_text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A job that was not taken over, and why."""

    job: str
    name: str
    reason: str


def read(path: Path) -> Iterator[LegacyJob | Rejected]:
    """Yield the jobs of the database, the oldest row first.

    Rows that fit no job are rejected.

    Raises:
        LegacyDatabaseUnreadable: it is no SQLite database, is damaged, or has other tables.
    """
    if not path.is_file():
        raise LegacyDatabaseUnreadable(str(path), "there is no such file")
    try:
        with closing(_opened(path)) as con:
            tables = {row[0] for row in con.execute(TABLES)}
            columns = {row[0] for row in con.execute(COLUMNS)} if "jobs" in tables else set()
            if missing := sorted(NEEDED - columns):
                raise LegacyDatabaseUnreadable(str(path), f"it has no table jobs with {', '.join(missing)}")
            more = _more(con, tables, columns)
            for row in con.execute(JOBS):
                yield _job(row, more)
    except (sqlite3.Error, UnicodeError) as error:
        raise LegacyDatabaseUnreadable(str(path), str(error)) from error


def _opened(path: Path) -> sqlite3.Connection:
    """Open the file; nothing in it can write, or run a function."""
    con = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    con.execute("PRAGMA query_only = ON")
    con.execute("PRAGMA trusted_schema = OFF")
    con.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
    return con


def _more(con: sqlite3.Connection, tables: set[str], columns: set[str]) -> dict[Any, dict[str, Any]]:
    """Return what tables and columns that came later say about each job."""
    more: dict[Any, dict[str, Any]] = {}

    def add(job_id: Any, **facts: Any) -> None:
        more.setdefault(job_id, {}).update(facts)

    if "finished_at" in columns:
        for job_id, at in con.execute(FINISHED):
            add(job_id, finished_at=at)
    if "user_id" in columns:
        names = {str(number): name for number, name in con.execute(USERS)} if "users" in tables else {}
        for job_id, user in con.execute(OWNERS):
            add(job_id, owner=names.get(str(user)) or (user if user in names.values() else None))
    if "transcript_metadata" in tables:
        for job_id, duration, language in con.execute(METADATA):
            is_known = isinstance(duration, int | float) and 0 < duration < LONGEST_S
            add(job_id, duration_s=float(duration) if is_known else None)
            add(job_id, language=language if isinstance(language, str) and language in LANGUAGES else None)
    if {"job_tags", "transcript_tags"} <= tables:
        for job_id, tag in con.execute(TAGS):
            add(job_id, tags=(*more.get(job_id, {}).get("tags", ()), tag))
    if "transcript_versions" in tables:
        for job_id, content in con.execute(EDITED):
            add(job_id, edited_text=content)
    return more


def _job(row: tuple[Any, ...], more: dict[Any, dict[str, Any]]) -> LegacyJob | Rejected:
    names = ("id", "original_filename", "saved_filename", "model", "status", "transcript_path", "created_at")
    values = dict(zip(names, row, strict=True))
    try:
        return LegacyJob(**values, **more.get(row[0], {}))
    except ValidationError as error:
        wrong = error.errors()[0]
        reason = f"its {wrong['loc'][0]} is not usable: {wrong['msg']}"
        return Rejected(job=str(row[0])[:255], name=str(row[1])[:255], reason=reason)
