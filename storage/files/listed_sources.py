"""Recordings outside the platform's own storage: in folders and buckets that an administrator lists."""

import os
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from storage.domain.batch_sources import BUCKETS
from storage.domain.errors import BadRequest, NotStored
from storage.files.s3_bucket import Bucket


def is_folder(source: str) -> bool:
    """Return whether a source is a folder, or a prefix that ends with a slash."""
    return source.endswith("/") if source.startswith(BUCKETS) else Path(source).is_dir()


def below(source: str, endpoint_url: str | None, *, recursive: bool, most: int) -> list[str]:
    """Return the files of a folder or prefix, sorted, without hidden ones.

    They are at most one more than `most`.

    Raises:
        StorageUnreachable: the bucket's service does not answer.
    """
    found = _objects(source, endpoint_url) if source.startswith(BUCKETS) else _files(Path(source), recursive=recursive)
    root = source.rstrip("/") + "/"
    wanted = (one for one in found if _is_wanted(one.removeprefix(root), recursive=recursive))
    return sorted(islice(wanted, most + 1))


def _files(folder: Path, *, recursive: bool) -> Iterator[str]:
    walk = folder.rglob("*") if recursive else folder.glob("*")
    return (str(each) for each in walk if each.is_file())


def _objects(source: str, endpoint_url: str | None) -> Iterator[str]:
    root = source.rstrip("/")
    try:
        for entry in Bucket(root, endpoint_url).entries(recursive=True):
            if entry.size_bytes or not entry.name.endswith("/"):  # consoles mark a folder by an empty object
                yield f"{root}/{entry.name}"
    except NotStored:
        return


def _is_wanted(name: str, *, recursive: bool) -> bool:
    parts = name.split("/")
    return (recursive or len(parts) == 1) and not any(part.startswith(".") for part in parts)


def opened(source: str, root: str, endpoint_url: str | None) -> tuple[int, BinaryIO]:
    """Open a recording that lies below `root`; return its size in bytes and the file.

    Raises:
        BadRequest: it is not there, is no file, or a link leads out of the root.
        StorageUnreachable: the bucket's service does not answer.
    """
    if source.startswith(BUCKETS):
        name_of_bucket, _, name = source.removeprefix(BUCKETS).partition("/")
        if name.endswith("/"):
            raise BadRequest("path", f"{source} ends with a slash, as a folder's key does; rename the object")
        bucket = Bucket(f"{BUCKETS}{name_of_bucket}", endpoint_url)  # a root of more would lose the slashes of `//`
        size = bucket.size(name) if name_of_bucket and name else None
        if size is None:
            raise BadRequest("path", f"there is no {source}")
        return size, bucket.open(name)
    return _opened_file(Path(source), Path(root))


def _opened_file(path: Path, root: Path) -> tuple[int, BinaryIO]:
    real = path.resolve()
    if not real.is_relative_to(root.resolve()):
        raise BadRequest("path", f"{path} is a link that leads out of {root}")
    try:
        handle = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise BadRequest("path", f"{path} cannot be read ({error.strerror})") from error
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        os.close(handle)
        raise BadRequest("path", f"{path} is no file")
    return found.st_size, os.fdopen(handle, "rb")
