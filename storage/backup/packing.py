"""Compress and encrypt one file, and the way back.

The formats are those of the tools `zstd` and `age` (https://age-encryption.org/v1), so that a backup can be opened
without this program: `age --decrypt -i key.txt ledger.duckdb.zst.age | zstd -d > ledger.duckdb`.
"""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from backports import zstd
from pydantic import SecretStr

from storage.domain.errors import BackupUnusable, BadSetting, StorageFull
from storage.files.local_folder import FULL

if TYPE_CHECKING:
    import pyrage

BLOCK_BYTES = 1 << 18
LEVEL = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A file's size and SHA-256."""

    size_bytes: int
    sha256: str


class _Compressed:
    """Reads a file as its compressed form."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._compressor = file, zstd.ZstdCompressor(level=LEVEL)
        self._ready, self._ended = bytearray(), False
        self.error: Exception | None = None

    def read(self, size: int = BLOCK_BYTES) -> bytes:
        try:
            while len(self._ready) < size and not self._ended:
                block = self._file.read(BLOCK_BYTES)
                self._ended = not block
                self._ready += self._compressor.compress(block) if block else self._compressor.flush()
        except OSError as error:
            self.error = error
            raise
        given, self._ready = bytes(self._ready[:size]), self._ready[size:]
        return given


class _Counted:
    """Writes to a file, and counts and hashes what it wrote."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._hash = file, hashlib.sha256()
        self.size_bytes = 0
        self.error: Exception | None = None

    def write(self, data: bytes) -> int:
        try:
            self._file.write(data)
        except OSError as error:
            self.error = error
            raise
        self._hash.update(data)
        self.size_bytes += len(data)
        return len(data)

    def flush(self) -> None:
        self._file.flush()

    def packed(self) -> Packed:
        return Packed(size_bytes=self.size_bytes, sha256=self._hash.hexdigest())


class _Expanded:
    """Writes the decompressed form of what it is given, at most `limit` bytes of it."""

    def __init__(self, onward: _Counted, limit: int) -> None:
        self._onward, self._limit, self._decompressor = onward, limit, zstd.ZstdDecompressor()
        self.error: Exception | None = None

    def write(self, data: bytes) -> int:
        given = data
        try:
            while not self._decompressor.eof:
                self._onward.write(self._decompressor.decompress(given, BLOCK_BYTES))
                if self._onward.size_bytes > self._limit:
                    raise ValueError("it has more in it than its manifest says")
                if self._decompressor.needs_input:
                    break
                given = b""
        except (OSError, ValueError, zstd.ZstdError) as error:
            self.error = error
            raise
        return len(data)

    def flush(self) -> None:
        self._onward.flush()

    @property
    def whole(self) -> bool:
        return self._decompressor.eof


def identity_of(key: SecretStr) -> "pyrage.x25519.Identity":
    """Return the age identity that a key is.

    Raises:
        BadSetting: it is none.
    """
    import pyrage

    try:
        return pyrage.x25519.Identity.from_str(key.get_secret_value().strip())
    except pyrage.IdentityError as error:
        raise BadSetting(
            "TRANSCRIBER_BACKUP_KEY", "it is no key of age; `transcriber admin backup-key` makes one"
        ) from error


def new_key() -> str:
    """Return a new secret key, as `age-keygen` makes it."""
    import pyrage

    return str(pyrage.x25519.Identity.generate())


def recipient_of(key: SecretStr) -> str:
    """Return the public part of a key, which says which key a backup needs."""
    return str(identity_of(key).to_public())


def digest_of(path: Path) -> Packed:
    """Return the size and SHA-256 of a file."""
    with path.open("rb") as file:
        return Packed(size_bytes=path.stat().st_size, sha256=hashlib.file_digest(file, "sha256").hexdigest())


@contextmanager
def _full_disk_named(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise StorageFull("a backup", f"no space in {target.parent}") from error


def pack(source: Path, target: Path, key: SecretStr | None) -> Packed:
    """Write the compressed file, encrypted if there is a key; return what was written.

    Raises:
        StorageFull: the disk is full.
    """
    with _full_disk_named(target), source.open("rb") as plain, target.open("wb") as file:
        reader, writer = _Compressed(plain), _Counted(file)
        if key is None:
            shutil.copyfileobj(reader, writer, BLOCK_BYTES)
        else:
            _encrypt(reader, writer, key)
        return writer.packed()


def _encrypt(reader: _Compressed, writer: _Counted, key: SecretStr) -> None:
    import pyrage

    try:
        pyrage.encrypt_io(reader, writer, [identity_of(key).to_public()])
    except (pyrage.EncryptError, OSError) as error:  # the library hides what a file said
        raise reader.error or writer.error or error from error


def unpack(source: Path, target: Path, key: SecretStr | None, *, name: str, limit_bytes: int) -> Packed:
    """Write the file that was packed, decrypting it if there is a key.

    Returns what was written.

    Raises:
        BackupUnusable: the key is another one, or the file is damaged.
        StorageFull: the disk is full, which says nothing of the backup.
    """
    with _full_disk_named(target), source.open("rb") as packed, target.open("wb") as file:
        counted = _Counted(file)
        writer = _Expanded(counted, limit_bytes)
        try:
            _decrypt(packed, writer, key, name)
        except (ValueError, zstd.ZstdError) as error:
            raise BackupUnusable(name, f"it cannot be unpacked: {error}") from error
        if not writer.whole:
            raise BackupUnusable(name, "its end is missing")
        return counted.packed()


def _decrypt(packed: BinaryIO, writer: _Expanded, key: SecretStr | None, name: str) -> None:
    if key is None:
        shutil.copyfileobj(packed, writer, BLOCK_BYTES)
        return
    import pyrage

    try:
        pyrage.decrypt_io(packed, writer, [identity_of(key)])
    except (pyrage.DecryptError, OSError) as error:
        if writer.error is not None:
            raise writer.error from error
        raise BackupUnusable(name, f"it cannot be decrypted: {error}") from error
