"""The files of a batch's source: a folder, a bucket, or an index page."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import chain
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from flows.batch.settled_files import FileState
from storage.domain.errors import BadRequest, NoFiles, NotStored, StorageUnreachable, TranscriberError, UploadTooLarge
from storage.domain.network.host_names import without_login
from storage.domain.settings import Settings

if TYPE_CHECKING:
    from fsspec.implementations.http import HTTPFileSystem

    from storage.files.s3_bucket import Bucket, ObjectEntry

WEB = ("http://", "https://")
NOT_LISTED = "{source} may not be listed with these credentials ({denied}); allow listing and reading there"
NOT_READ = "it may not be read with these credentials ({denied}); allow that, and repeat the batch"
FOLDER_KEY = "its key ends with a slash, as a folder's does; rename the object, and repeat the batch"
MayRead = Callable[[str], str]
"""Returns the listed root that holds a source, or raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileNotes:
    """What a manifest says of a file beside its source; options override the batch's."""

    options: dict[str, Any] = field(default_factory=dict)
    title: str | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)


def _unknown() -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFile:
    """A file to upload, and a function that provides it on this machine.

    `path` is the file itself, which another program may be writing; objects in a bucket are always complete.
    `look` returns what changes with its bytes, or None if nothing tells. One with a `problem` cannot be read. `row` is
    that of a manifest, as its reader counts them.
    """

    name: str
    local: Callable[[], AbstractContextManager[Path]]
    path: Path | None = None
    relative: str = ""
    listed_version: str | None = None
    look: Callable[[], str | None] = _unknown
    notes: FileNotes = FileNotes()
    problem: str = ""
    row: int = 0

    @property
    def state(self) -> FileState | None:
        try:
            return FileState.of(self.path) if self.path else None
        except OSError:  # sending it says what is wrong with it
            return None

    @property
    def version(self) -> str | None:
        """Return what the listing said, or look; None if that fails."""
        if self.listed_version is not None or self.problem:
            return self.listed_version
        with suppress(TranscriberError, OSError):
            return self.look()
        return None


def denial_of(error: StorageUnreachable) -> PermissionError | None:
    """Return the refusal of a service that did answer.

    Other credentials would help, and no later try.
    """
    return error.__cause__ if isinstance(error.__cause__, PermissionError) else None


def rejected(name: str, problem: str, *, relative: str = "") -> BatchFile:
    """Return a file that cannot be sent, with the reason."""

    def local() -> AbstractContextManager[Path]:
        return nullcontext(Path(os.devnull))

    return BatchFile(name=name, relative=relative or name, local=local, problem=problem)


