"""Orphans: found twice before they are deleted, and never where the ledger may be the one that is wrong."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from storage.domain import names
from storage.domain.clock import utc_now
from storage.files.file_store import Files
from storage.jobs import manifests
from storage.ledger.database import Ledger
from storage.maintenance import orphans
from storage.maintenance.orphans import Swept

NOW, DAY = utc_now(), timedelta(days=1)
LOST = ("media/ab/abc1", "spans/ab/abc2.flac", "plans/ab/abc1/x.json", "exports/ab/none/x.srt")


def test_what_belongs_to_nobody_goes_after_a_day_and_all_else_stays(
    ledger: Ledger, files: Files, make_job: Any, run_of: Any, tmp_path: Path
) -> None:
    job = make_job()
    files.write(names.media_name(job.media_sha256), b"sound")
    run_of(job).whole_way()
    kept = set(files.list())
    for name in (*LOST, "backups/x/manifest.json", "audit/heads/2026-01-01.json"):
        files.write(name, b"x")
    seen = tmp_path / "orphans.json"
    assert orphans.sweep(ledger, files, seen, now=NOW) == Swept(found=4, deleted=0)
    files.write("media/ab/new", b"x")
    assert orphans.sweep(ledger, files, seen, now=NOW + 0.9 * DAY) == Swept(found=5, deleted=0)
    assert orphans.sweep(ledger, files, seen, now=NOW + DAY) == Swept(found=5, deleted=4)
    assert set(files.list()) == kept | {"media/ab/new", "backups/x/manifest.json", "audit/heads/2026-01-01.json"}


def test_an_empty_ledger_on_full_storage_deletes_nothing(  # noqa: PLR0917 - fixtures
    ledger: Ledger, files: Files, make_job: Any, run_of: Any, lost: Any, tmp_path: Path
) -> None:
    run_of(make_job()).whole_way()
    manifests.catch_up(ledger, files)
    there = set(files.list())
    with lost() as empty:
        for days in range(3):
            swept = orphans.sweep(empty, files, tmp_path / "orphans.json", now=NOW + days * DAY)
            assert "transcriber admin rebuild" in swept.unsafe
    assert set(files.list()) == there


def test_spans_of_recordings_that_were_rebuilt_stay(
    ledger: Ledger, files: Files, make_job: Any, run_of: Any, tmp_path: Path
) -> None:
    """A rebuild brings no spans into the ledger; their results are on storage for whoever asks again."""
    run_of(make_job()).whole_way()
    with ledger.write() as con:
        con.execute("DELETE FROM spans")
    files.write("results/ab/abc2/x.json", b"x")
    for days in range(3):
        orphans.sweep(ledger, files, tmp_path / "orphans.json", now=NOW + days * DAY)
    assert files.exists("results/ab/abc2/x.json")
