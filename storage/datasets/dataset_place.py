"""Where datasets are: below the configured storage, or at a URL of their own."""

import logging
import os
import re
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from storage.datasets.dataset_manifest import MANIFEST, DatasetManifest, Partition
from storage.datasets.dataset_schema import BY_NAME
from storage.domain.errors import BadRequest, NoDatasetPlace, NotStored
from storage.domain.records import from_json, to_json
from storage.domain.settings import Settings
from storage.domain.translation import marked
from storage.files.file_store import Files

logger = logging.getLogger(__name__)
FOLDER = "datasets"
OURS = re.compile(rf"(?P<dataset>{'|'.join(BY_NAME)})/year=\d{{4}}/month=\d{{1,2}}/(?P=dataset)\.parquet")
MAX_MANIFEST_BYTES = 64 << 20


OWN_FILES = marked("it has the platform's own files")
OTHER_MANIFEST = marked("it has a manifest.json of something else")


class DatasetPlace:
    """The partitions and their manifest, below one root."""

    def __init__(self, files: Files, folder: str = "") -> None:
        self.files = files
        self._prefix = f"{folder}/" if folder else ""

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Return the configured place."""
        if url := settings.datasets.datasets_url:
            return cls.at(url, settings)
        return cls(Files.from_settings(settings.storage), FOLDER)

    @classmethod
    def at(cls, url: str, settings: Settings) -> Self:
        """Return a place at a URL: a folder, or what fsspec opens.

        Raises:
            BadRequest: it cannot be opened.
            NoDatasetPlace: the platform's own files are there.
        """
        if "://" in url and not url.partition("://")[2].strip("/"):
            raise BadRequest("to", f"{url[:200]!r} names no bucket; write s3://bucket/prefix")
        own = (settings.storage.root_url, str(settings.storage.data_dir.absolute()))
        if _location(url) in map(_location, own):
            raise NoDatasetPlace(url[:200], OWN_FILES)
        endpoint = settings.datasets.datasets_endpoint_url or settings.storage.storage_endpoint_url
        try:
            return cls(Files(url, endpoint))
        except (ValueError, ImportError) as error:
            raise BadRequest(
                "to", f"{url[:200]!r} cannot be opened ({error}); use a folder or s3://bucket/prefix"
            ) from error

    @property
    def url(self) -> str:
        return f"{self.files.url.rstrip('/')}/{self._prefix}".rstrip("/")

    def manifest(self) -> DatasetManifest | None:
        """Return the manifest, or None before the first export and if it cannot be read."""
        try:
            return from_json(DatasetManifest, self.files.read(self._prefix + MANIFEST))
        except NotStored:
            return None
        except ValidationError:
            logger.warning("the manifest of the datasets in %s cannot be read; all are exported again", self.url)
            return None

    def check_unclaimed(self, there: set[str]) -> None:
        """Check that a place without partitions has no manifest of something else.

        Raises:
            NoDatasetPlace: it has, and the export would replace that.
        """
        if not there and self.files.exists(self._prefix + MANIFEST):
            raise NoDatasetPlace(self.url, OTHER_MANIFEST)

    def keep_manifest(self, manifest: DatasetManifest) -> None:
        """Replace the manifest, atomically."""
        self.files.write(self._prefix + MANIFEST, to_json(manifest))

    def put(self, partition: Partition, path: Path) -> None:
        """Replace a partition with a local file, atomically."""
        self.files.put(self._prefix + partition.name, path, move=True)

    def partitions(self) -> set[str]:
        """Return the names of all partitions, also of those that no manifest has."""
        names = (name.removeprefix(self._prefix) for name in self.files.list(self._prefix))
        return {name for name in names if OURS.fullmatch(name)}

    def size(self, partition: Partition) -> int:
        return self.files.size(self._prefix + partition.name)

    def delete(self, name: str) -> None:
        """Delete a partition by its name below the place."""
        self.files.delete(self._prefix + name)

    def local_paths(self, manifest: DatasetManifest, cache: Path) -> dict[str, list[Path]]:
        """Return each dataset's partitions as local files; those of a bucket are copied once.

        Raises:
            NotStored: a partition was deleted meanwhile.
        """
        found: dict[str, list[Path]] = {name: [] for name in BY_NAME}
        for one in manifest.partitions:
            if one.dataset in found:
                found[one.dataset].append(self._local(one, cache))
        self._forget(manifest, cache)
        return found

    def _local(self, one: Partition, cache: Path) -> Path:
        if (path := self.files.path(self._prefix + one.name)) is not None:
            if not path.exists():
                raise NotStored(one.name)
            return path
        copy = cache / one.sha256[:32] / one.name
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            part = copy.with_name(f".part-{os.getpid()}-{one.dataset}")
            with self.files.open(self._prefix + one.name) as source, part.open("wb") as target:
                while chunk := source.read(1 << 20):
                    target.write(chunk)
            part.chmod(0o600)
            part.replace(copy)
        return copy

    def _forget(self, manifest: DatasetManifest, cache: Path) -> None:
        """Delete copies of partitions that were replaced."""
        if not cache.is_dir():
            return
        import shutil

        current = {one.sha256[:32] for one in manifest.partitions}
        for folder in cache.iterdir():
            if folder.name not in current:
                shutil.rmtree(folder, ignore_errors=True)


def _location(url: str) -> str:
    """Return a place in one form, so that two names of one folder are equal."""
    local = url.removeprefix("file://")
    return url.rstrip("/") if "://" in local else os.path.realpath(local)
