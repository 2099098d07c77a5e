"""The folder of uploads in progress."""

from dataclasses import replace
from pathlib import Path

from storage.domain.records import Lane, Options
from storage.files.upload_room import reserved
from storage.files.upload_store import Upload, UploadStore, ident_of


def upload(key: str) -> Upload:
    return Upload(
        id=ident_of("ada", key), owner_id="ada", length_bytes=1000, name="talk.wav", options=Options(), lane=Lane.BATCH
    )


def test_what_is_settled_reserves_nothing_and_is_not_read_again(tmp_path: Path) -> None:
    store = UploadStore(tmp_path)
    done, open_one = store.save(upload("done")), store.save(upload("open"))
    assert reserved(store, by="ada").to_come_bytes == 2000
    store.save(replace(done, job_id="job"))
    assert [one.id for one in store.unsettled()] == [open_one.id]
    (tmp_path / f"{done.id}.json").write_text("no JSON at all")
    assert [one.id for one in store.unsettled()] == [open_one.id]
    assert store.outstanding_bytes() == reserved(store, by="ada").to_come_bytes == 1000


def test_a_deleted_upload_whose_key_comes_again_reserves_its_room(tmp_path: Path) -> None:
    store = UploadStore(tmp_path)
    store.save(replace(upload("same key"), job_id="job"))
    assert not list(store.unsettled())
    store.remove(ident_of("ada", "same key"))
    store.save(upload("same key"))
    assert reserved(store, by="ada").to_come_bytes == 1000
