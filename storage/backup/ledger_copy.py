"""Copy the open ledger byte by byte, in another process.

Between two checkpoints DuckDB changes no byte that it has written, and only appends to the log. So the file and the
log as far as it is committed are the ledger at that moment; whoever opens the copy applies the log. A query that copies
the tables instead took all cores of the web process for most of a minute with ten million rows. It is another process,
because closing the file in this one would release DuckDB's lock on it.
"""

import errno
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from storage.ledger.database import Ledger

ROOT = Path(__file__).parents[2]
STEP_BYTES = 4 << 20
HEADER_BYTES = 3 * 4096
"""DuckDB's main header and two database headers, of which each checkpoint writes one."""
TRIES = 5
CHANGED = 3
NICER_BY = 10


def copy_ledger(ledger: "Ledger", to: Path) -> None:
    """Copy the ledger as it is now, with its log, while others read and write.

    Raises:
        StorageFull: the disk is full.
        LedgerNotCopied: it was checkpointed each time, or cannot be read.
    """
    from storage.domain.errors import LedgerNotCopied, StorageFull

    command = [sys.executable, "-m", "storage.backup.ledger_copy", str(ledger.path), str(to)]
    reason = "no copy was tried"
    for _ in range(TRIES):
        with ledger.without_checkpoints() as log_bytes:
            done = subprocess.run(
                [*command, str(log_bytes)], cwd=ROOT, stderr=subprocess.PIPE, text=True, errors="replace", check=False
            )
        if done.returncode == 0:
            return
        reason = (done.stderr.strip().splitlines() or [f"the copying process ended with {done.returncode}"])[-1]
        if done.returncode == errno.ENOSPC:
            raise StorageFull("a backup", reason)
        if done.returncode != CHANGED:
            break
    raise LedgerNotCopied(reason)


def copy_files(source: Path, to: Path, log_bytes: int) -> bool:
    """Copy the file and so much of its log.

    Returns False if a checkpoint came between.
    """
    with source.open("rb") as file:
        before = file.read(HEADER_BYTES)
        _copy(source, to, file.seek(0, os.SEEK_END))
        try:
            complete = not log_bytes or _copy(Path(f"{source}.wal"), Path(f"{to}.wal"), log_bytes)
        except FileNotFoundError:
            return False
        file.seek(0)
        return complete and file.read(HEADER_BYTES) == before


def _copy(source: Path, to: Path, size: int) -> bool:
    """Copy a file in steps; return False if it is shorter.

    Each step is written to the disk before the next, so that no commit waits for much.
    """
    with source.open("rb") as reading, to.open("wb") as writing:
        copied = 0
        while copied < size:
            step = _step(reading.fileno(), writing.fileno(), min(STEP_BYTES, size - copied), copied)
            if not step:
                return False
            copied += step
            os.fsync(writing.fileno())
    return True


def _step(source: int, to: int, size: int, at: int) -> int:
    with suppress(AttributeError):  # not every system has it; where the file system can, nothing is copied
        try:
            return os.copy_file_range(source, to, size, at, at)
        except OSError as error:
            if error.errno not in {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}:
                raise
    return os.pwrite(to, os.pread(source, size, at), at)


def main() -> int:
    """Copy what the arguments say: source, target and the bytes of the log."""
    source, to, log_bytes = sys.argv[1:]
    os.nice(NICER_BY)
    try:
        same = copy_files(Path(source), Path(to), int(log_bytes))
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return errno.ENOSPC if error.errno in {errno.ENOSPC, errno.EDQUOT} else 1
    if not same:
        sys.stderr.write("the ledger was checkpointed while it was copied\n")
    return 0 if same else CHANGED


if __name__ == "__main__":
    sys.exit(main())
