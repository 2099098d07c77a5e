"""Storage in an S3-compatible bucket through fsspec and s3fs.

Other fsspec file systems work alike.
"""

import errno
import io
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import chain
from pathlib import Path, PurePath
from typing import Any, BinaryIO, cast

import fsspec

from storage.domain import names
from storage.domain.clock import utc_now
from storage.domain.errors import AlreadyStored, NotStored, StorageFull, StorageUnreachable
from storage.files import s3_transfers, temporary_files
from storage.files.keyed_locks import KeyedLocks
from storage.files.local_folder import FULL
from storage.files.stored_stream import stream

CHUNK_BYTES = 16 << 20
MAX_IN_MEMORY_BYTES = 8 << 20
MAX_FILE_NAME_BYTES = 255
MAX_ENDING_CHARS = 20
FULL_WORDS = ("StorageFull", "QuotaExceeded", "InsufficientStorage", "InsufficientCapacity")
TAKEN_WORDS = ("PreconditionFailed", "pre-conditions", "ConditionalRequestConflict")
NOT_SUPPORTED = "not implemented"
S3_OPTIONS = {
    "config_kwargs": {
        "signature_version": "s3v4",
        "connect_timeout": 5,
        "read_timeout": 60,
        "retries": {"max_attempts": 3, "mode": "standard"},
        # Some services return the whole object's checksum with a part of it, and do not support checksums on upload.
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectEntry:
    """An object of a listing.

    Its version changes with its bytes, and is None where nothing tells.
    """

    name: str
    size_bytes: int | None
    version: str | None


class Bucket:
    """A root such as s3://bucket/prefix."""

    def __init__(
        self,
        url: str,
        endpoint_url: str | None = None,
        *,
        max_in_memory_bytes: int = MAX_IN_MEMORY_BYTES,
        chunk_bytes: int = CHUNK_BYTES,
    ) -> None:
        options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
        protocol, _, base = url.rstrip("/").partition("://")
        if protocol in {"s3", "s3a"}:  # not by `url_to_fs`, to which `::` and `?versionId=` in a key mean something
            options |= S3_OPTIONS | ({"endpoint_url": endpoint_url} if endpoint_url else {})
            self._fs, self._base = fsspec.filesystem(protocol, **options), base
            self._fs.split_path = partial(_bucket_and_key, self._fs)
        else:
            self._fs, self._base = fsspec.core.url_to_fs(url.rstrip("/"), **options)
        self._ranges: bool | None = None
        self._creating = KeyedLocks()
        self._max_in_memory_bytes, self._chunk_bytes = max_in_memory_bytes, chunk_bytes

    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        """Store the chunks in one request if they are few, else part by part.

        This does not use `fs.open(…, "wb")`: closing it after an error would store what came until then.
        """
        left = iter(chunks)
        first = bytearray()
        for chunk in left:
            first += chunk
            if len(first) > self._max_in_memory_bytes:
                break
        else:
            with _mapped(name, writing=True):
                self._fs.pipe_file(self._at(name), bytes(first))
            return
        with tempfile.NamedTemporaryFile(dir=temporary_files.folder()) as file:
            with _mapped(name, writing=True):
                for chunk in chain([bytes(first)], left):
                    file.write(chunk)
                file.flush()
            self.put(name, Path(file.name), move=False)

    def create(self, name: str, data: bytes) -> None:
        """Store bytes unless there is such an object.

        Of the writers of this process one creates it, and of all where the service knows conditional writes. Others
        ignore or refuse them: there a writer looks afterwards whether another one came between, which makes the gap
        narrower and does not close it. The look also tells a writer whose answer was lost that it was the first.
        """
        with self._creating.of(name):
            if self.size(name) is not None:
                raise AlreadyStored(name)
            with _mapped(name, writing=True):
                written = self._create(name, data)
            try:
                there = self.read(name)
            except (NotStored, StorageUnreachable) as error:
                if written:
                    return
                raise StorageUnreachable(name, f"another writer may have come first: {error}") from error
            if there != data:
                raise AlreadyStored(name)

    def _create(self, name: str, data: bytes) -> bool:
        """Return whether it was written; else there is one already, perhaps this writer's own."""
        try:
            self._fs.pipe_file(self._at(name), data, mode="create")
        except (FileExistsError, OSError) as error:
            if isinstance(error, FileExistsError) or any(word in str(error) for word in TAKEN_WORDS):
                return False
            if NOT_SUPPORTED not in str(error):
                raise
            self._fs.pipe_file(self._at(name), data)
        return True

    def put(self, name: str, source: Path, *, move: bool) -> None:
        """Store a local file, part by part."""
        size_bytes = source.stat().st_size  # a missing source is not a bucket error
        in_parts = self._is_s3() and size_bytes >= 2 * self._chunk_bytes
        how = {"chunksize": self._chunk_bytes, "max_concurrency": s3_transfers.CONCURRENCY} if self._is_s3() else {}
        with _mapped(name, writing=True):
            late = s3_transfers.answered_late(self._fs, self._at(name), size_bytes) if in_parts else nullcontext()
            with late:
                self._fs.put_file(str(source), self._at(name), **how)
        if move:
            source.unlink()

    def read(self, name: str) -> bytes:
        """Return all bytes."""
        with _mapped(name):
            return cast(bytes, self._fs.cat_file(self._at(name)))

    def open(self, name: str) -> BinaryIO:
        """Open for reading; if the service ignores Range, a temporary copy is read instead."""
        size = self.size(name)
        if size is None:
            raise NotStored(name)
        with _mapped(name):
            if size == 0:
                return io.BytesIO()
            if self._answers_ranges(name, size):
                return stream(self._fs.open(self._at(name), "rb"), partial(_mapped, name))
        with self.local(name) as path:
            return path.open("rb")  # the open file outlives its name

    def size(self, name: str) -> int | None:
        """Return the size in bytes, or None if there is no such object."""
        try:
            with _mapped(name):
                info = self._info(name)
        except NotStored:
            return None
        return int(info["size"]) if info["type"] == "file" else None

    def _info(self, name: str) -> dict[str, Any]:
        """Return what the service says of an object, in one request.

        s3fs would ask by a listing, too, whether what is no object is a folder: that costs as much as ten of these.
        """
        if not self._is_s3():
            return cast("dict[str, Any]", self._fs.info(self._at(name)))
        return s3_transfers.head(self._fs, self._at(name))

    def delete(self, name: str) -> None:
        """Delete one object, if it exists."""
        with suppress(NotStored), _mapped(name):
            self._fs.rm_file(self._at(name))

    def delete_folder(self, name: str) -> None:
        """Delete all objects below a folder."""
        for each in list(self.list(name)):
            self.delete(each)

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the names below a folder."""
        with _mapped(prefix):
            found: list[str] = sorted(self._fs.find(self._at(prefix)))
        for path in found:
            if path.startswith(f"{self._base}/"):  # without the object that is named like the root
                yield path.removeprefix(f"{self._base}/")

    def entries(self, *, recursive: bool) -> Iterator[ObjectEntry]:
        """Yield the objects below the root, page by page, so that memory stays flat."""
        with _mapped(self._base):
            if self._is_s3():
                yield from self._pages(recursive=recursive)
                return
            found = self._fs.find(self._base, maxdepth=None if recursive else 1, detail=True)
            for path in sorted(found):
                yield entry_of(path.removeprefix(f"{self._base}/"), found[path])

    def _pages(self, *, recursive: bool) -> Iterator[ObjectEntry]:
        bucket, _, prefix = self._base.partition("/")
        prefix = f"{prefix}/" if prefix else ""
        asked = {"Bucket": bucket, "Prefix": prefix} | ({} if recursive else {"Delimiter": "/"})
        for page in s3_transfers.pages(partial(self._fs.call_s3, "list_objects_v2", **asked), "ContinuationToken"):
            for each in page.get("Contents", ()):
                yield entry_of(each["Key"].removeprefix(prefix), each)

    def entry(self, name: str) -> ObjectEntry | None:
        """Return an object as a listing has it, or None."""
        try:
            with _mapped(name):
                info = self._info(name)
        except NotStored:
            return None
        return entry_of(name, info) if info["type"] == "file" else None

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """Provide a temporary local copy."""
        with tempfile.TemporaryDirectory(dir=temporary_files.folder()) as folder:
            path = Path(folder, file_name(name))
            self.get(name, path)
            yield path

    def get(self, name: str, target: Path) -> None:
        """Write the object's bytes to a local file, replacing it."""
        with _mapped(name):
            info: dict[str, Any] = self._info(name) if self._is_s3() else {"size": 0}
            size = int(info["size"])
            if size > self._chunk_bytes and self._answers_ranges(name, size):
                sizes = {"size_bytes": size, "chunk_bytes": self._chunk_bytes}
                s3_transfers.read_in_ranges(self._fs, self._at(name), target, **sizes, etag=info.get("ETag"))
            else:
                how = {"max_concurrency": 1} if self._is_s3() else {}
                self._fs.get_file(self._at(name), str(target), **how)

    def copy(
        self,
        name: str,
        target: str,
        *,
        whole_bytes: int = s3_transfers.WHOLE_COPY_BYTES,
        part_bytes: int = s3_transfers.COPY_PART_BYTES,
    ) -> None:
        """Copy an object within the bucket, in parts if it is large."""
        with _mapped(name):
            if not self._is_s3():
                self._fs.cp_file(self._at(name), self._at(target))
                return
            sizes = {"size_bytes": int(self._info(name)["size"]), "whole_bytes": whole_bytes, "part_bytes": part_bytes}
            s3_transfers.copy(self._fs, self._at(name), self._at(target), **sizes)

    def request(self, operation: str, name: str, **parameters: Any) -> dict[str, Any]:
        """Send a request about an object, named as botocore names it, and return the answer."""
        bucket, key, _ = self._fs.split_path(self._at(name))
        with _mapped(name):
            return cast("dict[str, Any]", self._fs.call_s3(operation, Bucket=bucket, Key=key, **parameters))

    def signed_url(self, operation: str, name: str, *, valid_s: int, **parameters: Any) -> str:
        """Return an address that allows one kind of request about an object for a while."""
        with _mapped(name):
            signed = self._fs.url(self._at(name), expires=valid_s, client_method=operation, **parameters)
        return str(signed)

    def listing(self, operation: str, folder: str, **parameters: Any) -> dict[str, Any]:
        """Return one page of a listing of what is below a folder of the root."""
        bucket, prefix, _ = self._fs.split_path(self._at(f"{folder}/"))
        with _mapped(folder):
            return cast("dict[str, Any]", self._fs.call_s3(operation, Bucket=bucket, Prefix=prefix, **parameters))

    def sweep(self, older_than_s: float) -> int:
        """Abort uploads in parts of killed writers.

        Those of clients have a sweep of their own; those of others in the bucket are left alone.
        """
        if not self._is_s3():
            return 0
        before = utc_now() - timedelta(seconds=older_than_s)
        with _mapped(self._base):
            return s3_transfers.abort_uploads(self._fs, self._base, before=before, folders=names.WRITTEN)

    def _at(self, name: str) -> str:
        return f"{self._base}/{name}" if name else self._base

    def _is_s3(self) -> bool:
        return "s3" in self._fs.protocol

    def _answers_ranges(self, name: str, size: int) -> bool:
        """Return whether the service supports ranges, by requesting one once."""
        if self._ranges is None and size > 1:
            self._ranges = len(self._fs.cat_file(self._at(name), start=0, end=1)) == 1
        return self._ranges is not False


TIMES = ("LastModified", "mtime", "last_modified", "updated", "Last-Modified")
ETAGS = ("ETag", "etag")
MARKS = (*ETAGS, "md5", "Content-MD5", "generation")


def entry_of(name: str, info: dict[str, Any]) -> ObjectEntry:
    """Return a listing's entry; services name what tells versions apart in their own ways."""
    size = info.get("Size", info.get("size"))
    mark = next((_mark(each, info[each]) for each in MARKS if info.get(each)), "")
    time = next((info[each] for each in TIMES if info.get(each)), "")
    time = int(time.timestamp()) if hasattr(time, "timestamp") else time
    version = f"{mark} {size} {time}" if mark or time else None
    return ObjectEntry(name=name, size_bytes=size, version=version)


def _mark(key: str, value: Any) -> str:
    """Return an ETag in quotes: some services leave them out of listings alone."""
    mark = str(value)
    return f'"{mark}"' if key in ETAGS and '"' not in mark else mark


def _bucket_and_key(fs: Any, path: str) -> tuple[str, str, None]:
    """Split a path as s3fs does, except that `?versionId=` is a part of the key."""
    plain = fs._strip_protocol(path).lstrip("/")
    if "/" not in plain:
        return plain, "", None
    bucket, key = fs._find_bucket_key(plain)
    return bucket, key + path[len(path.rstrip("/")) :], None


def file_name(name: str) -> str:
    """Return the last part of an object's name, cut to what a file may have."""
    last = name.rsplit("/", 1)[-1]
    if len(last.encode()) <= MAX_FILE_NAME_BYTES:
        return last
    ending = PurePath(last).suffix[:MAX_ENDING_CHARS]
    return last.encode()[: MAX_FILE_NAME_BYTES - len(ending.encode())].decode(errors="ignore") + ending


@contextmanager
def _mapped(name: str, *, writing: bool = False) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        if writing:
            raise StorageUnreachable(name, f"the bucket is not there: {error}") from error
        raise NotStored(name) from error
    except OSError as error:
        if error.errno in FULL or any(word in str(error) for word in FULL_WORDS):
            raise StorageFull(name, str(error)) from error
        raise StorageUnreachable(name, _reason(error)) from error
    except Exception as error:
        if type(error).__module__.split(".")[0] in {"botocore", "aiobotocore", "aiohttp", "aioitertools"}:
            raise StorageUnreachable(name, _reason(error)) from error
        raise


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.EACCES:
        return f"permission denied: {error}"
    return f"{type(error).__name__}: {error}"[:300]
