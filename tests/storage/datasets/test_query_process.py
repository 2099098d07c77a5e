"""Hostile queries: what may not run is refused, what never ends is stopped, and nothing else is read or written."""

import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import pytest

from storage.datasets import dataset_export, query_process, query_runner
from storage.datasets.dataset_place import DatasetPlace
from storage.datasets.example_queries import EXAMPLES
from storage.datasets.query_process import MAX_STATEMENT_CHARS, QueryOrder
from storage.domain.errors import QueriesBusy, QueryRefused, QueryStopped
from storage.domain.records import User
from storage.domain.translation import speaking
from storage.files.file_store import Files
from storage.ledger.database import Ledger
from tests.factories import DirectReporter, FlowRun, accept

Paths = dict[str, list[Path]]


@pytest.fixture
def paths(ledger: Ledger, files: Files, reporter: DirectReporter, ann: User, tmp_path: Path) -> Paths:
    """The exported datasets of one recording, and beside them a file that no query may read."""
    FlowRun(reporter, files, accept(ledger, ann)).whole_way()
    place = DatasetPlace(files, "datasets")
    done = dataset_export.export(ledger, place, actor="system:test")
    (tmp_path / "secret.csv").write_text("secret\n1\n")
    return place.local_paths(done.manifest, tmp_path / "cache")


@pytest.fixture
def answer(paths: Paths) -> Callable[[str], dict[str, Any]]:
    """Return a function that asks as the process does, without starting one."""

    def ask(statement: str, max_rows: int = 100) -> dict[str, Any]:
        order = QueryOrder(statement=statement, paths=paths, memory_mb=128, seconds=5, max_rows=max_rows)
        return query_process.answer_of(order)

    return ask


NOT_A_SELECT = {
    "COPY (SELECT 1) TO '{folder}/out.csv'": "COPY",
    "COPY jobs FROM '{folder}/secret.csv'": "COPY",
    "ATTACH '{folder}/ledger.duckdb' AS ledger (READ_ONLY)": "ATTACH",
    "ATTACH ':memory:' AS more": "ATTACH",
    "DETACH memory": "DETACH",
    "INSTALL httpfs": "LOAD",
    "LOAD httpfs": "LOAD",
    "SET memory_limit = '100GB'": "SET",
    "SET enable_external_access = true": "SET",
    "RESET lock_configuration": "SET",
    "PRAGMA memory_limit = '100GB'": "SET",
    "PRAGMA database_list": "",
    "CALL enable_logging(storage = 'file')": "CALL",
    "EXPORT DATABASE '{folder}/export'": "EXPORT",
    "IMPORT DATABASE '{folder}/export'": "PRAGMA",
    "CREATE TABLE mine AS SELECT 1": "CREATE",
    "CREATE OR REPLACE VIEW jobs AS SELECT 1": "CREATE",
    "CREATE SECRET (TYPE s3, KEY_ID 'x', SECRET 'y')": "CREATE",
    "CREATE MACRO f() AS 1": "CREATE",
    "INSERT INTO jobs VALUES (1)": "INSERT",
    "UPDATE jobs SET name = ''": "UPDATE",
    "DELETE FROM audit": "DELETE",
    "DROP VIEW jobs": "DROP",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{folder}/out.csv'": "EXPLAIN",
    "PREPARE p AS SELECT 1": "PREPARE",
    "VACUUM": "VACUUM",
    "FORCE CHECKPOINT": "CALL",
    "BEGIN": "TRANSACTION",
    "SELECT 1; COPY (SELECT 1) TO '{folder}/out.csv'": "2 statements",
    "SELECT 1; SELECT 2": "2 statements",
    "PIVOT jobs ON model USING count(*)": "ON model IN",
    "": "empty",
    "-- nothing": "empty",
    "SELEC 1": "syntax error",
    "SELECT '" + "x" * MAX_STATEMENT_CHARS + "'": "longer than",
}
REACHES_OUT = (
    "SELECT * FROM read_csv('{folder}/secret.csv')",
    "SELECT * FROM '{folder}/secret.csv'",
    "SELECT * FROM read_text('/proc/self/environ')",
    "SELECT * FROM read_blob('/dev/stdin')",
    "SELECT * FROM read_json('{folder}/secret.csv')",
    "SELECT * FROM sniff_csv('{folder}/secret.csv')",
    "SELECT * FROM glob('{folder}/*')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM read_parquet('{folder}/store/datasets/jobs/*/*/*.parquet')",
    "SELECT * FROM read_parquet('{folder}/../x.parquet')",
    "SELECT * FROM read_duckdb('{folder}/ledger.duckdb')",
    "SELECT * FROM 'http://127.0.0.1:1/x.parquet'",
    "SELECT * FROM read_csv('https://example.org/x.csv')",
    "SELECT * FROM 's3://bucket/x.parquet'",
    "SELECT getenv('HOME')",
    "SELECT * FROM query('COPY (SELECT 1) TO ''{folder}/out.csv''')",
    "SELECT * FROM query_table('{folder}/secret.csv')",
    "SELECT * FROM json_execute_serialized_sql('{{\"statements\": []}}')",
    "WITH gone AS (DELETE FROM jobs RETURNING *) SELECT * FROM gone",
    "SELECT * FROM paths",
    "SELECT * FROM users",
    "SELECT * FROM sqlite_scan('{folder}/search.sqlite3', 'x')",
    "SELECT * FROM postgres_scan('', '', '')",
)


