"""CSV for spreadsheets, which take no text in it for a formula (OWASP, CSV injection)."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

RISKY = ("=", "+", "-", "@", "\t", "\r")


def cell(text: str) -> str:
    """Keep spreadsheets from interpreting a text as a formula."""
    return f"'{text}" if text.startswith(RISKY) else text


def table(columns: Mapping[str, Sequence[Any]]) -> bytes:
    """Return columns of one length as a CSV file with a header."""
    text = io.StringIO()
    out = csv.writer(text)
    out.writerow([cell(name) for name in columns])
    rows = zip(*columns.values(), strict=True)
    out.writerows([cell(value) if isinstance(value, str) else value for value in row] for row in rows)
    return text.getvalue().encode("utf-8-sig")
