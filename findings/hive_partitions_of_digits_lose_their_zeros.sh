#!/usr/bin/env bash
# Guess: a dataset that DuckDB has partitioned by a text column, such as a personnel number, gives back that text in every
#   reader: owner=00123 is "00123".
# What happens: pyarrow and Polars guess a type from the names of the folders that are there. While all owners are digits,
#   the column is an integer, 00123 is 123, and the same as 0123 would be; filters by the text fail or find nothing. The
#   day somebody called "ada" joins, the same dataset has text again, zeros and all. DuckDB itself reads text, since a
#   number would not be written like that, but of owner=4711 alone it makes a BIGINT. A schema for the partitions
#   (pyarrow, hive_schema in Polars, hive_types in DuckDB) ends the guessing.
# Versions: DuckDB 2.0.1, pyarrow 26.0.1, Polars 2.1.0
# Date: 2026-11-30
# Source: measured here
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1 pyarrow==26.0.1 polars==2.1.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds

ALL = "SELECT owner FROM read_parquet('{}/**/*.parquet', hive_partitioning = true) ORDER BY 1"


def owners(folder: str, names: list[str]) -> dict[str, list[object]]:
    """Write a dataset partitioned by these owners, and return what each reader makes of them."""
    rows = ", ".join(f"('{name}', 1)" for name in names)
    select = f"SELECT * FROM (VALUES {rows}) t(owner, hours)"
    duckdb.sql(f"COPY ({select}) TO '{folder}' (FORMAT parquet, PARTITION_BY (owner))")
    return {
        "DuckDB": [owner for (owner,) in duckdb.sql(ALL.format(folder)).fetchall()],
        "pyarrow": sorted(ds.dataset(folder, partitioning="hive").to_table()["owner"].to_pylist()),
        "Polars": sorted(pl.scan_parquet(folder, hive_partitioning=True).collect()["owner"]),
    }


for package in ("duckdb", "pyarrow", "polars"):
    print(f"{package} {version(package)}", end="; ")
print()
digits, joined, plain = owners("digits", ["00123", "0456"]), owners("joined", ["00123", "0456", "ada"]), owners("plain", ["4711"])
for what, found in (("00123, 0456", digits), ("00123, 0456, ada", joined), ("4711", plain)):
    print(f"  {what}: {found}")
assert digits["pyarrow"] == digits["Polars"] == [123, 456], "the behaviour has changed"
assert digits["DuckDB"] == ["00123", "0456"] and plain["DuckDB"] == [4711], "the behaviour has changed"
assert all(found == ["00123", "0456", "ada"] for found in joined.values()), "the behaviour has changed"
told = ds.partitioning(pa.schema([("owner", pa.string())]), flavor="hive")
assert sorted(ds.dataset("digits", partitioning=told).to_table()["owner"].to_pylist()) == ["00123", "0456"]
assert sorted(pl.scan_parquet("digits", hive_schema={"owner": pl.String}).collect()["owner"]) == ["00123", "0456"]
print("  with a schema for the partitions: the text, in each of them")
PYTHON
