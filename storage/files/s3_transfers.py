"""Large objects of S3: reads in ranges, copies in parts, abandoned parts.

s3fs would hold half a gigabyte of a large object in memory, gives up when one body breaks off, and leaves the parts of
a copy behind when that fails.
"""

import errno
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast

from storage.domain.errors import NotStored

CONCURRENCY = 4
WHOLE_COPY_BYTES = 1 << 30
"""A larger object is copied in parts: a service answers a copy when it is done, and a client waits a minute at most."""
COPY_PART_BYTES = 256 << 20
MOST_WHOLE_COPY_BYTES = 5 << 30
COPIES_NO_PARTS = "the service copies no parts"
SHORTER = "it was shorter than its size said; it may have changed while it was read"
CHANGED = "it is another one now; it may have changed while it was read"
NOT_COPIED = "the service no longer knew the copy, though what is to be copied is there"


def read_in_ranges(
    fs: Any, path: str, target: Path, *, size_bytes: int, chunk_bytes: int, etag: str | None = None
) -> None:
    """Write an object to a file, some ranges at a time.

    A range whose body breaks off is asked for again. With an ETag, all ranges are of that version, unless it is a weak
    one, which a proxy may have made and no condition fits.
    """
    together = CONCURRENCY * chunk_bytes
    fetch = partial(_range, fs, path, size_bytes=size_bytes, chunk_bytes=chunk_bytes, etag=etag)
    with target.open("wb") as file, ThreadPoolExecutor(CONCURRENCY) as pool:
        for begin in range(0, size_bytes, together):
            for piece in pool.map(fetch, range(begin, min(begin + together, size_bytes), chunk_bytes)):
                file.write(piece)
        if file.tell() != size_bytes:
            raise OSError(errno.EIO, SHORTER, path)


def _range(fs: Any, path: str, start: int, *, size_bytes: int, chunk_bytes: int, etag: str | None) -> bytes:
    from s3fs.core import _fetch_range  # `cat_ranges` takes no condition

    (bucket, key, _), condition = fs.split_path(path), {"IfMatch": etag} if etag and not etag.startswith("W/") else {}
    end = min(start + chunk_bytes, size_bytes)
    try:
        return cast(bytes, _fetch_range(fs, bucket, key, None, start, end, req_kw=condition))
    except OSError as error:
        if _status(error) == HTTPStatus.PRECONDITION_FAILED:
            raise OSError(errno.EIO, CHANGED, path) from error
        raise


def _status(error: OSError) -> int | None:
    """Return the status of the answer that s3fs made this error of."""
    answer = getattr(error.__cause__, "response", None) or {}
    return cast("int | None", answer.get("ResponseMetadata", {}).get("HTTPStatusCode"))


def head(fs: Any, path: str) -> dict[str, Any]:
    """Return what the service says of an object.

    Raises:
        FileNotFoundError: there is none.
    """
    bucket, key, _ = fs.split_path(path)
    found = fs.call_s3("head_object", Bucket=bucket, Key=key)
    told = {"type": "file", "size": found["ContentLength"]}
    return told | {each: found[each] for each in ("ETag", "LastModified") if each in found}


def _head_or_none(fs: Any, path: str) -> dict[str, Any] | None:
    try:
        return head(fs, path)
    except FileNotFoundError:
        return None


@contextmanager
def answered_late(fs: Any, path: str, size_bytes: int) -> Iterator[None]:
    """Take an upload in parts for done if its object is there.

    Putting many parts together takes a service minutes. A client that asks again, because the answer was late or lost,
    hears that there is no such upload: then it is an object.
    """
    before = _head_or_none(fs, path)
    try:
        yield
    except FileNotFoundError:
        now = _head_or_none(fs, path)
        if now is None or now == before or now["size"] != size_bytes:
            raise