class SourceReader:
    """Finds the files of sources; `may_read` limits what a worker reads."""

    def __init__(self, settings: Settings, *, may_read: MayRead | None = None) -> None:
        self._settings, self._may_read = settings, may_read
        self._buckets: dict[str, Bucket] = {}

    def files(self, source: str, *, recursive: bool) -> Iterator[BatchFile]:
        """Yield the files of a source, without hidden ones.

        Raises:
            BadRequest: it does not exist, or is empty.
            NotAllowed: it is not listed for this batch.
            StorageUnreachable, HostUnreachable: its service does not answer.
        """
        found = self._found(source, recursive=recursive)
        first = next(found, None)
        if first is None:
            hint = "" if recursive else " (try recursive)"
            what = "does not exist or " if "://" in source else ""
            raise NoFiles("SOURCE", f"{without_login(source)} {what}holds no files{hint}")
        return chain([first], found)

    def _found(self, source: str, *, recursive: bool) -> Iterator[BatchFile]:
        root = self._may_read(source) if self._may_read else None
        if source.startswith(WEB):
            return self._below_page(source, recursive=recursive)
        if source.startswith("file://"):
            source = unquote(urlsplit(source).path)
        if "://" in source:
            return self._objects(source, recursive=recursive)
        return _files(source, recursive=recursive, within=Path(root) if root else None)

    def one(self, url: str, *, relative: str, notes: FileNotes = FileNotes()) -> BatchFile:
        """Return a single file of a manifest.

        Raises:
            NotAllowed: it is not listed for this batch.
            BadRequest: its address is none.
        """
        root = self._may_read(url) if self._may_read else None
        if url.startswith(WEB):
            return self._page_file(url, relative=relative, notes=notes)
        if url.startswith("file://"):
            url = unquote(urlsplit(url).path)
        if "://" in url:
            return self._object(url, relative=relative, notes=notes)
        return _file(Path(url), relative=relative, within=Path(root) if root else None, notes=notes)

    def _objects(self, source: str, *, recursive: bool) -> Iterator[BatchFile]:
        """Yield the objects below a prefix, and the one named like it.

        A source that ends with a slash means only those below, if there are any.
        """
        url = source.rstrip("/")
        if url.endswith(":") or not url.partition("://")[2]:
            raise BadRequest("SOURCE", f"{without_login(source)} names no bucket")
        below = self._below(url, recursive=recursive)
        try:
            first = next(below, None)
            if first is None or not source.endswith("/"):
                yield from self._itself(url)
            if first is not None:
                yield first
            yield from below
        except StorageUnreachable as error:
            if denied := denial_of(error):
                raise BadRequest("SOURCE", NOT_LISTED.format(source=without_login(source), denied=denied)) from error
            raise StorageUnreachable(without_login(source), error.reason) from error

    def _below(self, url: str, *, recursive: bool) -> Iterator[BatchFile]:
        bucket = self._bucket(url)
        with suppress(NotStored):
            for entry in bucket.entries(recursive=recursive):
                last = entry.name.rsplit("/", 1)[-1]
                if entry.name.endswith("/") and entry.size_bytes:
                    yield rejected(without_login(f"{url}/{entry.name}"), FOLDER_KEY, relative=entry.name)
                elif last and not last.startswith(".") and (recursive or "/" not in entry.name):
                    yield _of_entry(bucket, f"{url}/{entry.name}", entry)

    def _itself(self, url: str) -> Iterator[BatchFile]:
        parent, _, name = url.rpartition("/")
        if not parent.endswith(":/"):
            bucket = self._bucket(parent)
            if (entry := bucket.entry(name)) is not None:
                yield _of_entry(bucket, url, entry)

    def _object(self, url: str, *, relative: str, notes: FileNotes) -> BatchFile:
        protocol, _, place = url.partition("://")
        root, _, name = place.partition("/")
        if not root or not name or name.endswith("/"):
            raise BadRequest(
                "source", f"{without_login(url)} names no object; a row names one file, as s3://bucket/path/file"
            )
        bucket = self._bucket(f"{protocol}://{root}")
        look = partial(_version_of, bucket, name)
        local = partial(bucket.local, name)
        return BatchFile(name=without_login(url), relative=relative, local=local, look=look, notes=notes)

    def _bucket(self, url: str) -> "Bucket":
        from storage.files.s3_bucket import Bucket

        if url not in self._buckets:
            if "::" in url and not url.startswith("s3://"):
                raise BadRequest("SOURCE", f"{without_login(url)}: chained addresses are not read")
            try:
                self._buckets[url] = Bucket(url, self._settings.storage.storage_endpoint_url)
            except (ValueError, ImportError, OSError) as error:  # some connect at once
                raise BadRequest("SOURCE", f"{without_login(url)} cannot be read: {error}") from error
        return self._buckets[url]

    @cached_property
    def _web(self) -> "HTTPFileSystem":
        from storage.files.guarded_http import http_files

        return http_files(self._settings.outgoing.targets)

    def _below_page(self, source: str, *, recursive: bool) -> Iterator[BatchFile]:
        from storage.files.index_pages import links_below

        if not source.endswith("/"):
            yield self._page_file(source, relative=_last(source))
            return
        for link in links_below(self._web, source, recursive=recursive):
            if not _last(link).startswith("."):
                yield self._page_file(link, relative=unquote(link.removeprefix(source)))

    def _page_file(self, url: str, *, relative: str, notes: FileNotes = FileNotes()) -> BatchFile:
        most = self._settings.web.max_upload_bytes
        local, look = partial(_downloaded, self._web, url, most), partial(_page_version, self._web, url)
        return BatchFile(name=without_login(url), relative=relative, local=local, look=look, notes=notes)