def said(answer: dict[str, Any]) -> str:
    return str(answer["refused"].format(**answer["values"]))


@pytest.mark.parametrize("statement", NOT_A_SELECT)
def test_only_one_select_may_run(statement: str, tmp_path: Path) -> None:
    given = QueryOrder(statement=statement.format(folder=tmp_path), paths={}, memory_mb=64, seconds=5, max_rows=1)
    assert NOT_A_SELECT[statement].lower() in said(query_process.answer_of(given)).lower()
    assert list(tmp_path.iterdir()) == []


def test_a_select_reaches_nothing_but_the_datasets(answer: Callable[[str], dict[str, Any]], tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    for statement in REACHES_OUT:
        answered = answer_or_refusal(answer, statement.format(folder=tmp_path))
        assert "rows" not in answered, statement
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def answer_or_refusal(answer: Callable[[str], dict[str, Any]], statement: str) -> dict[str, Any]:
    try:
        return answer(statement)
    except duckdb.Error as error:
        return {"refused": str(error)}


def test_what_duckdb_says_is_one_line_without_its_carets(paths: Paths) -> None:
    wrong = {
        "SELECT name\nFROM jbos": r'Did you mean "jobs"\? LINE 2: FROM jbos$',
        "SELECT name\nFORM jobs": r"LINE 2: FORM jobs$",
    }
    for statement, said_so in wrong.items():
        with pytest.raises(QueryRefused) as refused:
            query_runner.run(statement, paths, seconds=20, memory_mb=128)
        assert re.search(said_so, refused.value.reason), refused.value.reason


def test_the_examples_run(answer: Callable[[str], dict[str, Any]]) -> None:
    found = {name: answer(statement) for name, statement in EXAMPLES.items()}
    assert {name: len(one["rows"]) for name, one in found.items()} == {
        "hours": 1, "cost": 1, "pace": 1, "failures": 0, "doubtful": 0,
    }  # fmt: skip
    assert found["pace"]["rows"] == [["tiny", 1, 12.0]]


def test_rows_and_cells_are_cut(answer: Callable[..., dict[str, Any]]) -> None:
    found = answer("SELECT repeat('x', 20000), range FROM range(1000)", max_rows=3)
    assert ([row[1] for row in found["rows"]], found["cut"]) == ([0, 1, 2], True)
    assert len(found["rows"][0][0]) < 11_000
    values = answer("SELECT 'nan'::DOUBLE, 12345678901234567890::HUGEINT, 1.50, DATE '2026-01-31', [1, NULL], NULL")
    assert values["rows"] == [["nan", "12345678901234567890", "1.50", "2026-01-31", "[1, None]", None]]
    assert "500" in said(answer("SELECT " + ", ".join(f"{n} AS c{n}" for n in range(600))))


def test_the_process_answers_and_has_no_secrets(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSCRIBER_WORKER_TOKEN", "s3cret")
    found = query_runner.run("SELECT name, month FROM jobs", paths, seconds=20, memory_mb=128)
    assert found.rows[0][0] == "talk.wav"
    with pytest.raises(QueryRefused, match="file system operations are disabled"):
        query_runner.run("SELECT * FROM read_text('/proc/self/environ')", paths, seconds=20, memory_mb=128)
    with speaking("de"), pytest.raises(QueryRefused, match="nur SELECT darf laufen, und das ist DROP"):
        query_runner.run("DROP TABLE jobs", {}, seconds=20, memory_mb=128)


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("SELECT count(*) FROM range(1000000000000) a WHERE a.range * 3 % 7 = 3", "longer than 1 s"),
        ("SELECT sleep_ms(600000)", "longer than 1 s"),
        ("SELECT repeat('x', 3000000000)", "memory"),
    ],
)
def test_what_takes_too_long_or_too_much_is_stopped(statement: str, why: str) -> None:
    before = set(children())
    with pytest.raises(QueryStopped, match=why):
        query_runner.run(statement, {}, seconds=30 if why == "memory" else 1, memory_mb=128)
    assert set(children()) <= before


def children() -> list[str]:
    return Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()


def test_a_third_query_waits_in_vain() -> None:
    def ask(_: int) -> type[Exception]:
        try:
            query_runner.run("SELECT sleep_ms(600000)", {}, seconds=3, memory_mb=128)
        except (QueriesBusy, QueryStopped) as error:
            return type(error)
        raise AssertionError

    with ThreadPoolExecutor(3) as pool:
        assert sorted(error.__name__ for error in pool.map(ask, range(3))) == ["QueriesBusy", *["QueryStopped"] * 2]
