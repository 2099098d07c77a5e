"""The file of the search index on a disk that is full for a while."""

from pathlib import Path

import pytest

from storage.domain.errors import StorageFull
from storage.search.search_file import SearchFile, rows

SCHEMA = "CREATE TABLE told (words TEXT)"
TELL = "INSERT INTO told VALUES ($words)"


def test_a_full_disk_is_called_so_and_costs_nothing_that_was_committed(tmp_path: Path) -> None:
    file = SearchFile.open(tmp_path / "search.sqlite3", schema=SCHEMA, version=1)
    with file.write() as con:
        con.execute(TELL, {"words": "before"})
        ((pages,),) = con.execute("PRAGMA page_count").fetchall()
        con.execute(f"PRAGMA max_page_count = {pages}")  # SQLite then says what it says of a full disk

    with pytest.raises(StorageFull, match="the search index"), file.write() as con:
        con.execute(TELL, {"words": "much " * 100_000})

    with file.write() as con:
        con.execute("PRAGMA max_page_count = 1000000")
        con.execute(TELL, {"words": "after"})
    with file.read() as con:
        assert rows(con, "SELECT words FROM told") == [("before",), ("after",)]
    file.close()
