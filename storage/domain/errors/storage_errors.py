"""Errors about file storage and the ledger."""

from storage.domain.durations import roughly
from storage.domain.errors.base_error import TranscriberError
from storage.domain.translation import gettext as _
from storage.domain.translation import marked

MOST_NAMED = 20
WHOSE = (marked("your"), marked("other people's"))
"""Whose uploads `RoomReserved` is about."""


def _mib(size_bytes: int) -> str:
    return _("{size_bytes:,.1f} MiB", size_bytes=size_bytes / 2**20)


class StorageFull(TranscriberError):
    """The disk or bucket is full; nothing was half-written."""

    status, code, transient = 507, "storage_full", True

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name, self.reason = name, reason

    def __str__(self) -> str:
        return _(
            "storage could not store {name} ({reason}); free some space, then try again",
            name=self.name,
            reason=self.reason,
        )


class DirectUploadsOff(TranscriberError):
    """Recordings cannot be sent straight to the bucket here."""

    status, code = 404, "direct_uploads_off"

    def __str__(self) -> str:
        return _("recordings do not go straight to the bucket here; send them to /uploads")


class PartsMissing(TranscriberError):
    """An upload cannot be completed: the bucket lacks some of its parts."""

    status, code = 409, "parts_missing"

    def __init__(self, ident: str, missing: tuple[int, ...]) -> None:
        super().__init__(ident, missing)
        self.ident, self.missing = ident, missing

    def __str__(self) -> str:
        numbers = ", ".join(map(str, self.missing[:MOST_NAMED])) + (", …" if len(self.missing) > MOST_NAMED else "")
        return _(
            "parts of upload {ident} are not in the bucket, or have another size: {numbers}; send them, then "
            "complete it again",
            ident=self.ident,
            numbers=numbers,
        )


class ChecksumDiffers(TranscriberError):
    """The bytes that arrived are not those that the client described."""

    status, code = 422, "checksum_differs"

    def __init__(self, name: str, stated: str, found: str) -> None:
        super().__init__(name, stated, found)
        self.name, self.stated, self.found = name, stated, found

    def __str__(self) -> str:
        return _(
            "{name} arrived with the SHA-256 {found} instead of {stated}; send it again",
            name=self.name,
            found=self.found,
            stated=self.stated,
        )


class DiskNearlyFull(TranscriberError):
    """A disk has less free space than is spared for what is in progress."""

    status, code, transient = 507, "disk_nearly_full", True

    def __init__(self, folder: str, free_bytes: int, spare_bytes: int) -> None:
        super().__init__(folder, free_bytes, spare_bytes)
        self.folder, self.free_bytes, self.spare_bytes = folder, free_bytes, spare_bytes

    def __str__(self) -> str:
        return _(
            "nothing new is accepted: the disk has {free} free, and {spare} are kept for what is in progress; "
            "try again later, or ask an administrator to free some space",
            free=_mib(self.free_bytes),
            spare=_mib(self.spare_bytes),
        )


class RoomReserved(TranscriberError):
    """Open uploads reserve the disk space that a new one needs."""

    status, code, transient = 507, "room_reserved", True

    def __init__(  # noqa: PLR0917 - an error's arguments are what it says
        self, name: str, needs_bytes: int, reserved_bytes: int, room_bytes: int, free_in_s: float, whose: str
    ) -> None:
        super().__init__(name, needs_bytes, reserved_bytes, room_bytes, free_in_s, whose)
        self.name, self.needs_bytes, self.reserved_bytes = name, needs_bytes, reserved_bytes
        self.room_bytes, self.free_in_s, self.whose = room_bytes, free_in_s, whose

    def __str__(self) -> str:
        needs, reserved, room = map(_mib, (self.needs_bytes, self.reserved_bytes, self.room_bytes))
        if not self.reserved_bytes:
            return _(
                "{name} needs {needs}, and one person's uploads may take {room} of the free space; upload a smaller "
                "file, or ask an administrator (TRANSCRIBER_UPLOAD_SHARE)",
                name=self.name,
                needs=needs,
                room=room,
            )
        step = _("finish or delete them") if self.whose == "your" else _("try again later")
        return _(
            "{name} needs {needs}, but {whose} open uploads reserve {reserved} of {room}; {step}, or wait: they end "
            "if nothing arrives for {free_in_s}",
            name=self.name,
            needs=needs,
            whose=_(self.whose),
            reserved=reserved,
            room=room,
            step=step,
            free_in_s=roughly(self.free_in_s),
        )


class StorageUnreachable(TranscriberError):
    """The storage root did not answer."""

    status, code, transient = 503, "storage_unreachable", True

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name, self.reason = name, reason

    def __str__(self) -> str:
        return _(
            "storage did not answer for {name} ({reason}); check TRANSCRIBER_STORAGE_URL and its service",
            name=self.name,
            reason=self.reason,
        )


