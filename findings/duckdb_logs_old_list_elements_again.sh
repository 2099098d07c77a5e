#!/usr/bin/env bash
# Guess: a row that is inserted costs DuckDB's write-ahead log about the bytes of that row.
# What happens: in a table with a list column, each insert writes the list elements of all rows since the last checkpoint
#   into the log again. After one long transcript (4,000 words) every clip of three words costs as much log as the
#   transcript; the same words as JSON text cost their own size. Who keeps words of transcripts in LIST columns and seldom
#   checkpoints sees a log that grows with the square of the day's work.
#   With duckdb 1.5.5 this table does not show it.
# Versions: duckdb 2.0.1, beside 1.5.5
# Date: 2026-11-28
# Source: measured here
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/measure.py" <<'PYTHON'
import os
import sys
import tempfile

import duckdb


def log_growth(column: str, long: str, short: str) -> tuple[int, int]:
    """Return the log's growth in bytes by the long row, and by each of 20 short ones after it."""
    path = f"{tempfile.mkdtemp(dir=sys.argv[1])}/ledger.duckdb"
    con = duckdb.connect(path)
    con.execute("SET checkpoint_threshold = '1 GB'")
    con.execute(f"CREATE TABLE segments (id BIGINT, words {column})")
    con.execute("CHECKPOINT")

    def size() -> int:
        return os.path.getsize(path + ".wal") if os.path.exists(path + ".wal") else 0

    before = size()
    con.execute(f"INSERT INTO segments SELECT 0, {long}")
    after_long = size()
    for number in range(20):
        con.execute(f"INSERT INTO segments SELECT {number + 1}, {short}")
    grown = after_long - before, (size() - after_long) // 20
    con.close()
    return grown


as_list = "list_transform(range({}), lambda number: 'word ' || number)"
as_text = "to_json(list_transform(range({}), lambda number: 'word ' || number))::VARCHAR"
lists = log_growth("VARCHAR[]", as_list.format(4000), as_list.format(3))
texts = log_growth("VARCHAR", as_text.format(4000), as_text.format(3))
print(f"duckdb {duckdb.__version__}: log bytes of a long row and of each short row after it")
print(f"  VARCHAR[]: {lists[0]}, {lists[1]}; JSON text: {texts[0]}, {texts[1]}")
if duckdb.__version__.startswith("2."):
    assert lists[1] > lists[0] / 2, "a short row no longer costs what the long one did"
else:
    assert lists[1] < lists[0] / 50, "the older release does it, too"
assert texts[1] < texts[0] / 50, "the text column costs more than its row, too"
PYTHON
for version in 2.0.1 1.5.5; do
  python3 -m venv "$folder/venv-$version"
  "$folder/venv-$version/bin/pip" install --quiet --disable-pip-version-check "duckdb==$version"
  "$folder/venv-$version/bin/python" "$folder/measure.py" "$folder"
done