def _last(url: str) -> str:
    return unquote(urlsplit(url).path.rsplit("/", 1)[-1]) or "recording"


def _of_entry(bucket: "Bucket", url: str, entry: "ObjectEntry") -> BatchFile:
    return BatchFile(
        name=without_login(url),
        relative=entry.name,
        local=partial(bucket.local, entry.name),
        listed_version=entry.version,
        look=partial(_version_of, bucket, entry.name),
    )


def _version_of(bucket: "Bucket", name: str) -> str | None:
    entry = bucket.entry(name)
    return entry.version if entry else None


def _files(source: str, *, recursive: bool, within: Path | None) -> Iterator[BatchFile]:
    path = Path(source)
    if not source or "\0" in source or not path.exists():
        raise BadRequest("SOURCE", f"{source!r} does not exist; name a folder, a file or s3://bucket/prefix")
    if path.is_file():
        return iter([_file(path, relative=path.name, within=within, name=source)])
    below = _walk(path, recursive=recursive)
    return (_file(each, relative=str(each.relative_to(path)), within=within) for each in below)


def _walk(folder: Path, *, recursive: bool) -> Iterator[Path]:
    """Yield the files below a folder, sorted within each.

    A folder that cannot be read is yielded as itself.
    """
    try:
        with os.scandir(folder) as found:
            entries = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in found)
    except OSError:
        yield folder
        return
    for name, is_folder in entries:
        if is_folder and recursive:
            yield from _walk(folder / name, recursive=True)
        elif not is_folder and not name.startswith(".") and not (folder / name).is_dir():
            yield folder / name


def _file(
    path: Path, *, relative: str, within: Path | None, notes: FileNotes = FileNotes(), name: str | None = None
) -> BatchFile:
    local, look = partial(_as_it_is, path, within), partial(_stat_version, path)
    return BatchFile(name=name or str(path), relative=relative, local=local, path=path, look=look, notes=notes)


def _as_it_is(path: Path, within: Path | None) -> AbstractContextManager[Path]:
    real = path.resolve()
    if within is not None and not real.is_relative_to(within.resolve()):
        raise BadRequest("source", f"{path} is a link to a file outside of {within}")
    if not real.is_file():
        raise BadRequest("source", f"{path} is no file that can be read")
    return nullcontext(path if within is None else real)


def _stat_version(path: Path) -> str:
    found = path.stat()
    return f"{found.st_dev} {found.st_ino} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"


def _page_version(fs: "HTTPFileSystem", url: str) -> str | None:
    from storage.files.guarded_http import patiently
    from storage.files.s3_bucket import entry_of

    return patiently(url, lambda: entry_of(url, fs.info(url)).version)


@contextmanager
def _downloaded(fs: "HTTPFileSystem", url: str, most_bytes: int) -> Iterator[Path]:
    from fsspec.callbacks import Callback

    from storage.files.guarded_http import patiently
    from storage.files.s3_bucket import file_name

    class BoundedDownload(Callback):  # type: ignore[misc] # fsspec has no types
        def relative_update(self, inc: int = 1) -> None:
            super().relative_update(inc)
            if self.value > most_bytes:
                raise UploadTooLarge(self.value, most_bytes)

    with TemporaryDirectory(prefix="transcriber-") as folder:
        path = Path(folder, file_name(PurePosixPath(_last(url)).name))
        patiently(url, lambda: fs.get_file(url, str(path), callback=BoundedDownload(), chunk_size=1 << 20))
        yield path
