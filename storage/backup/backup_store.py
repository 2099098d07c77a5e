"""Backups at their place: a folder for each in `backups/`, below storage or another root."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from storage.backup.backup_manifest import FORMAT, BackupManifest
from storage.backup.packing import digest_of
from storage.domain.errors import BackupUnusable, BadRequest, NotFound, NotStored, StorageUnreachable
from storage.domain.records import from_json, to_json
from storage.domain.settings import Settings
from storage.files.file_store import Files

logger = logging.getLogger(__name__)
FOLDER = "backups"
ID = re.compile(r"\d{8}T\d{9}Z")
MANIFEST, DRILL = "manifest.json", "drill.json"
NEWEST = "latest"


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillReport:
    """What a drill found: a backup is sound if `problems` is empty."""

    at: datetime
    took_s: float
    problems: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.problems


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptBackup:
    """A backup that is there, and its last drill."""

    manifest: BackupManifest
    drill: DrillReport | None = None


class BackupStore:
    """The backups below one root; safe to share between threads."""

    def __init__(self, files: Files, *, needs_folder: bool = False) -> None:
        self.files, self.url = files, files.url
        self._needs_folder = needs_folder

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Return the place that the settings name; by default it is storage."""
        if url := settings.backup.backup_url:
            return cls(Files(url, settings.backup.backup_endpoint_url), needs_folder=True)
        return cls(Files.from_settings(settings.storage))

    def check(self) -> None:
        """Refuse a folder that is not there, perhaps a disk that is not mounted.

        Raises:
            StorageUnreachable: it is not there.
        """
        folder = self.files.path("x")
        if self._needs_folder and folder is not None and not folder.parent.is_dir():
            raise StorageUnreachable(
                self.url, "this folder for backups is not there; mount it, create it, or set TRANSCRIBER_BACKUP_URL"
            )

    def all(self) -> list[KeptBackup]:
        """Return all backups, newest first; an unreadable manifest is left out with a warning."""
        self.check()
        found = []
        names = set(self.files.list(FOLDER))
        for name in names:
            folder, _, last = name.rpartition("/")
            if last != MANIFEST:
                continue
            try:
                manifest = self.manifest(Path(folder).name)
            except (BackupUnusable, NotFound) as error:
                logger.warning("a backup is left out: %s", error)
                continue
            found.append(KeptBackup(manifest=manifest, drill=self._drill(f"{folder}/{DRILL}", names)))
        return sorted(found, key=lambda one: one.manifest.id, reverse=True)

    def _drill(self, name: str, names: set[str]) -> DrillReport | None:
        try:
            return from_json(DrillReport, self.files.read(name)) if name in names else None
        except (NotStored, ValueError):
            return None

    def manifest(self, backup_id: str, *, origin: str = "") -> BackupManifest:
        """Return a backup's manifest.

        `latest` is the newest one's, of the ledger with this origin if it has any.

        Raises:
            NotFound: there is no such backup.
            BadRequest: it is `latest`, and the backups there are those of several other ledgers.
            BackupUnusable: its manifest cannot be read.
        """
        self.check()
        if backup_id == NEWEST:
            return self._newest(origin)
        if not ID.fullmatch(backup_id):
            raise NotFound("backup", backup_id)
        try:
            found = from_json(BackupManifest, self.files.read(_name(backup_id, MANIFEST)))
        except NotStored as error:
            raise NotFound("backup", backup_id) from error
        except ValueError as error:
            raise BackupUnusable(backup_id, "its manifest is damaged, or written by a newer version") from error
        if found.id != backup_id or found.format > FORMAT:
            raise BackupUnusable(backup_id, "its manifest is another one's, or written by a newer version")
        return found

    def _newest(self, origin: str) -> BackupManifest:
        newest: dict[str, BackupManifest] = {}
        for one in self.all():
            newest.setdefault(one.manifest.contents.origin, one.manifest)
        if not newest:
            raise NotFound("backup", f"{NEWEST} in {self.url}")
        if origin and origin in newest:
            return newest[origin]
        if len(newest) > 1:
            ids = ", ".join(one.id for one in newest.values())
            raise BadRequest(
                NEWEST, f"backups of several platforms are in {self.url}; say which of their newest: {ids}"
            )
        return next(iter(newest.values()))

    def keep(self, manifest: BackupManifest, packed: Path) -> None:
        """Store a packed ledger, and then its manifest. What fails leaves no backup, and nothing of it."""
        self.check()
        name, told = _name(manifest.id, manifest.stored_as), _name(manifest.id, MANIFEST)
        try:
            self.files.put(name, packed, move=True)
            self.files.create(told, manifest.to_bytes())
        except BaseException:
            self._discard(told, name)  # a manifest never stays without its ledger
            raise

    def _discard(self, *names: str) -> None:
        try:
            for name in names:
                self.files.delete(name)
        except StorageUnreachable as error:
            logger.warning("half a backup is left there: %s", error)

    @contextmanager
    def fetched(self, manifest: BackupManifest) -> Iterator[Path]:
        """Provide a backup's file, whose size and checksum were compared.

        Raises:
            BackupUnusable: it is not there, cut off, or another one.
        """
        try:
            with self.files.local(_name(manifest.id, manifest.stored_as)) as path:
                there = digest_of(path)
                if there.size_bytes != manifest.stored.size_bytes:
                    wanted = manifest.stored.size_bytes
                    raise BackupUnusable(manifest.id, f"it has {there.size_bytes} bytes instead of {wanted}")
                if there.sha256 != manifest.stored.sha256:
                    raise BackupUnusable(manifest.id, "its checksum differs: it was damaged, or changed")
                yield path
        except NotStored as error:
            raise BackupUnusable(manifest.id, f"its file {manifest.stored_as} is not there") from error

    def note_drill(self, backup_id: str, report: DrillReport) -> None:
        """Store what a drill found beside the backup."""
        self.files.write(_name(backup_id, DRILL), to_json(report))

    def leftovers(self, *, before: datetime) -> list[str]:
        """Return the ids of folders without a manifest, left by killed processes before this moment."""
        folders: dict[str, set[str]] = {}
        for name in self.files.list(FOLDER):
            folder, _, last = name.rpartition("/")
            folders.setdefault(Path(folder).name, set()).add(last)
        stamp = id_of(before)
        return [one for one, there in folders.items() if ID.fullmatch(one) and MANIFEST not in there and one < stamp]

    def remove(self, backup_id: str) -> None:
        """Delete a backup, its manifest first."""
        self.files.delete(_name(backup_id, MANIFEST))
        self.files.delete(f"{FOLDER}/{backup_id}/")


def id_of(moment: datetime) -> str:
    """Return the id of a backup of this moment: its UTC time to the millisecond."""
    return f"{moment:%Y%m%dT%H%M%S}{moment.microsecond // 1000:03d}Z"


def _name(backup_id: str, last: str) -> str:
    return f"{FOLDER}/{backup_id}/{last}"
