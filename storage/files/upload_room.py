"""How much disk space open uploads reserve, and how much of it one person may."""

import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from storage.domain.errors import RoomReserved
from storage.files.upload_store import ABANDONED_AFTER_S, ROOM_TO_SPARE_BYTES, Upload, UploadStore, raise_if_no_room


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """What some open uploads have still to receive.

    If nothing arrives, all of them end within `free_in_s`.
    """

    to_come_bytes: int
    free_in_s: float


def reserved(shelf: UploadStore, *, by: str) -> Reserved:
    """Return what this owner's open uploads reserve."""
    return _sum(unfinished for unfinished in _unfinished(shelf) if unfinished.owner_id == by)


def room_for(shelf: UploadStore, owner_id: str, *, share: float) -> int:
    """Return the largest upload that this person may begin now."""
    allowed = share * _free(shelf) - reserved(shelf, by=owner_id).to_come_bytes
    return max(0, min(int(allowed), shelf.free_bytes()))


def raise_if_reserved(shelf: UploadStore, upload: Upload, *, share: float) -> None:
    """Check that a new upload leaves room for other people, and has room itself.

    Raises:
        RoomReserved: the person's uploads, or other people's, reserve too much; says for how long.
        StorageFull: the disk is too full.
    """
    free, length = _free(shelf), upload.length_bytes
    unfinished = _unfinished(shelf)
    own = _sum(other for other in unfinished if other.owner_id == upload.owner_id)
    if own.to_come_bytes + length > share * free and length <= free:
        raise RoomReserved(upload.name, length, own.to_come_bytes, int(share * free), own.free_in_s, whose="your")
    others = _sum(other for other in unfinished if other.owner_id != upload.owner_id)
    if own.to_come_bytes + length <= free < own.to_come_bytes + length + others.to_come_bytes:
        room = max(0, free - own.to_come_bytes)
        raise RoomReserved(upload.name, length, others.to_come_bytes, room, others.free_in_s, whose="other people's")
    raise_if_no_room(shelf.folder, length, upload.name, promised_bytes=own.to_come_bytes + others.to_come_bytes)


class _Unfinished(NamedTuple):
    owner_id: str
    to_come_bytes: int
    touched_s: float


def _unfinished(shelf: UploadStore) -> list[_Unfinished]:
    """Return the open uploads whose bytes come through the server and are not all there."""
    return [
        _Unfinished(upload.owner_id, to_come, shelf.touched_s(upload))
        for upload in shelf.unsettled()
        if not upload.parts and (to_come := upload.length_bytes - shelf.offset(upload)) > 0
    ]


def _sum(unfinished: Iterable[_Unfinished]) -> Reserved:
    uploads = list(unfinished)
    free_at_s = max((upload.touched_s + ABANDONED_AFTER_S for upload in uploads), default=0.0)
    to_come_bytes = sum(upload.to_come_bytes for upload in uploads)
    return Reserved(to_come_bytes=to_come_bytes, free_in_s=max(0.0, free_at_s - time.time()))


def _free(shelf: UploadStore) -> int:
    return max(shutil.disk_usage(shelf.folder).free - ROOM_TO_SPARE_BYTES, 0)
