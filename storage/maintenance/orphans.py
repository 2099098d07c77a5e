"""Orphans: files on storage that belong to no recording, found twice before they are deleted.

A purge whose storage went away leaves them. A file may also be older than its row, and the ledger may be an old one. So
a file is deleted only if it was an orphan a day before, too, and none if storage describes a job that the ledger does
not know. A rebuild brings no spans into the ledger: where recordings lack theirs, spans and results stay.
"""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath

from duckdb import DuckDBPyConnection

from storage.files.file_store import Files
from storage.ledger.database import Ledger

logger = logging.getLogger(__name__)
SEEN_FOR = timedelta(days=1)
BY_MEDIA, BY_SAMPLES = ("media", "plans", "peaks"), ("spans", "results")
BY_JOB = ("transcripts", "exports", "partial", "proposals")
MEDIA = "SELECT DISTINCT media_sha256 FROM jobs"
SAMPLES = "SELECT DISTINCT samples_sha256 FROM spans"
JOBS = "SELECT id FROM jobs"
REBUILT = (
    "SELECT count(*) FROM jobs WHERE state = 'completed' AND speech_s > 0 AND id NOT IN (SELECT job_id FROM spans)"
)
PURGED = "SELECT subject FROM audit WHERE action = 'job.purge'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """How many orphans there are, and how many were deleted; `unsafe` says why none was."""

    found: int = 0
    deleted: int = 0
    unsafe: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _KnownIdents:
    media: frozenset[str]
    samples: frozenset[str]
    jobs: frozenset[str]
    purged: frozenset[str]
    without_spans: bool


def sweep(ledger: Ledger, files: Files, seen: Path, *, now: datetime) -> Swept:
    """Look for orphans, and delete those that were orphans a day ago, too.

    `seen` is a local file that keeps when each was found first.
    """
    listed = {folder: list(files.list(folder)) for folder in ("jobs", *BY_MEDIA, *BY_SAMPLES, *BY_JOB)}
    with ledger.read() as con:  # after the listing: what is new has its row by then, or is found first today
        known = _known(con)
    described = {PurePosixPath(name).stem for name in listed["jobs"]}
    if strangers := described - known.jobs - known.purged:
        told = f"storage describes {len(strangers)} jobs that the ledger does not know; run `transcriber admin rebuild`"
        return Swept(unsafe=told)
    found = set(_orphans(listed, known))
    first = {name: at for name, at in _seen(seen).items() if name in found}
    old = [name for name in sorted(found) if name in first and now - first[name] >= SEEN_FOR]
    for name in old:
        files.delete(name)
    if old:
        logger.info("%d files that belonged to no recording were deleted", len(old))
    _keep(seen, {name: first.get(name, now) for name in found - set(old)})
    return Swept(found=len(found), deleted=len(old))


def _known(con: DuckDBPyConnection) -> _KnownIdents:
    def column(statement: str) -> frozenset[str]:
        return frozenset(row[0] for row in con.execute(statement).fetchall())

    without = bool(con.execute(REBUILT).fetchall()[0][0])
    return _KnownIdents(
        media=column(MEDIA), samples=column(SAMPLES), jobs=column(JOBS), purged=column(PURGED), without_spans=without
    )


def _orphans(listed: dict[str, list[str]], known: _KnownIdents) -> Iterator[str]:
    groups: tuple[tuple[tuple[str, ...], Callable[[str], str], frozenset[str]], ...] = (
        (BY_MEDIA, _third, known.media),
        (() if known.without_spans else BY_SAMPLES, _third, known.samples),
        (BY_JOB, _third, known.jobs),
        (("jobs",), lambda name: PurePosixPath(name).stem, known.jobs),
    )
    for folders, ident_of, there in groups:
        for folder in folders:
            for name in listed[folder]:
                ident = ident_of(name)
                if ident and ident not in there:
                    yield name


def _third(name: str) -> str:
    """Return the id in a name such as `spans/ab/abcd….flac` or `plans/ab/abcd…/x.json`."""
    parts = name.split("/")
    return parts[2].split(".")[0] if len(parts) > 2 else ""


def _seen(path: Path) -> dict[str, datetime]:
    try:
        return {name: datetime.fromisoformat(at) for name, at in json.loads(path.read_text()).items()}
    except (FileNotFoundError, ValueError, AttributeError, TypeError):
        return {}


def _keep(path: Path, seen: dict[str, datetime]) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps({name: at.isoformat() for name, at in sorted(seen.items())}))
    part.replace(path)
