"""One audited write, with and without an origin, beside the form of the rows before origins.

python -m benchmarks.bench_audit [--rows 20000] [--rounds 1000]
"""

import argparse
import hashlib
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC
from pathlib import Path

from duckdb import DuckDBPyConnection

from storage.domain.clock import utc_now
from storage.ledger import audit, audit_origin
from storage.ledger.database import Ledger

WANTED_MS = 5
OLD_TABLES = """
CREATE TABLE old_audit (seq BIGINT NOT NULL, happened_at TIMESTAMPTZ NOT NULL, actor VARCHAR NOT NULL,
    action VARCHAR NOT NULL, subject VARCHAR NOT NULL, detail JSON NOT NULL, hash VARCHAR NOT NULL);
CREATE TABLE old_head (one INTEGER PRIMARY KEY, count BIGINT NOT NULL, hash VARCHAR NOT NULL);
INSERT INTO old_head VALUES (1, 0, '');
"""
OLD_HEAD = "SELECT count, hash FROM old_head"
OLD_APPEND = """
INSERT INTO old_audit (seq, happened_at, actor, action, subject, detail, hash)
VALUES ($seq, $happened_at, $actor, $action, $subject, $detail, $hash)
"""
OLD_MOVE = "UPDATE old_head SET count = $seq, hash = $hash"
ROW = {"actor": "user:01a22507-6235-7000-a52a-d022bdad9c6f", "action": "user.role", "subject": "bench"}
DETAIL = {"from": "member", "to": "reader"}
ORIGIN = audit_origin.cleaned(
    address="2001:db8::1234:5678",
    agent="Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    request_id="0123456789abcdef",
    key_id="01a22507-6235-7000-a52a-d022bdad9c6f",
)


def old(con: DuckDBPyConnection) -> None:
    """Append a row as the version before origins did."""
    count, before = con.execute(OLD_HEAD).fetchall()[0]
    detail = json.dumps(DETAIL, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    now = utc_now()
    instant = now.astimezone(UTC).isoformat(timespec="microseconds")
    payload = json.dumps([before, count + 1, instant, *ROW.values(), detail], ensure_ascii=False)
    digest = hashlib.sha256(payload.encode()).hexdigest()
    con.execute(OLD_APPEND, ROW | {"seq": count + 1, "happened_at": now, "detail": detail, "hash": digest})
    con.execute(OLD_MOVE, {"seq": count + 1, "hash": digest})


def without(con: DuckDBPyConnection) -> None:
    """Append a row that the platform writes by itself."""
    audit.record(con, **ROW, detail=DETAIL, origin=audit_origin.NOWHERE)


def with_origin(con: DuckDBPyConnection) -> None:
    """Append a row of a request."""
    audit.record(con, **ROW, detail=DETAIL, origin=ORIGIN)


FORMS: dict[str, Callable[[DuckDBPyConnection], None]] = {
    "as before origins": old,
    "without an origin": without,
    "with address, program, request and key": with_origin,
}


def p95_of(times: list[float]) -> float:
    """Return the 95th percentile."""
    return statistics.quantiles(times, n=20)[-1]


def main() -> None:
    """Fill both chains, then write in turns, each row a transaction of its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=1000)
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    took: dict[str, list[float]] = {form: [] for form in FORMS}
    busy: dict[str, list[float]] = {form: [] for form in FORMS}
    with (
        tempfile.TemporaryDirectory(prefix="bench-audit-") as folder,
        Ledger.open(Path(folder) / "ledger.duckdb") as ledger,
    ):
        with ledger.write() as con:
            con.execute(OLD_TABLES)
        with ledger.write() as con:
            for _ in range(asked.rows):
                old(con)
                with_origin(con)
        ledger.checkpoint()
        for _ in range(asked.rounds):
            for form, work in FORMS.items():
                began, busy_before = time.perf_counter(), time.thread_time()
                ledger.run(work)
                took[form].append(1000 * (time.perf_counter() - began))
                busy[form].append(1000 * (time.thread_time() - busy_before))
    print(f"## One audited write, after {asked.rows:,} rows\n")
    print(f"| milliseconds (wanted: 95% < {WANTED_MS}) | times | median | 95% | processor, median | 95% |")
    print("|---|---|---|---|---|---|")
    for form, times in took.items():
        cells = [f"{cell:.2f}" for one in (times, busy[form]) for cell in (statistics.median(one), p95_of(one))]
        print(f"| {form} | {len(times)} | {' | '.join(cells)} |")
    print("\nEach write is a transaction with its commit; the forms take turns. Processor: what the write computes.")
    print(f"Load average {load:.1f} before, {os.getloadavg()[0]:.1f} after. `python -m benchmarks audit`.")


if __name__ == "__main__":
    main()