def copy(fs: Any, source: str, target: str, *, size_bytes: int, whole_bytes: int, part_bytes: int) -> None:
    """Copy an object within the service; nothing of a copy that fails is left.

    Raises:
        FileNotFoundError: there is no such object; while there is one, another OSError tells of what fails.
    """
    try:
        _copy(fs, source, target, size_bytes=size_bytes, whole_bytes=whole_bytes, part_bytes=part_bytes)
    except FileNotFoundError as error:
        if _head_or_none(fs, source) is None:
            raise
        raise OSError(errno.EAGAIN, NOT_COPIED, target) from error


def _copy(fs: Any, source: str, target: str, *, size_bytes: int, whole_bytes: int, part_bytes: int) -> None:
    if size_bytes <= whole_bytes:
        fs.cp_file(source, target)
        return
    try:
        _copy_in_parts(fs, source, target, size_bytes=size_bytes, part_bytes=part_bytes)
    except OSError as error:
        if error.errno != errno.ENOSYS or size_bytes > MOST_WHOLE_COPY_BYTES:
            raise
        fs.cp_file(source, target)


def _copy_in_parts(fs: Any, source: str, target: str, *, size_bytes: int, part_bytes: int) -> None:
    (bucket, key, _), (from_bucket, from_key, _) = fs.split_path(target), fs.split_path(source)
    place = {"Bucket": bucket, "Key": key}
    upload = place | {"UploadId": fs.call_s3("create_multipart_upload", **place)["UploadId"]}
    try:
        parts = []
        for number, start in enumerate(range(0, size_bytes, part_bytes), 1):
            answer = fs.call_s3(
                "upload_part_copy",
                **upload,
                PartNumber=number,
                CopySource={"Bucket": from_bucket, "Key": from_key},
                CopySourceRange=f"bytes={start}-{min(start + part_bytes, size_bytes) - 1}",
            )
            if "ETag" not in answer.get("CopyPartResult", ()):  # rclone takes it for a part without bytes
                raise OSError(errno.ENOSYS, COPIES_NO_PARTS, target)
            parts.append({"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]})
        with answered_late(fs, target, size_bytes):
            fs.call_s3("complete_multipart_upload", **upload, MultipartUpload={"Parts": parts})
    except BaseException:
        with suppress(Exception):  # if the service is away, the sweep aborts it; what failed first is told
            fs.call_s3("abort_multipart_upload", **upload)
        raise


def abort_uploads(fs: Any, base: str, *, before: datetime, folders: Iterable[str]) -> int:
    """Abort uploads that killed processes left in these folders; return their number."""
    bucket, prefix, _ = fs.split_path(f"{base}/")
    ours = tuple(f"{prefix}{folder}/" for folder in folders)
    found = open_uploads(partial(fs.call_s3, "list_multipart_uploads", Bucket=bucket, Prefix=prefix))
    old = [each for each in found if each["Initiated"] < before and each["Key"].startswith(ours)]
    for each in old:
        with suppress(FileNotFoundError):
            fs.call_s3("abort_multipart_upload", Bucket=bucket, Key=each["Key"], UploadId=each["UploadId"])
    return len(old)


def open_uploads(ask: Callable[..., dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the open uploads of a listing."""
    with suppress(FileNotFoundError, NotStored):  # rclone says so where no upload is open
        for page in pages(ask, "KeyMarker", "UploadIdMarker"):
            yield from page.get("Uploads", ())


def pages(ask: Callable[..., dict[str, Any]], *markers: str) -> Iterator[dict[str, Any]]:
    """Yield the pages of a listing, each asked for by the one before.

    Some services leave out the second marker.
    """
    after: dict[str, Any] = {}
    while True:
        page = ask(**after)
        yield page
        if not page.get("IsTruncated"):
            return
        after = {markers[0]: page[f"Next{markers[0]}"]}
        after |= {marker: page[f"Next{marker}"] for marker in markers[1:] if page.get(f"Next{marker}")}
