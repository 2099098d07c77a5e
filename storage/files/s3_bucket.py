"""Storage in an S3-compatible bucket through fsspec and s3fs; other fsspec file systems work alike."""

import errno
import io
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, cast

import fsspec

from storage.errors import NotStored, StorageFull, StorageUnreachable
from storage.folder import FULL

CHUNK_BYTES = 16 << 20
CONCURRENCY = 4
MAX_IN_MEMORY_BYTES = 8 << 20
FULL_WORDS = ("StorageFull", "QuotaExceeded", "InsufficientStorage", "InsufficientCapacity")
S3_OPTIONS = {
    "config_kwargs": {
        "signature_version": "s3v4",
        "connect_timeout": 5,
        "read_timeout": 60,
        "retries": {"max_attempts": 3, "mode": "standard"},
        # Some services send the whole object's checksum with a part of it, and do not know checksums on upload.
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
    },
}


class Bucket:
    """A root such as s3://bucket/prefix."""

    def __init__(self, url: str, endpoint_url: str | None = None) -> None:
        options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
        if url.startswith(("s3://", "s3a://")):
            options |= S3_OPTIONS | ({"endpoint_url": endpoint_url} if endpoint_url else {})
        self._fs, self._base = fsspec.core.url_to_fs(url.rstrip("/"), **options)
        self._ranges: bool | None = None

    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        """Store the chunks: in one request if few, else from a passing local file, part by part.

        Not through `fs.open(…, "wb")`: closing it after an error stores what came until then.
        """
        left = iter(chunks)
        first = bytearray()
        for chunk in left:
            first += chunk
            if len(first) > MAX_IN_MEMORY_BYTES:
                break
        else:
            with _mapped(name, writing=True):
                self._fs.pipe_file(self._at(name), bytes(first))
            return
        with tempfile.NamedTemporaryFile(prefix="transcriber-") as file:
            with _mapped(name, writing=True):
                for chunk in chain([bytes(first)], left):
                    file.write(chunk)
                file.flush()
            self.put(name, Path(file.name), move=False)

    def put(self, name: str, source: Path, *, move: bool) -> None:
        """Store a local file, part by part."""
        source.stat()  # a source that is missing is no fault of the bucket
        with _mapped(name, writing=True):
            how = {"chunksize": CHUNK_BYTES, "max_concurrency": CONCURRENCY} if self._is_s3() else {}
            self._fs.put_file(str(source), self._at(name), **how)
        if move:
            source.unlink()

    def read(self, name: str) -> bytes:
        """Return all bytes."""
        with _mapped(name):
            return cast(bytes, self._fs.cat_file(self._at(name)))

    def open(self, name: str) -> BinaryIO:
        """Open for reading; where the service ignores Range, a passing copy is read instead."""
        size = self.size(name)
        if size is None:
            raise NotStored(name)
        with _mapped(name):
            if size == 0:
                return io.BytesIO()
            if self._answers_ranges(name, size):
                return cast(BinaryIO, self._fs.open(self._at(name), "rb"))
        with self.local(name) as path:
            return path.open("rb")  # the open file outlives its name

    def size(self, name: str) -> int | None:
        """Return the number of bytes, or None where there is no such object."""
        try:
            with _mapped(name):
                info = self._fs.info(self._at(name))
        except NotStored:
            return None
        return int(info["size"]) if info["type"] == "file" else None

    def delete(self, name: str) -> None:
        """Delete one object, if it is there."""
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
            yield path.removeprefix(f"{self._base}/")

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """Give a passing local copy."""
        with tempfile.TemporaryDirectory(prefix="transcriber-") as folder:
            path = Path(folder, name.rsplit("/", 1)[-1])
            with _mapped(name):
                self._fs.get_file(self._at(name), str(path))
            yield path

    def sweep(self, older_than_s: float) -> int:  # noqa: ARG002
        """Do nothing: an upload broken off is invisible in a bucket, and a lifecycle rule there ends it."""
        return 0

    def _at(self, name: str) -> str:
        return f"{self._base}/{name}" if name else self._base

    def _is_s3(self) -> bool:
        return "s3" in self._fs.protocol

    def _answers_ranges(self, name: str, size: int) -> bool:
        """Ask once for a part: a service that sends the whole instead would be read wrongly."""
        if self._ranges is None and size > 1:
            self._ranges = len(self._fs.cat_file(self._at(name), start=0, end=1)) == 1
        return self._ranges is not False


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
