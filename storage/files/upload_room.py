"""How much disk space open uploads reserve, and how much of it one person may."""

import shutil
import time
from dataclasses import dataclass

from storage.domain.errors import RoomReserved
from storage.files.upload_store import ABANDONED_AFTER_S, ROOM_TO_SPARE_BYTES, Upload, UploadStore, raise_if_no_room


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """What some open uploads have still to receive.

    If nothing arrives, all of them end within `free_in_s`.
    """

    to_come_bytes: int
    free_in_s: float


def reserved(shelf: UploadStore, *, by: str | None = None, but: str | None = None) -> Reserved:
    """Return what this owner's uploads reserve, or everybody's `but` one's."""
    open_ones = [
        (upload, to_come)
        for upload in shelf.unsettled()
        if not upload.parts and by in {None, upload.owner_id} and upload.owner_id != but
        if (to_come := upload.length_bytes - shelf.offset(upload)) > 0
    ]
    last_touched = max((shelf.touched_s(upload) for upload, _ in open_ones), default=0.0)
    free_in_s = max(0.0, last_touched + ABANDONED_AFTER_S - time.time()) if open_ones else 0.0
    return Reserved(to_come_bytes=sum(to_come for _, to_come in open_ones), free_in_s=free_in_s)


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
    own = reserved(shelf, by=upload.owner_id)
    if own.to_come_bytes + length > share * free and length <= free:
        raise RoomReserved(upload.name, length, own.to_come_bytes, int(share * free), own.free_in_s, whose="your")
    others = reserved(shelf, but=upload.owner_id)
    if own.to_come_bytes + length <= free < own.to_come_bytes + length + others.to_come_bytes:
        room = max(0, free - own.to_come_bytes)
        raise RoomReserved(upload.name, length, others.to_come_bytes, room, others.free_in_s, whose="other people's")
    raise_if_no_room(shelf.folder, length, upload.name, promised_bytes=own.to_come_bytes + others.to_come_bytes)


def _free(shelf: UploadStore) -> int:
    return max(shutil.disk_usage(shelf.folder).free - ROOM_TO_SPARE_BYTES, 0)
