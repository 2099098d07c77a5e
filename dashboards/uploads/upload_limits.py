"""Limits of every upload, however its bytes come: its length, and the room it reserves."""

import threading
from dataclasses import replace

from dashboards.runtime import context
from storage.domain.errors import EmptyUpload, UploadTooLarge
from storage.files.upload_room import raise_if_reserved
from storage.files.upload_store import Upload

_MAKING_ROOM = threading.Lock()


def check_length(length: int) -> None:
    """Check the length that a client announces.

    Raises:
        UploadTooLarge, EmptyUpload: such a recording is not accepted.
    """
    limit = context.settings().web.max_upload_bytes
    if length > limit:
        raise UploadTooLarge(length, limit)
    if length == 0:
        raise EmptyUpload("the recording")


def make_room(upload: Upload) -> bool:
    """Reserve space for a new upload, and store it.

    Returns False if the same creation, sent twice at once, was first.

    Raises:
        RoomReserved, StorageFull: there is no space for it.
    """
    shelf = context.current().shelf
    with _MAKING_ROOM:  # otherwise two uploads could reserve the same space
        if shelf.exists(upload.id) and not shelf.load(upload.id).refusal:
            return False
        raise_if_reserved(shelf, upload, share=context.settings().web.upload_share)
        if upload.direct is None:
            shelf.data(upload.id).touch()
        shelf.save(upload)
        return True


def reserve(upload: Upload, stored: int) -> Upload:
    """Store the length of a deferred upload, if there is room for the rest."""
    shelf = context.current().shelf
    with _MAKING_ROOM:
        rest = replace(upload, length_bytes=upload.length_bytes - stored)
        raise_if_reserved(shelf, rest, share=context.settings().web.upload_share)
        return shelf.save(upload)
