"""`transcriber admin import-legacy`: recordings and texts of the older application."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.admin_commands import ask, open_used
from flows.platform.os_user import operator

if TYPE_CHECKING:
    from storage.ledger.database import Ledger
    from storage.maintenance.legacy_database import LegacyJob, Rejected
    from storage.maintenance.legacy_import import Known, Prepared

AT_ONCE = 20
"""Jobs that are brought into the ledger together."""


def import_legacy(  # noqa: PLR0917 - Typer makes options of them
    database: Annotated[Path, typer.Argument(help="The older application's SQLite file.")],
    files: Annotated[
        Path | None, typer.Option(help="The folder with its `uploads` and `transcripts`. Default: the database's.")
    ] = None,
    owner: Annotated[str, typer.Option(help="Who gets recordings that are nobody's there.")] = "admin",
    transcribe: Annotated[
        bool, typer.Option("--transcribe", help="Queue recordings that have no text there for transcription here.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and change nothing.")] = False,
    rejects: Annotated[Path, typer.Option(help="What was not taken over, and why: one JSON object a line.")] = Path(
        "legacy-rejects.jsonl"
    ),
) -> None:
    """Take over recordings and texts of the older application (docs/moving.md).

    Works with a running platform, and without one. Run it again after an interruption, or as often as you like: what is
    here is not taken over twice. Accounts come without their passwords, and texts without times. The exit status is 0
    only if nothing was rejected.
    """
    ledger = open_used()
    run = _Import(ledger, files or database.parent, owner=owner, queue=transcribe, dry_run=dry_run)
    try:
        run.all_of(database)
    finally:
        if ledger is not None:
            ledger.close()
        if run.rejected:
            rejects.write_text("".join(f"{json.dumps(asdict(one))}\n" for one in run.rejected), encoding="utf-8")
    counts = run.counts
    told = f"{counts['taken']} taken over ({counts['bytes'] / 1e6:,.1f} MB), {counts['here']} already here"
    left_out = f"{counts['purged']} deleted here for good, {len(run.rejected)} rejected"
    typer.echo(f"{'dry run, nothing is changed: ' if dry_run else ''}{told}, {left_out}")
    if run.rejected:
        typer.echo(f"why: {rejects}", err=True)
        raise typer.Exit(1)


class _Import:
    """One run of the command, into the ledger or through the web process."""

    def __init__(self, ledger: "Ledger | None", folder: Path, *, owner: str, queue: bool, dry_run: bool) -> None:
        from storage.domain.settings import Settings
        from storage.files.file_store import Files

        self.ledger, self.folder, self.owner, self.queue, self.dry_run = ledger, folder, owner, queue, dry_run
        self.settings: Settings = Settings()
        self.stored = Files.from_settings(self.settings.storage)
        self.counts: Counter[str] = Counter()
        self.rejected: list[Rejected] = []

    def all_of(self, database: Path) -> None:
        """Take over what the database has."""
        from storage.maintenance import legacy_database

        jobs = list(legacy_database.read(database))  # a database that is damaged at its end imports nothing
        for start in range(0, len(jobs), AT_ONCE):
            self.rejected += self._some(jobs[start : start + AT_ONCE])

    def _some(self, jobs: "Sequence[LegacyJob | Rejected]") -> "Iterator[Rejected]":
        from storage.maintenance import legacy_import
        from storage.maintenance.legacy_database import LegacyJob, Rejected

        yield from (job for job in jobs if isinstance(job, Rejected))
        by_id = {legacy_import.job_id_of(job): job for job in jobs if isinstance(job, LegacyJob)}
        there = self._known(by_id)
        self.counts["here"] += len(there.here)
        self.counts["purged"] += len(there.purged - there.here)
        ready: list[Prepared] = []
        for job_id in by_id.keys() - there.here - there.purged:
            one = self._prepared(by_id[job_id])
            if isinstance(one, Rejected):
                yield one
            else:
                ready.append(one)
        for job in sorted(ready, key=lambda job: job.job_id):
            typer.echo(_line(job))
            self.counts["bytes"] += job.media.stat().st_size
        self.counts["taken"] += len(ready) if self.dry_run else self._take_over(ready)

    def _prepared(self, job: "LegacyJob") -> "Prepared | Rejected":
        from storage.maintenance import legacy_import

        hours = self.settings.web.max_hours
        return legacy_import.prepared(job, self.folder, owner=self.owner, max_hours=hours, queue=self.queue)

    def _known(self, by_id: "dict[str, LegacyJob]") -> "Known":
        from storage.maintenance import legacy_import

        if self.ledger is not None:
            with self.ledger.read() as con:
                return legacy_import.known(con, by_id)
        told = ask("POST", "imports", {"jobs": {job_id: job.id for job_id, job in by_id.items()}, "check": True})
        return legacy_import.Known(here=frozenset(told["here"]), purged=frozenset(told["purged"]))

    def _take_over(self, ready: "list[Prepared]") -> int:
        from storage.maintenance import legacy_import

        for job in ready:
            legacy_import.take_over(self.stored, job)
        jobs = {job.job_id: job.legacy.id for job in ready}
        if self.ledger is not None:
            return len(legacy_import.bring_in(self.ledger, self.stored, jobs, actor=operator()))
        return len(ask("POST", "imports", {"jobs": jobs})["imported"])


def _line(job: "Prepared") -> str:
    text = "to be transcribed" if job.text is None else f"text of {len(job.text):,} characters, without times"
    length = "" if job.duration_s is None else f"{job.duration_s:,.0f} s, "
    return f"{job.legacy.original_filename!r} for {job.owner}: {length}{text}"


def add_to(app: typer.Typer) -> None:
    """Add the command to `transcriber admin`."""
    app.command(name="import-legacy")(import_legacy)
