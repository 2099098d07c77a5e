"""Large objects of S3: reads in ranges, copies in parts, abandoned parts.

s3fs would hold half a gigabyte of a large object in memory, gives up when one body breaks off, and leaves the parts of
a copy behind when that fails.
"""

import errno
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

CONCURRENCY = 4
WHOLE_COPY_BYTES = 1 << 30
"""A larger object is copied in parts: a service answers a copy when it is done, and a client waits a minute at most."""
COPY_PART_BYTES = 256 << 20
MOST_WHOLE_COPY_BYTES = 5 << 30
COPIES_NO_PARTS = "the service copies no parts"
SHORTER = "it was shorter than its size said; it may have changed while it was read"


def read_in_ranges(fs: Any, path: str, target: Path, *, size_bytes: int, chunk_bytes: int) -> None:
    """Write an object to a file, some ranges at a time.

    A range whose body breaks off is asked for again.
    """
    together = CONCURRENCY * chunk_bytes
    with target.open("wb") as file:
        for begin in range(0, size_bytes, together):
            starts = list(range(begin, min(begin + together, size_bytes), chunk_bytes))
            ends = [min(start + chunk_bytes, size_bytes) for start in starts]
            for piece in fs.cat_ranges([path] * len(starts), starts, ends, on_error="raise"):
                file.write(piece)
        if file.tell() != size_bytes:
            raise OSError(errno.EIO, SHORTER, path)


def copy(fs: Any, source: str, target: str, *, size_bytes: int, whole_bytes: int, part_bytes: int) -> None:
    """Copy an object within the service; nothing of a copy that fails is left."""
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
        fs.call_s3("complete_multipart_upload", **upload, MultipartUpload={"Parts": parts})
    except BaseException:
        with suppress(OSError):  # if the service is away, the sweep aborts it
            fs.call_s3("abort_multipart_upload", **upload)
        raise


def abort_uploads(fs: Any, base: str, *, before: datetime, except_below: str) -> int:
    """Abort uploads that a killed process left below a root; return their number."""
    bucket, prefix, _ = fs.split_path(f"{base}/")
    old = [
        each
        for each in _open_uploads(fs, bucket, prefix)
        if each["Initiated"] < before and not each["Key"].startswith(f"{prefix}{except_below}/")
    ]
    for each in old:
        with suppress(FileNotFoundError):
            fs.call_s3("abort_multipart_upload", Bucket=bucket, Key=each["Key"], UploadId=each["UploadId"])
    return len(old)


def _open_uploads(fs: Any, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
    asked: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix}
    while True:
        try:
            page = fs.call_s3("list_multipart_uploads", **asked)
        except FileNotFoundError:  # rclone says so where no upload is open
            return
        yield from page.get("Uploads", ())
        if not page.get("IsTruncated"):
            return
        asked |= {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
