"""Runs a query in a process of its own, and stops it at its limits."""

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from storage.datasets import query_process
from storage.datasets.query_process import MAX_ANSWER_BYTES, REFUSED, TOO_LARGE, VALUES, QueryOrder
from storage.domain.errors import QueriesBusy, QueryRefused, QueryStopped
from storage.domain.records import to_json
from storage.domain.translation import gettext as _
from storage.media import sandbox

MOST_AT_ONCE = 2
MOST_ROWS = 10_000
COMMAND = (sys.executable, "-m", query_process.__name__)
ROOT = Path(__file__).parents[2]
CHUNK_BYTES = 1 << 16
START_S = 20.0
"""What starting the process may take on a busy machine, beside the query's time."""
_slots = threading.BoundedSemaphore(MOST_AT_ONCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultColumn:
    """A column of a result, with its type as DuckDB names it."""

    name: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryResult:
    """The rows of a result, of which there are more if it is `cut`."""

    columns: tuple[ResultColumn, ...]
    rows: tuple[tuple[Any, ...], ...]
    cut: bool


def run(
    statement: str, paths: dict[str, list[Path]], *, seconds: float, memory_mb: int, max_rows: int = MOST_ROWS
) -> QueryResult:
    """Return the first rows of a statement that only reads the datasets.

    Raises:
        QueriesBusy: as many queries as may run are running.
        QueryRefused: it is no such statement, or DuckDB refused it.
        QueryStopped: it needed more time or memory than it may have.
    """
    order = QueryOrder(statement=statement, paths=paths, memory_mb=memory_mb, seconds=seconds, max_rows=max_rows)
    with _slot(), _child() as child:
        output = _answer_of(child, to_json(order), time.monotonic() + seconds + START_S, seconds)
        status = child.wait()
    return _told(output, status, memory_mb=memory_mb, seconds=seconds)


@contextmanager
def _slot() -> Iterator[None]:
    if not _slots.acquire(timeout=1.0):
        raise QueriesBusy(MOST_AT_ONCE)
    try:
        yield
    finally:
        _slots.release()


@contextmanager
def _child() -> Iterator["subprocess.Popen[bytes]"]:
    """Start the process, and kill it at the end if it has not ended."""
    pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
    environment = sandbox.clean_environment()
    with subprocess.Popen(COMMAND, stdin=pipe, stdout=pipe, stderr=nowhere, env=environment, cwd=ROOT) as child:
        try:
            yield child
        finally:
            child.kill()


def _answer_of(child: "subprocess.Popen[bytes]", order: bytes, until: float, seconds: float) -> bytes:
    """Send the order, and return what the process writes until it ends or must."""
    source, target = cast(BinaryIO, child.stdout), cast(BinaryIO, child.stdin)
    try:
        with target:
            target.write(order)
    except BrokenPipeError:  # it has ended, and its status says how
        pass
    output = bytearray()
    while True:
        left_s = until - time.monotonic()
        ready = select.select([source], [], [], max(left_s, 0))[0]
        if not ready:
            raise QueryStopped(_("took longer than {seconds:g} s", seconds=seconds))
        chunk = os.read(source.fileno(), CHUNK_BYTES)
        if not chunk:
            return bytes(output)
        output += chunk
        if len(output) > 2 * MAX_ANSWER_BYTES:
            raise QueryStopped(_("had too large a result"))


def _told(output: bytes, status: int, *, memory_mb: int, seconds: float) -> QueryResult:
    if status in {-signal.SIGALRM, -signal.SIGXCPU}:
        raise QueryStopped(_("took longer than {seconds:g} s", seconds=seconds))
    try:
        answer: dict[str, Any] = json.loads(output)
    except ValueError:  # the allocator, or the kernel, ended it
        raise QueryStopped(_("needed more than {memory} MiB of memory", memory=memory_mb)) from None
    if TOO_LARGE in answer:
        raise QueryStopped(_("needed more than {memory} MiB of memory", memory=memory_mb))
    if REFUSED in answer:
        raise QueryRefused(_(answer[REFUSED], **answer[VALUES]))
    return QueryResult(
        columns=tuple(ResultColumn(name=str(one["name"]), type=str(one["type"])) for one in answer["columns"]),
        rows=tuple(tuple(row) for row in answer["rows"]),
        cut=bool(answer["cut"]),
    )