class NotStored(TranscriberError):
    """No object of this name is on storage."""

    status, code = 404, "not_stored"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return _(
            "{name} is not on storage; it was deleted, or TRANSCRIBER_STORAGE_URL points elsewhere", name=self.name
        )


class AlreadyStored(TranscriberError):
    """An object of this name is on storage already, and is not replaced."""

    status, code = 409, "already_stored"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return _(
            "{name} is on storage already and is never overwritten; run `transcriber admin rebuild`", name=self.name
        )


class LedgerHeld(TranscriberError):
    """Another process has the DuckDB file open."""

    status, code, transient = 503, "ledger_held", True

    def __init__(self, path: str, holder: str) -> None:
        super().__init__(path, holder)
        self.path, self.holder = path, holder

    def __str__(self) -> str:
        return _(
            "{path} is in use by {holder}; stop it first, or use another folder (TRANSCRIBER_DATA_DIR)",
            path=self.path,
            holder=self.holder,
        )


class LedgerClosed(TranscriberError):
    """The process that owns the ledger is stopping."""

    status, code, transient = 503, "ledger_closed", True

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return _("{path} is being closed; try again when the web process is back", path=self.path)


class LedgerInvalid(TranscriberError):
    """DuckDB gave the open file up; it is opened again, and nothing committed is lost."""

    status, code, transient = 503, "ledger_invalid", True

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return _(
            "{path} has to be opened again ({reason}); check the disk's health and space, and try again",
            path=self.path,
            reason=self.reason,
        )


class LedgerUnreadable(TranscriberError):
    """The DuckDB file is damaged, is something else, or was written by a newer version."""

    code = "ledger_unreadable"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return _(
            "{path} cannot be used ({reason}); if it is damaged, restore a backup with `transcriber admin restore`, "
            "or move it away and rebuild it with `transcriber admin rebuild`",
            path=self.path,
            reason=self.reason,
        )


class LedgerNewer(LedgerUnreadable):
    """The DuckDB file was written by a newer version of the program."""

    code = "ledger_newer"

    def __init__(self, path: str, has: int, knows: int, backup: str | None = None) -> None:
        super().__init__(path, f"its schema is version {has}")
        self.args = (path, has, knows, backup)
        self.has, self.knows, self.backup = has, knows, backup

    def __str__(self) -> str:
        undo = (
            _(
                "`transcriber admin restore {backup}`, the copy that the update made before it changed anything",
                backup=self.backup,
            )
            if self.backup
            else _("`transcriber admin restore` and a backup that is older than the update")
        )
        return _(
            "{path} was written by a newer version of Whisper Transcriber (its schema is version {has}, this program "
            "knows up to {knows}), and was not changed; start that version again, or go back with {undo}",
            path=self.path,
            has=self.has,
            knows=self.knows,
            undo=undo,
        )


class NoLedger(TranscriberError):
    """The data dir has no ledger, or one that was never used."""

    status, code = 404, "no_ledger"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return _(
            "{path} {reason}; set TRANSCRIBER_DATA_DIR to the data dir of the platform",
            path=self.path,
            reason=self.reason,
        )


class LedgerUnreachable(TranscriberError):
    """The web process, which owns the ledger, did not answer in time."""

    status, code, transient = 503, "ledger_unreachable", True

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url, self.reason = url, reason

    def __str__(self) -> str:
        return _(
            "the web process at {url} did not answer ({reason}); start it, or set TRANSCRIBER_WEB_URL",
            url=self.url,
            reason=self.reason,
        )


class LedgerNotCopied(TranscriberError):
    """The open ledger could not be copied for a backup."""

    code, transient = "ledger_not_copied", True

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return _("the ledger could not be copied ({reason}); the backup is tried again", reason=self.reason)


class BackupUnusable(TranscriberError):
    """A backup is damaged, or the key is not the one that opens it."""

    status, code = 422, "backup_unusable"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name, self.reason = name, reason

    def __str__(self) -> str:
        return _(
            "the backup {name} cannot be used ({reason}); `transcriber admin backups` lists the others",
            name=self.name,
            reason=self.reason,
        )


class BackupKeyWrong(BackupUnusable):
    """A backup is encrypted for another key; that says nothing of the backup."""

    code = "backup_key_wrong"


class BackupRunning(TranscriberError):
    """Another backup or drill of this ledger is running."""

    status, code, transient = 409, "backup_running", True

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return _("a backup or a drill is running in {path}; wait until it has ended", path=self.path)


class LegacyDatabaseUnreadable(TranscriberError):
    """The file is no database of the older application, or a damaged one."""

    status, code = 400, "legacy_database_unreadable"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return _(
            "{path} cannot be read as the older application's database ({reason}); name its SQLite file, and repair a "
            "damaged one first with `sqlite3 FILE .recover`",
            path=self.path,
            reason=self.reason,
        )
