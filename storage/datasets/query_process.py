"""The process of one query, which has nothing but the datasets.

It has none of our secrets, no ledger, no other files and no network.

It gets an order as JSON on its standard input, and writes rows or the reason of a refusal. The files of the datasets
are views; then DuckDB gives up all access to anything else, and its configuration is locked. The operating system
bounds memory and processor time, and lets it write no file.
"""

import json
import math
import os
import signal
import sys
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import duckdb
from duckdb import DuckDBPyConnection

from storage.datasets.dataset_schema import DATASETS, Dataset
from storage.domain.records import from_json
from storage.domain.translation import marked
from storage.ledger.database_file import scratch
from storage.media import sandbox
from storage.media.parent_death import be_killed_with_parent

MAX_STATEMENT_CHARS = 20_000
MAX_CELL_CHARS = 10_000
MAX_ANSWER_BYTES = 16 << 20
MAX_COLUMNS = 500
OVERHEAD_BYTES = 1536 << 20
"""Address space of Python, DuckDB's code and its threads' stacks beside what queries may use."""
THREADS = 2
LARGEST_NUMBER = 2**53
REFUSED, VALUES, TOO_LARGE = "refused", "values", "memory"
TOO_LONG = marked("it is longer than {most} characters")
EMPTY = marked("it is empty")
SEVERAL = marked("these are {count} statements; run one at a time")
PIVOT = marked("PIVOT reads its columns by a statement of its own; name them, as in ON model IN ('base', 'small')")
NO_SELECT = marked("only SELECT may run, and this is {kind}")
TOO_WIDE = marked("it has {columns} columns; at most {most} are shown")
"""Reasons are put into the reader's language by the process that asked; DuckDB's own words are English."""
LOCK = (
    "SET GLOBAL enable_external_access = false",
    "SET GLOBAL lock_configuration = true",
)
ALLOW = "SET GLOBAL allowed_paths = {}"
VIEW = """
CREATE VIEW {} AS SELECT * FROM read_parquet({}, hive_partitioning = true, hive_types_autocast = false,
    hive_types = {{'year': INTEGER, 'month': INTEGER}}, union_by_name = true)
"""
EMPTY_VIEW = "CREATE VIEW {} AS SELECT {}, NULL::INTEGER AS year, NULL::INTEGER AS month WHERE false"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryOrder:
    """One statement, the files of the datasets, and the limits."""

    statement: str
    paths: dict[str, list[Path]]
    memory_mb: int
    seconds: float
    max_rows: int


@dataclass(frozen=True, slots=True)
class QueryRefusal:
    """Why a statement may not run: a text and the values of its places."""

    text: str
    values: dict[str, Any]


def main() -> int:
    """Read the order, run the query, and write its answer."""
    parent = os.getppid()
    be_killed_with_parent()
    order = from_json(QueryOrder, sys.stdin.buffer.read())
    if os.getppid() != parent:
        return 1
    memory_bytes = (order.memory_mb << 20) + OVERHEAD_BYTES
    signal.setitimer(signal.ITIMER_REAL, order.seconds)  # nobody handles SIGALRM, so it ends the process
    sandbox.confine(math.ceil(THREADS * order.seconds) + 5, memory_bytes=memory_bytes, open_files=1024)
    try:
        answer = answer_of(order)
    except (duckdb.OutOfMemoryException, MemoryError):
        answer = {TOO_LARGE: True}
    except duckdb.Error as error:
        answer = (
            {TOO_LARGE: True}
            if "bad_alloc" in str(error)
            else {REFUSED: "{reason}", VALUES: {"reason": _reason(error)}}
        )
    sys.stdout.write(json.dumps(answer))
    return 0


def answer_of(order: QueryOrder) -> dict[str, Any]:
    config = {
        "memory_limit": f"{order.memory_mb}MiB",
        "threads": str(THREADS),
        "max_temp_directory_size": "0B",
        "python_enable_replacements": "false",
        "allow_community_extensions": "false",
    }
    with scratch(config) as con:
        if (problem := refusal(con, order.statement)) is not None:
            return {REFUSED: problem.text, VALUES: problem.values}
        _prepare(con, order.paths)
        return _result(con.execute(order.statement), order.max_rows)


def refusal(con: DuckDBPyConnection, statement: str) -> QueryRefusal | None:
    """Return why a statement may not run, or None if it only reads."""
    if len(statement) > MAX_STATEMENT_CHARS:
        return QueryRefusal(TOO_LONG, {"most": MAX_STATEMENT_CHARS})
    try:
        found = con.extract_statements(statement)
    except duckdb.Error as error:
        return QueryRefusal("{reason}", {"reason": _reason(error)})
    if len(found) != 1:
        return QueryRefusal(SEVERAL, {"count": len(found)}) if found else QueryRefusal(EMPTY, {})
    if found[0].type == duckdb.StatementType.MULTI:
        return QueryRefusal(PIVOT, {})
    if found[0].type != duckdb.StatementType.SELECT:
        return QueryRefusal(NO_SELECT, {"kind": found[0].type.name})
    return None


def _reason(error: duckdb.Error) -> str:
    """Return DuckDB's words in one line, without the carets below it."""
    lines = (line.strip() for line in str(error).splitlines())
    return " ".join(line for line in lines if line.strip("^"))[:2000]


def _prepare(con: DuckDBPyConnection, paths: dict[str, list[Path]]) -> None:
    """Make the views, and give up access to all else."""
    for dataset in DATASETS:
        files = paths.get(dataset.name, [])
        con.execute(VIEW.format(dataset.name, _list(files)) if files else _empty_view(dataset)).fetchall()
    con.execute(ALLOW.format(_list([path for files in paths.values() for path in files]))).fetchall()
    for statement in LOCK:
        con.execute(statement).fetchall()


def _empty_view(dataset: Dataset) -> str:
    return EMPTY_VIEW.format(dataset.name, ", ".join(f"NULL::{one.type} AS {one.name}" for one in dataset.columns))


def _list(paths: list[Path]) -> str:
    quoted = (str(path).replace("'", "''") for path in paths)
    return "[" + ", ".join(f"'{path}'" for path in quoted) + "]"


def _result(found: DuckDBPyConnection, max_rows: int) -> dict[str, Any]:
    """Return the first rows, as many as may be shown."""
    columns = [{"name": str(one[0]), "type": str(one[1])} for one in found.description or ()]
    if len(columns) > MAX_COLUMNS:
        return {REFUSED: TOO_WIDE, VALUES: {"columns": len(columns), "most": MAX_COLUMNS}}
    rows: list[list[Any]] = []
    size, cut = 0, False
    while (row := found.fetchone()) is not None:
        told = [_plain(value) for value in row]
        size += len(json.dumps(told))
        if len(rows) >= max_rows or size > MAX_ANSWER_BYTES:
            cut = True
            break
        rows.append(told)
    return {"columns": columns, "rows": rows, "cut": cut}


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; long texts are cut."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= LARGEST_NUMBER else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes):
        value = value[:MAX_CELL_CHARS].hex()
    elif isinstance(value, datetime | date | time):
        value = value.isoformat()
    text = str(value)
    return text if len(text) <= MAX_CELL_CHARS else text[:MAX_CELL_CHARS] + "…"


if __name__ == "__main__":
    sys.exit(main())
