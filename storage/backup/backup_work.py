"""Take, try and fetch backups, with a snapshot of the ledger."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import FileLock, Timeout
from pydantic import SecretStr

from storage.backup import packing, rotation
from storage.backup.backup_manifest import BackupManifest, contents_and_digest, contents_of, program_version
from storage.backup.backup_store import BackupStore, DrillReport, id_of
from storage.backup.ledger_copy import copy_ledger
from storage.backup.rotation import Dated, Kept
from storage.domain.clock import utc_now
from storage.domain.errors import BackupKeyWrong, BackupRunning, BackupUnusable, NotFound, StorageFull, TranscriberError
from storage.ledger import audit, backups
from storage.ledger.database import Ledger
from storage.ledger.database_file import connect

SPARE_BYTES = 64 << 20
ROOM_FACTOR = 2.0
"""The copied file, and what is written from it; the packed file is smaller than the copied one, which is gone then."""
WORK = "work-"
LEFT_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A copy of the ledger in a folder of its own, for one backup."""

    id: str
    made_at: datetime
    path: Path


@contextmanager
def alone(ledger_path: Path) -> Iterator[Path]:
    """Hold the lock of backups, and provide a temporary folder beside the ledger.

    Raises:
        BackupRunning: another process, or thread, holds it.
    """
    folder = backups.folder_of(ledger_path.absolute())
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = FileLock(folder / "backup.lock", blocking=False, is_singleton=False, thread_local=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise BackupRunning(str(folder)) from error
    try:
        for left in folder.glob(f"{WORK}*"):  # of a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        with TemporaryDirectory(prefix=WORK, dir=folder, ignore_cleanup_errors=True) as work:
            yield Path(work)
    finally:
        lock.release()


def snapshot(ledger: Ledger, work: Path) -> Snapshot:
    """Copy the ledger's bytes while others read and write it.

    `pack_and_keep` makes a sound file of them.

    Raises:
        StorageFull: the disk has no room for the copy and its packed form.
    """
    size_bytes = ledger.path.stat().st_size + ledger.wal_bytes()
    needs, free = int(ROOM_FACTOR * size_bytes) + SPARE_BYTES, shutil.disk_usage(work).free
    if free < needs:
        raise StorageFull("a backup", f"it needs {needs >> 20} MiB in {work.parent} and {free >> 20} MiB are free")
    made_at, path = utc_now(), work / "copied.duckdb"
    copy_ledger(ledger, path)
    return Snapshot(id=id_of(made_at), made_at=made_at, path=path)


def pack_and_keep(taken: Snapshot, store: BackupStore, key: SecretStr | None) -> BackupManifest:
    """Pack a snapshot, store it, and return its manifest."""
    store.check()
    recipient = packing.recipient_of(key) if key else None
    path = rewritten(taken.path)
    contents, plain = contents_and_digest(path)
    stored_as = "ledger.duckdb.zst" + (".age" if key else "")
    packed = path.with_name(stored_as)
    manifest = BackupManifest(
        id=taken.id,
        made_at=taken.made_at,
        program=program_version(),
        contents=contents,
        ledger=plain,
        stored_as=stored_as,
        stored=packing.pack(path, packed, key),
        recipient=recipient,
    )
    path.unlink()
    store.keep(manifest, packed)
    return manifest


def rewritten(copied: Path) -> Path:
    """Write the tables of a copied ledger anew.

    So its log is applied, and the remains of deleted rows are gone.
    """
    with connect(copied) as con:
        path = backups.copy_database(con, copied.with_name("ledger.duckdb"))
    copied.unlink()
    return path


def fetch(
    store: BackupStore, backup_id: str, key: SecretStr | None, work: Path, *, origin: str = ""
) -> tuple[BackupManifest, Path]:
    """Unpack a backup into `work`; checksums and contents are compared with its manifest.

    `latest` is the newest of the ledger with this origin; see `BackupStore.manifest`.

    Raises:
        NotFound: there is no such backup.
        BackupUnusable: it is damaged, or the key is another one.
    """
    manifest = store.manifest(backup_id, origin=origin)
    key = _key_for(manifest, key)
    path = work / "ledger.duckdb"
    with store.fetched(manifest) as packed:
        plain = packing.unpack(packed, path, key, name=manifest.id, limit_bytes=manifest.ledger.size_bytes)
    if plain != manifest.ledger:
        raise BackupUnusable(manifest.id, "what is packed in it has another checksum than its manifest says")
    return manifest, path


def _key_for(manifest: BackupManifest, key: SecretStr | None) -> SecretStr | None:
    if manifest.recipient is None:
        return None
    if key is None:
        raise BackupKeyWrong(manifest.id, f"it is encrypted for {manifest.recipient}; set TRANSCRIBER_BACKUP_KEY")
    if (given := packing.recipient_of(key)) != manifest.recipient:
        raise BackupKeyWrong(
            manifest.id, f"it is encrypted for {manifest.recipient}, and TRANSCRIBER_BACKUP_KEY is the key of {given}"
        )
    return key


def drill(store: BackupStore, backup_id: str, key: SecretStr | None, work: Path) -> DrillReport:
    """Restore a backup into `work`, open it, and compare it with its manifest.

    Raises:
        BackupKeyWrong: it cannot be tried without its key.
        TranscriberError: its place did not answer, or the disk is full.
    """
    began, at = time.monotonic(), utc_now()
    problems: list[str] = []
    try:
        manifest, path = fetch(store, backup_id, key, work)
        problems += _differences(manifest, path)
        Ledger.open(path).close()
    except BackupKeyWrong:
        raise
    except (BackupUnusable, NotFound) as error:
        problems.append(str(error))
    except TranscriberError as error:
        if error.transient:
            raise
        problems.append(str(error))
    finally:
        for left in work.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
    return DrillReport(at=at, took_s=round(time.monotonic() - began, 3), problems=tuple(problems))


def _differences(manifest: BackupManifest, path: Path) -> Iterator[str]:
    with connect(path) as con:
        there, said = contents_of(con), manifest.contents
        for table in sorted(there.rows.keys() | said.rows.keys()):
            have, want = there.rows.get(table), said.rows.get(table)
            if have != want:
                yield f"table {table} has {have} rows, and its manifest says {want}"
        if (there.audit_rows, there.audit_head) != (said.audit_rows, said.audit_head):
            yield "the head of its audit chain is another one than its manifest says"
        if (broken := audit.verify(con)) is not None:
            yield f"its audit chain is broken at row {broken}"


def record_drill(ledger: Ledger, store: BackupStore, backup_id: str, report: DrillReport, *, actor: str) -> None:
    """Record what a drill found, beside the backup and in the audit log."""
    store.note_drill(backup_id, report)
    told = {"passed": report.passed, "problems": list(report.problems)}
    ledger.run(audit.record, actor=actor, action="ledger.drill", subject=backup_id, detail=told)


def prune(store: BackupStore, kept: Kept, *, origin: str, now: datetime) -> list[str]:
    """Delete this ledger's outdated backups, and remains of killed processes; return their ids."""
    ours = [one for one in store.all() if one.manifest.contents.origin == origin]
    dated = [
        Dated(id=one.manifest.id, made_at=one.manifest.made_at, failed=one.drill is not None and not one.drill.passed)
        for one in ours
    ]
    gone = [*rotation.to_remove(dated, kept), *store.leftovers(before=now - LEFT_AFTER)]
    for backup_id in gone:
        store.remove(backup_id)
    return gone
