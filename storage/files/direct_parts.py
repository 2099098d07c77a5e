"""Recordings whose parts clients send straight to the bucket, by addresses that are signed here.

An upload is one object of the folder `incoming`, until it is a recording. Each address is for one part, of its exact
size.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from storage.domain import names
from storage.domain.clock import utc_now
from storage.domain.errors import NotStored, PartsMissing, StorageUnreachable, TranscriberError
from storage.domain.settings import StorageSettings
from storage.files import s3_transfers
from storage.files.s3_bucket import Bucket
from storage.files.upload_store import DirectUpload, Upload, UploadStore

SMALLEST_PART_BYTES = 16 << 20
MOST_PARTS = 10_000
VALID_S = 3600
ABANDONED_AFTER = timedelta(hours=24)


class DirectParts:
    """The uploads in one bucket, which clients may reach at an address of their own.

    Where they are `offered` no more, those that were begun before are still finished or deleted.
    """

    def __init__(
        self,
        url: str,
        endpoint_url: str | None,
        public_endpoint_url: str | None = None,
        *,
        offered: bool = True,
        smallest_part_bytes: int = SMALLEST_PART_BYTES,
    ) -> None:
        self.offered = offered
        self._bucket = Bucket(url, endpoint_url)
        self._signer = Bucket(url, public_endpoint_url) if public_endpoint_url else self._bucket
        self._smallest_part_bytes = smallest_part_bytes

    @classmethod
    def from_settings(cls, settings: StorageSettings) -> Self | None:
        """Return the uploads of the configured storage; None if that is no bucket."""
        if not settings.root_url.startswith(("s3://", "s3a://")):
            return None
        places = (settings.storage_endpoint_url, settings.direct_uploads_endpoint_url)
        return cls(settings.root_url, *places, offered=settings.direct_uploads)

    @cached_property
    def origin(self) -> str:
        """Where clients send parts, such as https://bucket.example.org; empty if they can send none."""
        if not self.offered:
            return ""
        try:
            url = self._signer.signed_url("upload_part", names.INCOMING, valid_s=1, UploadId="-", PartNumber=1)
        except TranscriberError:
            return ""
        return "{0.scheme}://{0.netloc}".format(urlsplit(url))

    def begin(self, ident: str, length_bytes: int, sha256: str | None) -> DirectUpload:
        """Begin an upload of this length."""
        answer = self._bucket.request("create_multipart_upload", names.incoming_name(ident))
        part_bytes = max(self._smallest_part_bytes, -(-length_bytes // MOST_PARTS))
        return DirectUpload(multipart_id=str(answer["UploadId"]), part_bytes=part_bytes, sha256=sha256)

    def signed(self, upload: Upload, numbers: Sequence[int]) -> dict[int, str]:
        """Return the address to which each of these parts is sent, by PUT."""
        sizes, direct = part_sizes(upload), _direct(upload)
        return {
            number: self._signer.signed_url(
                "upload_part",
                names.incoming_name(upload.id),
                valid_s=VALID_S,
                UploadId=direct.multipart_id,
                PartNumber=number,
                ContentLength=sizes[number],
            )
            for number in numbers
        }

    def arrived(self, upload: Upload) -> dict[int, str]:
        """Return the ETags of the parts that are in the bucket with their right sizes.

        Raises:
            NotStored: the bucket does not know the upload, or no longer.
        """
        sizes = part_sizes(upload)
        whole = (part for part in self._parts(upload) if part["Size"] == sizes.get(part["PartNumber"]))
        return {part["PartNumber"]: part["ETag"] for part in whole}

    def _parts(self, upload: Upload) -> Iterator[dict[str, Any]]:
        name, ident = names.incoming_name(upload.id), _direct(upload).multipart_id
        ask = partial(self._bucket.request, "list_parts", name, UploadId=ident)
        for page in s3_transfers.pages(ask, "PartNumberMarker"):
            yield from page.get("Parts", ())

    def complete(self, upload: Upload) -> None:
        """Make one object of the parts; once it is, this does nothing.

        Raises:
            PartsMissing: some have not arrived; those that have stay.
        """
        name = names.incoming_name(upload.id)
        if self._bucket.size(name) == upload.length_bytes:
            return
        try:
            etags = self.arrived(upload)
        except NotStored:
            etags = {}
        missing = tuple(number for number in part_sizes(upload) if number not in etags)
        if missing:
            raise PartsMissing(upload.id, missing)
        parts = [{"PartNumber": number, "ETag": etags[number]} for number in sorted(etags)]
        multipart = {"UploadId": _direct(upload).multipart_id, "MultipartUpload": {"Parts": parts}}
        with suppress(NotStored):  # its answer was late or lost, and it was asked again; the size decides
            self._bucket.request("complete_multipart_upload", name, **multipart)
        if self._bucket.size(name) != upload.length_bytes:
            raise PartsMissing(upload.id, tuple(part_sizes(upload)))

    def keep(self, upload: Upload, target: str) -> None:
        """Copy the object, within the bucket, to its place as a recording, unless that exists."""
        if self._bucket.size(target) is None:
            self._bucket.copy(names.incoming_name(upload.id), target)

    def forget(self, upload: Upload) -> None:
        """Abort the upload, and delete what has arrived."""
        self.abort(upload)
        self._bucket.delete(names.incoming_name(upload.id))

    def abort(self, upload: Upload) -> None:
        """Abort the upload, which deletes its parts; a completed object stays."""
        self._abort(names.incoming_name(upload.id), _direct(upload).multipart_id)

    def _abort(self, name: str, multipart_id: str) -> None:
        try:
            self._bucket.request("abort_multipart_upload", name, UploadId=multipart_id)
        except NotStored:
            return

    def fetch(self, upload: Upload, target: Path) -> None:
        """Write the object to a local file."""
        self._bucket.get(names.incoming_name(upload.id), target)

    def sweep(self, is_open: Callable[[str], bool], *, older_than: timedelta = ABANDONED_AFTER) -> int:
        """Delete old uploads that are not open any more, and return their number."""
        before, gone = utc_now() - older_than, 0
        for ident, multipart_id in list(self.begun(before)):
            if not is_open(ident):
                self._abort(names.incoming_name(ident), multipart_id)
                gone += 1
        for ident in list(self._whole(before)):
            if not is_open(ident):
                self._bucket.delete(names.incoming_name(ident))
                gone += 1
        return gone

    def begun(self, before: datetime) -> Iterator[tuple[str, str]]:
        """Yield the open uploads begun before then, with their multipart ids."""
        ask = partial(self._bucket.listing, "list_multipart_uploads", names.INCOMING)
        for each in s3_transfers.open_uploads(ask):
            if each["Initiated"] < before:
                yield _ident_of(each["Key"]), each["UploadId"]

    def _whole(self, before: datetime) -> Iterator[str]:
        ask = partial(self._bucket.listing, "list_objects_v2", names.INCOMING)
        for page in s3_transfers.pages(ask, "ContinuationToken"):
            yield from (_ident_of(each["Key"]) for each in page.get("Contents", ()) if each["LastModified"] < before)


def remove(shelf: UploadStore, upload: Upload, direct: DirectParts | None) -> None:
    """Delete an upload and its bytes.

    If the bucket does not answer, the sweep deletes those there.
    """
    if upload.direct and direct is not None and not upload.settled:
        with suppress(StorageUnreachable):
            direct.forget(upload)
    shelf.remove(upload.id)


def part_sizes(upload: Upload) -> dict[int, int]:
    """Return the size of each part by its number; the last may be smaller."""
    part_bytes, left = _direct(upload).part_bytes, upload.length_bytes
    starts = range(0, left, part_bytes)
    return {number: min(part_bytes, left - start) for number, start in enumerate(starts, 1)}


def _direct(upload: Upload) -> DirectUpload:
    assert upload.direct is not None  # noqa: S101 - only such uploads are handed to this module
    return upload.direct


def _ident_of(key: str) -> str:
    return key.rpartition("/")[2]
