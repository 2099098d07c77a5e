"""`transcriber admin backup`, `backups`, `drill`, `restore`: the ledger's safety copies."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.admin_commands import ask, open_used
from flows.platform.os_user import operator

if TYPE_CHECKING:
    from storage.backup.backup_store import BackupStore, DrillReport
    from storage.domain.settings import Settings
    from storage.ledger.database import Ledger
    from storage.maintenance.rebuild import Rebuilt

LOOK_EVERY_S = 0.3
Id = Annotated[str, typer.Argument(metavar="ID", help="A backup's id, as `backups` lists it, or `latest`.")]
From = Annotated[
    str | None, typer.Option("--from", metavar="URL", help="Where the backups are. Default: TRANSCRIBER_BACKUP_URL.")
]


def backup(
    to: Annotated[
        Path | None, typer.Argument(help="A plain copy of the ledger to write instead, neither packed nor checked.")
    ] = None,
) -> None:
    """Back the ledger up, compressed, with checksums, encrypted if TRANSCRIBER_BACKUP_KEY is set.

    Also works while the platform runs. Backups that are no longer kept are deleted.
    """
    ledger = open_used()
    if to:
        _copy(ledger, to.absolute())
    elif ledger is None:
        told = next(one for one in _follow("backups", {})["backups"] if one["ours"])
        typer.echo(f"backup {told['id']} is made, {told['bytes']:,} bytes")
    else:
        with ledger:
            _take(ledger)


def _copy(ledger: "Ledger | None", target: Path) -> None:
    from storage.domain.errors import BadRequest
    from storage.maintenance import housekeeping

    if ledger is None:
        ask("POST", "backups", {"to": str(target)})
    else:
        with ledger:
            try:
                housekeeping.backup(ledger, target, actor=operator())
            except FileExistsError as error:
                raise BadRequest("TO", f"{target} already exists; choose another name") from error
    typer.echo(f"the ledger is copied to {target}")


def _take(ledger: "Ledger") -> None:
    from storage.backup import backup_work
    from storage.backup.rotation import Kept
    from storage.domain.clock import utc_now
    from storage.domain.settings import Settings
    from storage.ledger import audit

    settings, store = Settings(), _store()
    with backup_work.alone(ledger.path) as work:
        made = backup_work.pack_and_keep(backup_work.snapshot(ledger, work), store, settings.backup.backup_key)
        told = {"bytes": made.stored.size_bytes, "sha256": made.stored.sha256, "url": store.url}
        ledger.run(audit.record, actor=operator(), action="ledger.backup", subject=made.id, detail=told)
        chosen = settings.backup
        kept = Kept(daily=chosen.backup_daily, weekly=chosen.backup_weekly, monthly=chosen.backup_monthly)
        backup_work.prune(store, kept, origin=made.contents.origin, now=utc_now())
    typer.echo(f"backup {made.id} is made, {made.stored.size_bytes:,} bytes, in {store.url}")


def _follow(what: str, order: dict[str, Any]) -> dict[str, Any]:
    """Let the web process do it; return what it said at the end."""
    began = ask("POST", what, order)
    while (told := ask("GET", "backups"))["runs"] == began["runs"]:
        time.sleep(LOOK_EVERY_S)
    if told["error"]:
        typer.echo(f"transcriber: {told['error']}", err=True)
        raise typer.Exit(1)
    return began | told


def _store(url: str | None = None, settings: "Settings | None" = None) -> "BackupStore":
    from storage.backup.backup_store import BackupStore
    from storage.domain.settings import Settings
    from storage.files.file_store import Files

    settings = settings or Settings()
    if url is None:
        return BackupStore.from_settings(settings)
    endpoint = settings.backup.backup_endpoint_url or settings.storage.storage_endpoint_url
    return BackupStore(Files(url, endpoint), needs_folder=True)


def backups(url: From = None) -> None:
    """List the backups, newest first, with what their last drill found."""
    store = _store(url)
    found = store.all()
    are_several = len({one.manifest.contents.origin for one in found}) > 1
    for one in found:
        made, drill = one.manifest, one.drill
        tried = f"passed its drill on {drill.at:%Y-%m-%d %H:%M} UTC" if drill and drill.passed else "FAILED its drill"
        how = "encrypted" if made.recipient else "not encrypted"
        rows = f"{made.contents.rows.get('jobs', 0):,} recordings"
        whose = f"  of ledger {made.contents.origin[:8]}" if are_several else ""
        told = f"{made.stored.size_bytes:>13,} bytes  {how}  {rows}  {tried if drill else 'not tried'}"
        typer.echo(f"{made.id}  {told}{whose}")
        for problem in drill.problems if drill else ():
            typer.echo(f"    {problem}")
    if not found:
        typer.echo(f"there are no backups in {store.url}")


def drill(backup_id: Id = "latest", url: From = None) -> None:
    """Restore a backup on trial into a temporary folder, and compare.

    Ends with status 1 if the backup is not sound."""
    if url is not None:
        problems = _drill_there(backup_id, url).problems
    elif (ledger := open_used()) is not None:
        with ledger:
            problems = _drill_here(backup_id, ledger).problems
    else:
        told = _follow("drills", {"id": backup_id})
        found = next(one for one in told["backups"] if one["id"] == told["id"])
        problems = tuple(found["drill"]["problems"])
    for problem in problems:
        typer.echo(problem, err=True)
    if problems:
        raise typer.Exit(1)
    typer.echo("the backup was restored on trial: checksums, rows and audit chain are as its manifest says")


def _drill_here(backup_id: str, ledger: "Ledger") -> "DrillReport":
    """Try a backup beside the ledger, where the next one clears remains."""
    from storage.backup import backup_work
    from storage.backup.backup_manifest import origin_of
    from storage.domain.settings import Settings

    store = _store()
    with ledger.read() as con:
        manifest = store.manifest(backup_id, origin=origin_of(con))
    with backup_work.alone(ledger.path) as work:
        report = backup_work.drill(store, manifest.id, Settings().backup.backup_key, work)
        backup_work.record_drill(ledger, store, manifest.id, report, actor=operator())
    return report


def _drill_there(backup_id: str, url: str) -> "DrillReport":
    from tempfile import TemporaryDirectory

    from storage.backup import backup_work
    from storage.domain.settings import Settings

    settings = Settings()
    store = _store(url, settings)
    with TemporaryDirectory(prefix="transcriber-drill-") as work:
        return backup_work.drill(store, store.manifest(backup_id).id, settings.backup.backup_key, Path(work))


def restore(
    what: Annotated[
        str, typer.Argument(metavar="BACKUP", help="A backup's id, `latest`, or a file that `backup FILE` wrote.")
    ],
    url: From = None,
) -> None:
    """Replace the ledger with a backup, after checking it; also into an empty data dir.

    What storage has and the backup lacks is brought in. The platform must be stopped. The old ledger is kept.
    """
    from storage.backup import backup_work
    from storage.backup.backup_manifest import origin_at
    from storage.backup.backup_store import ID, NEWEST
    from storage.domain.errors import BadRequest
    from storage.domain.settings import Settings
    from storage.ledger.database_file import refuse_if_held

    settings = Settings()
    ledger_path = settings.storage.ledger_path
    is_file = Path(what).is_file()
    if not is_file and what != NEWEST and not ID.fullmatch(what):
        told = f"{what} is neither a file nor a backup's id; `transcriber admin backups` lists them"
        raise BadRequest("BACKUP", told)
    if is_file:
        _restore_file(Path(what), what, settings)
        return
    refuse_if_held(ledger_path)
    store = _store(url, settings)
    with backup_work.alone(ledger_path) as work:
        origin = origin_at(ledger_path)
        manifest, path = backup_work.fetch(store, what, settings.backup.backup_key, work, origin=origin)
        _restore_file(path, f"backup {manifest.id} of {store.url}", settings)


def _restore_file(path: Path, name: str, settings: "Settings") -> None:
    from storage.files.file_store import Files
    from storage.ledger.database import Ledger
    from storage.maintenance import housekeeping
    from storage.maintenance.rebuild import rebuild as run

    aside = housekeeping.restore(path, settings.storage.ledger_path)
    typer.echo(f"restored from {name}" + (f"; the previous ledger is at {aside}" if aside else ""))
    with Ledger.open(settings.storage.ledger_path) as ledger:
        _say_what_is_newer(run(ledger, Files.from_settings(settings.storage)))


def _say_what_is_newer(rebuilt: "Rebuilt") -> None:
    """Print how storage and the restored ledger differed."""
    if rebuilt.jobs or rebuilt.updated:
        typer.echo(
            f"storage was newer than the backup: {rebuilt.jobs} recordings were brought in, {rebuilt.updated} updated"
        )
    else:
        typer.echo("storage has nothing that the backup had not")
    if rebuilt.missing:
        typer.echo(
            f"{rebuilt.missing} recordings of the backup are no longer described on storage: they were deleted "
            "permanently since, or TRANSCRIBER_STORAGE_URL points elsewhere; delete them, or correct it"
        )
    for name in rebuilt.skipped:
        typer.echo(f"{name} could not be read and is left out", err=True)


def backup_key() -> None:
    """Print a new secret key for TRANSCRIBER_BACKUP_KEY; keep a copy where the backups are not."""
    from storage.backup import packing

    typer.echo(packing.new_key())


def add_to(admin: typer.Typer) -> None:
    """Add these commands to `transcriber admin`."""
    for command in (backup, backups, drill, restore):
        admin.command()(command)
    admin.command(name="backup-key")(backup_key)
