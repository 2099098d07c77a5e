"""A data folder made by commit 01b573e (23 November 2026), served by this version.

`01b573e.tar.xz` is the data folder of `transcriber transcribe demo/speech/01-flite-slt.flac` there.
"""

import json
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from duckdb import DuckDBPyConnection

from dashboards.runtime import context
from storage.accounts import users
from storage.domain.export_formats import USUAL_FORMATS
from storage.domain.records import Job, Transcript, from_json
from storage.jobs import job_store
from storage.ledger import backups, schema_migrations
from storage.ledger.database import Ledger
from storage.ledger.database_file import connect
from storage.maintenance import housekeeping
from storage.transcripts import transcript_store
from tasks.exports.writers import export
from tests.dashboards.services.test_make_exports import PlayedRuns, stored
from tests.dashboards.site import Site, make_settings, running
from tests.waiting import PATIENCE_S

OLD_DATA = Path(__file__).parent / "01b573e.tar.xz"


def unpack(folder: Path) -> None:
    """Unpack the old data folder; Debian's Python 3.11.2 has no filters yet, which later ones want."""
    with tarfile.open(OLD_DATA) as packed:
        packed.extraction_filter = getattr(tarfile, "data_filter", None)
        packed.extractall(folder)  # noqa: S202 - our own archive


@pytest.fixture
def old_site(tmp_path: Path) -> Iterator[Site]:
    """The app on the old folder, with a worker that makes exports."""
    settings = make_settings(tmp_path)
    unpack(settings.storage.data_dir)
    with running(settings) as site:
        until_s = time.monotonic() + PATIENCE_S
        while context.current().runs is None:
            assert time.monotonic() < until_s
            time.sleep(0.01)
        context.current().runs = PlayedRuns()  # type: ignore[assignment]
        yield site


def test_the_update_is_undone_by_the_copy_that_it_made_before(tmp_path: Path) -> None:
    unpack(tmp_path)
    path = next(tmp_path.rglob("ledger.duckdb"))
    with connect(path) as con:
        before = schema_migrations.version_of(con), job_rows(con)
    with Ledger.open(path) as ledger, ledger.read() as con:
        assert schema_migrations.version_of(con) > before[0]
    (copy,) = backups.folder_of(path).glob("before-*.duckdb")
    housekeeping.restore(copy, path)
    with connect(path) as con:
        assert (schema_migrations.version_of(con), job_rows(con)) == before


def job_rows(con: DuckDBPyConnection) -> list[tuple[str, str]]:
    return con.execute("SELECT id, name FROM jobs ORDER BY id").fetchall()


def the_job() -> Job:
    with context.ledger().read() as con:
        (job,) = job_store.page(con)
    return job


def test_exports_of_an_old_folder_are_made_again(old_site: Site) -> None:
    job = the_job()
    with context.ledger().read() as con:
        kept, owner = job_store.exports_of(con, job.id), users.get(con, job.owner_id)
    transcript = from_json(Transcript, context.files().read(stored(job)))
    key = old_site.key_of(owner)
    for fmt in USUAL_FORMATS:
        answer = old_site.client.get(f"/downloads/{job.id}/{fmt}", headers=key)
        assert (answer.status_code, answer.content) == (200, export(transcript, fmt)), fmt
        assert answer.headers["etag"].strip('"') not in kept[fmt]
    before = json.loads(context.files().read(kept["json"]))
    now = old_site.client.get(f"/downloads/{job.id}/json", headers=key).json()
    assert set(now) - set(before) == {"untranscribed"}
    assert now["text"] == before["text"] == transcript.text


def test_the_text_of_an_old_folder_is_read_and_found(old_site: Site) -> None:
    job = the_job()
    with context.ledger().read() as con:
        head = transcript_store.head(con, job.id)
        owner = users.get(con, job.owner_id)
    assert head is not None
    page = old_site.client.get(f"/api/v1/jobs/{job.id}", headers=old_site.key_of(owner)).json()
    assert (page["state"], page["name"]) == ("completed", "01-flite-slt.flac")
