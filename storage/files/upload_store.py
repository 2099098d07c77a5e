"""Uploads in progress on disk: a small JSON file each, and the bytes received.

The length of the bytes is the offset. No state is kept in memory, so a killed process loses nothing. Finished or
refused uploads keep their JSON file for a while, so that a client that missed the answer can ask again.
"""

import errno
import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from storage.domain.errors import NotFound, StorageFull
from storage.domain.records import Lane, Options, from_json, to_json

IDENT = re.compile(r"[0-9a-f]{32}")
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
COPY_BYTES = 64 << 20
ABANDONED_AFTER_S = 24 * 3600.0
FORM = ".form"
"""Suffix of a form in progress, which lives as long as its request."""
ROOM_TO_SPARE_BYTES = 64 << 20
"""Disk space that uploads leave free, since the ledger needs it too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a finished upload became no job; `message` is stored as `job_messages.encode` returns it."""

    status: int
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlSource:
    """The address that an upload's bytes are got from.

    Times are seconds since the epoch; after `until_s` it is given up. `validator` says which state of the recording the
    bytes are of; `tries` counts failures since the last bytes.
    """

    url: str
    until_s: float
    validator: str | None = None
    tries: int = 0
    next_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class InputDescription:
    """What a client says of a recording without a header; see `storage.media.headerless`."""

    format: str
    rate_hz: int
    channels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectUpload:
    """An upload whose parts go straight to the bucket.

    `multipart_id` is the bucket's own id of it; once it is `complete` there, the parts are one object. `sha256` is what
    the client says the checksum is.
    """

    multipart_id: str
    part_bytes: int
    sha256: str | None = None
    complete: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One upload: its owner, length and outcome.

    A `partial` upload is a part of another; a whole one may list the `parts` that it is assembled from, with their
    lengths in bytes. The length of a `deferred` one is not known yet, and 0. `metadata` is what the client sent, of
    which `job_metadata` stays with the job. A recording without a header is stored with one, which makes `stored_bytes`
    of it. `key` is the idempotency key that the client gave, if it gave one.
    """

    id: str
    owner_id: str
    length_bytes: int
    name: str
    options: Options
    lane: Lane
    tags: tuple[str, ...] = ()
    job_metadata: dict[str, str] = field(default_factory=dict, hash=False)
    input: InputDescription | None = None
    partial: bool = False
    deferred: bool = False
    metadata: str = ""
    parts: tuple[tuple[str, int], ...] = ()
    used: bool = False
    api_key_id: str | None = None
    sha256: str | None = None
    stored_bytes: int | None = None
    job_id: str | None = None
    refusal: Refusal | None = None
    source: UrlSource | None = None
    direct: DirectUpload | None = None
    key: str | None = None

    @property
    def settled(self) -> bool:
        return self.used or self.job_id is not None or self.refusal is not None


def new_ident() -> str:
    return uuid4().hex


def ident_of(owner_id: str, key: str) -> str:
    """Return the id of the upload that an account makes with an idempotency key."""
    return hashlib.sha256(f"{owner_id}/{key}".encode()).hexdigest()[:32]


class UploadStore:
    """The folder of uploads in progress."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._settled: set[str] = set()  # ids, as far as this process has met them; what is settled stays so
        folder.mkdir(parents=True, exist_ok=True)

    def data(self, ident: str) -> Path:
        """Return the path of the bytes."""
        return self.folder / f"{ident}.part"

    def _note(self, ident: str) -> Path:
        return self.folder / f"{ident}.json"

    def save(self, upload: Upload) -> Upload:
        """Store the upload's state atomically.

        Raises:
            StorageFull: the disk is full.
        """
        fresh = self._note(upload.id).with_suffix(f".{uuid4().hex[:8]}.new")
        self._settled.discard(upload.id)  # an idempotency key can bring a deleted one's id back
        try:
            fresh.write_bytes(to_json(upload))
            fresh.replace(self._note(upload.id))
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise_if_full(error, upload.name)
            raise
        return upload

    def load(self, ident: str, owner_id: str | None = None) -> Upload:
        """Return an upload, optionally only of this owner.

        Raises:
            NotFound: there is none, or it belongs to another user.
        """
        try:
            if not IDENT.fullmatch(ident):
                raise FileNotFoundError
            upload = from_json(Upload, self._note(ident).read_bytes())
        except (FileNotFoundError, ValueError):
            raise NotFound("upload", ident) from None
        if owner_id not in {None, upload.owner_id}:
            raise NotFound("upload", ident)
        return upload

    def exists(self, ident: str) -> bool:
        return self._note(ident).exists()

    def offset(self, upload: Upload) -> int:
        """Return the number of bytes received, which is the file's length on disk.

        A file that has been given its header is longer, and whole.
        """
        if upload.settled:
            return upload.length_bytes
        try:
            size_bytes = self.data(upload.id).stat().st_size
            return size_bytes if upload.input is None or upload.deferred else min(size_bytes, upload.length_bytes)
        except FileNotFoundError:
            return upload.length_bytes if upload.sha256 else 0

    def outstanding_bytes(self) -> int:
        """Return the bytes that all uploads still have to receive; parts count, not the whole."""
        open_ones = (upload for upload in self.unsettled() if not upload.parts)
        return sum(max(upload.length_bytes - self.offset(upload), 0) for upload in open_ones)

    def free_bytes(self) -> int:
        """Return the largest upload that fits now: free space minus reserved space."""
        free = shutil.disk_usage(self.folder).free - self.outstanding_bytes() - ROOM_TO_SPARE_BYTES
        return max(free, 0)

    def whole(self, upload: Upload) -> bool:
        return not upload.deferred and self.offset(upload) == upload.length_bytes

    def unfinished(self, upload: Upload) -> bool:
        """Return whether bytes have yet to come.

        A part that has all of its own waits for the others.
        """
        if upload.settled or upload.parts:
            return False
        return upload.partial or not self.whole(upload)

    def remove(self, ident: str) -> None:
        """Delete the upload and its bytes."""
        self.data(ident).unlink(missing_ok=True)
        self._note(ident).unlink(missing_ok=True)

    def touch(self, ident: str) -> None:
        """Note that a client goes on with an upload whose bytes do not come here."""
        with suppress(FileNotFoundError):
            os.utime(self._note(ident))

    def is_open(self, ident: str) -> bool:
        """Return whether an upload with this id is neither a job nor refused."""
        try:
            return not self.load(ident).settled
        except NotFound:
            return False

    def note_complete(self, ident: str) -> Upload:
        """Store that all parts of an upload are one object in the bucket."""
        upload = self.load(ident)
        if upload.settled or upload.direct is None:
            return upload
        return self.save(replace(upload, direct=replace(upload.direct, complete=True)))

    def all(self) -> Iterator[Upload]:
        """Yield every upload that has a JSON file."""
        for ident in self._idents():
            with suppress(NotFound):
                yield self.load(ident)

    def unsettled(self) -> Iterator[Upload]:
        """Yield the uploads that are neither a job nor refused.

        Settled ones stay for a day: their JSON files are not read again.
        """
        for ident in self._idents():
            if ident in self._settled:
                continue
            with suppress(NotFound):
                upload = self.load(ident)
                if upload.settled:
                    self._settled.add(ident)
                else:
                    yield upload

    def _idents(self) -> list[str]:
        return sorted(path.stem for path in self.folder.glob("*.json"))

    def count(self) -> int:
        return sum(1 for _ in self.folder.glob("*.json"))

    def put_together(self, upload: Upload) -> None:
        """Join the parts into the whole; after a crash it continues where it stopped.

        The first part is renamed, the others are copied within the file system. The length of the whole on disk shows
        how much has been joined. Parts keep their JSON files until they are swept.

        Raises:
            StorageFull: the disk is full; what is joined stays.
        """
        whole, done_bytes = self.data(upload.id), 0
        for number, (ident, length_bytes) in enumerate(upload.parts):
            part = self.data(ident)
            if number == 0 and not whole.exists():
                part.rename(whole)
            have = whole.stat().st_size
            if have < done_bytes + length_bytes:
                try:
                    _append(part, whole, skip_bytes=have - done_bytes)
                except OSError as error:
                    raise_if_full(error, upload.name)
                    raise
            done_bytes += length_bytes
            part.unlink(missing_ok=True)

    def sweep(self, *, older_than_s: float = ABANDONED_AFTER_S) -> int:
        """Delete uploads that were not touched for this long; return their number."""
        before, gone = time.time() - older_than_s, 0
        for path in self.folder.iterdir():
            if not path.is_file() or self._touched(path) > before:
                continue
            gone += path.suffix == ".json"
            path.unlink(missing_ok=True)
        return gone

    def drop_forms(self) -> int:
        """Delete what a process that died had received of forms; return their number.

        Call it before requests are served: nobody can continue a form.
        """
        left = list(self.folder.glob(f"*{FORM}"))
        for path in left:
            path.unlink(missing_ok=True)
        return len(left)

    def touched_s(self, upload: Upload) -> float:
        """Return when bytes last arrived, in seconds since the epoch."""
        return self._touched(self.data(upload.id))

    def _touched(self, path: Path) -> float:
        """Return the later modification time of an upload's bytes and JSON file."""
        times = [0.0]
        for sibling in (path, path.with_suffix(".json"), path.with_suffix(".part")):
            try:
                times.append(sibling.stat().st_mtime)
            except FileNotFoundError:
                continue
        return max(times)


def _append(part: Path, whole: Path, *, skip_bytes: int) -> None:
    with part.open("rb") as source, whole.open("r+b") as sink:
        sink.seek(0, os.SEEK_END)
        source.seek(skip_bytes)
        left = part.stat().st_size - skip_bytes
        while left > 0:
            try:
                moved = os.copy_file_range(source.fileno(), sink.fileno(), min(left, COPY_BYTES))
            except OSError as error:
                if error.errno not in {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}:
                    raise
                moved = os.sendfile(sink.fileno(), source.fileno(), None, min(left, COPY_BYTES))
            left -= moved


def raise_if_no_room(place: Path | int, size_bytes: int, name: str, *, promised_bytes: int = 0) -> None:
    """Check that these bytes leave enough free space on the disk.

    Raises:
        StorageFull: they do not.
    """
    free = max(shutil.disk_usage(place).free - promised_bytes - ROOM_TO_SPARE_BYTES, 0)
    if free < size_bytes:
        raise StorageFull(name, f"{free >> 20} MiB are free for it and it needs {size_bytes >> 20} MiB")


def write_all(sink: BinaryIO, block: bytes, name: str) -> None:
    """Write all bytes to a file, past its buffer.

    Raises:
        StorageFull: the disk is full.
    """
    view = memoryview(block)
    try:
        while view:
            view = view[os.write(sink.fileno(), view) :]
    except OSError as error:
        raise_if_full(error, name)
        raise


def raise_if_full(error: OSError, name: str) -> None:
    """Raise our own error if the disk is full.

    Raises:
        StorageFull: it is full.
    """
    if error.errno in NO_ROOM:
        raise StorageFull(name, os.strerror(error.errno)) from error
