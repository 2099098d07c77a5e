"""Backups: taken while others write, checked, refused when damaged, and nothing half-made."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from storage.backup import backup_work, packing
from storage.backup.backup_manifest import BackupManifest
from storage.backup.backup_process import Order
from storage.backup.backup_store import BackupStore
from storage.backup.rotation import Dated, Kept, to_remove
from storage.domain.clock import utc_now
from storage.domain.errors import (
    BackupRunning,
    BackupUnusable,
    BadRequest,
    NotFound,
    StorageFull,
    StorageUnreachable,
)
from storage.domain.records import to_json
from storage.files.file_store import Files
from storage.jobs import job_store
from storage.ledger import audit, backups
from storage.ledger.database import Ledger
from tests.waiting import PATIENCE_S

Take = Callable[..., BackupManifest]


@pytest.fixture(scope="module")
def key() -> SecretStr:
    return SecretStr(packing.new_key())


@pytest.fixture
def store(tmp_path: Path) -> BackupStore:
    return BackupStore(Files(str(tmp_path / "place")))


@pytest.fixture
def take(ledger: Ledger, store: BackupStore) -> Take:
    def taken(key: SecretStr | None = None, *, to: BackupStore = store) -> BackupManifest:
        with backup_work.alone(ledger.path) as work:
            return backup_work.pack_and_keep(backup_work.snapshot(ledger, work), to, key)

    return taken


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def record_many(ledger: Ledger, count: int = 50) -> None:
    for _ in range(count):
        ledger.run(audit.record, actor="a", action="b", subject="c")


def stored_file(store: BackupStore, manifest: BackupManifest) -> Path:
    path = store.files.path(f"backups/{manifest.id}/{manifest.stored_as}")
    assert path
    return path


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_backup_is_taken_while_others_write_and_passes_its_drill(
    ledger: Ledger, store: BackupStore, take: Take, work: Path, key: SecretStr, *, encrypted: bool
) -> None:
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            record_many(ledger, 1)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        manifest = take(key if encrypted else None)
    finally:
        stop.set()
        writer.join()
    assert manifest.stored_as.endswith(".age") is encrypted
    assert manifest.contents.rows["audit"] == manifest.contents.audit_rows
    report = backup_work.drill(store, "latest", key, work)
    assert report.problems == ()
    assert list(work.iterdir()) == []
    store.note_drill(manifest.id, report)
    assert [(one.manifest, one.drill) for one in store.all()] == [(manifest, report)]
    assert os.listdir(ledger.path.parent / "backups") == ["backup.lock"]  # noqa: PTH208


def test_the_tools_of_the_formats_read_a_backup(store: BackupStore, take: Take) -> None:
    """Zstandard's magic number and age's first line: whoever lost this program has `age` and `zstd`."""
    assert stored_file(store, take()).read_bytes()[:4] == bytes.fromhex("28b52ffd")
    assert stored_file(store, take(SecretStr(packing.new_key()))).read_bytes().startswith(b"age-encryption.org/v1\n")


def damaged(path: Path, how: str) -> None:
    data = path.read_bytes()
    match how:
        case "cut off":
            path.write_bytes(data[:-1000])
        case "changed":
            path.write_bytes(data[:-1000] + bytes([data[-1000] ^ 1]) + data[-999:])
        case _:
            path.unlink()


@pytest.mark.parametrize(
    ("how", "says"), [("cut off", "bytes instead of"), ("changed", "checksum differs"), ("gone", "is not there")]
)
def test_a_damaged_backup_fails_its_drill_and_is_not_restored(
    store: BackupStore, take: Take, work: Path, how: str, says: str
) -> None:
    manifest = take()
    damaged(stored_file(store, manifest), how)
    (problem,) = backup_work.drill(store, manifest.id, None, work).problems
    assert says in problem
    with pytest.raises(BackupUnusable, match=says):
        backup_work.fetch(store, manifest.id, None, work)


def test_another_key_and_no_key_are_named(store: BackupStore, take: Take, work: Path, key: SecretStr) -> None:
    manifest = take(key)
    with pytest.raises(BackupUnusable, match=f"encrypted for {packing.recipient_of(key)}; set TRANSCRIBER_BACKUP_KEY"):
        backup_work.fetch(store, manifest.id, None, work)
    with pytest.raises(BackupUnusable, match="is the key of age1"):
        backup_work.fetch(store, manifest.id, SecretStr(packing.new_key()), work)


@pytest.mark.parametrize("size", [0, 10, 1_000, 200_000])
@pytest.mark.parametrize("encrypted", [False, True])
def test_a_packed_file_that_is_cut_off_anywhere_is_refused(
    tmp_path: Path, key: SecretStr, size: int, *, encrypted: bool
) -> None:
    """Even if somebody cut the manifest's numbers to fit."""
    plain, packed, back = tmp_path / "plain", tmp_path / "packed", tmp_path / "back"
    plain.write_bytes(os.urandom(300_000))
    chosen = key if encrypted else None
    packing.pack(plain, packed, chosen)
    whole = packing.unpack(packed, back, chosen, name="x", limit_bytes=300_000)
    assert whole == packing.digest_of(plain) == packing.digest_of(back)
    packed.write_bytes(packed.read_bytes()[:size])
    with pytest.raises(BackupUnusable):
        packing.unpack(packed, back, chosen, name="x", limit_bytes=300_000)


def test_no_more_is_unpacked_than_the_manifest_says(tmp_path: Path, key: SecretStr) -> None:
    plain, packed = tmp_path / "plain", tmp_path / "packed"
    plain.write_bytes(bytes(50 << 20))
    for chosen in (None, key):
        packing.pack(plain, packed, chosen)
        with pytest.raises(BackupUnusable, match="more in it"):
            packing.unpack(packed, tmp_path / "back", chosen, name="x", limit_bytes=1000)
        assert (tmp_path / "back").stat().st_size < 2 << 20


def test_a_backup_whose_ledger_was_changed_by_somebody_who_knows_the_checksums_fails(
    ledger: Ledger, store: BackupStore, take: Take, work: Path, make_job: Any
) -> None:
    make_job()
    good = take()
    with ledger.write() as con:
        con.execute("UPDATE audit SET actor = 'user:other' WHERE seq = 1")
        con.execute("DELETE FROM jobs")
    forged = take()
    contents = good.contents
    lying = BackupManifest(**{field: getattr(forged, field) for field in forged.__slots__} | {"contents": contents})
    store.files.write(f"backups/{forged.id}/manifest.json", lying.to_bytes())
    problems = " ".join(backup_work.drill(store, forged.id, None, work).problems)
    assert "table jobs has 0 rows, and its manifest says 1" in problems
    assert "audit chain is broken at row 1" in problems


def test_two_backups_at_once_are_one_and_a_refusal(ledger: Ledger, take: Take) -> None:
    with backup_work.alone(ledger.path), pytest.raises(BackupRunning):
        take()
    take()


def test_a_folder_that_is_not_mounted_is_not_made(tmp_path: Path, take: Take) -> None:
    place = BackupStore(Files(str(tmp_path / "disk")), needs_folder=True)
    with pytest.raises(StorageUnreachable, match="mount it"):
        take(to=place)
    assert not (tmp_path / "disk").exists()
    with pytest.raises(StorageUnreachable):
        place.all()


def test_the_latest_of_several_ledgers_at_one_place_is_that_of_the_own(
    ledger: Ledger, store: BackupStore, take: Take, work: Path, tmp_path: Path
) -> None:
    record_many(ledger, 1)
    ours = take()
    with Ledger.open(tmp_path / "other" / "ledger.duckdb") as other:
        record_many(other, 1)
        with backup_work.alone(other.path) as folder:
            theirs = backup_work.pack_and_keep(backup_work.snapshot(other, folder), store, None)
    assert store.manifest("latest", origin=ours.contents.origin) == ours
    assert backup_work.fetch(store, "latest", None, work, origin=ours.contents.origin)[0] == ours
    assert store.manifest("latest", origin=theirs.contents.origin) == theirs
    for nobodys in ("", "of a third"):
        with pytest.raises(BadRequest, match=f"{theirs.id}, {ours.id}"):
            store.manifest("latest", origin=nobodys)
    store.remove(ours.id)
    assert store.manifest("latest", origin=ours.contents.origin) == theirs


def test_what_is_no_id_is_no_backup(store: BackupStore) -> None:
    for name in ("latest", "../../etc", "20260101T000000000Z"):
        with pytest.raises(NotFound):
            store.manifest(name)


def test_a_full_disk_there_leaves_no_backup_and_no_remains(
    ledger: Ledger, small_disk: Path, take: Take, store: BackupStore
) -> None:
    place = BackupStore(Files(str(small_disk)))
    (small_disk / "filler").write_bytes(bytes(shutil.disk_usage(small_disk).free - 8_192))
    with pytest.raises(StorageFull):
        take(to=place)
    assert place.all() == []
    assert [path for path in small_disk.rglob("*") if path.is_file()] == [small_disk / "filler"]
    (small_disk / "filler").unlink()
    assert [one.manifest for one in place.all()] == [] == store.all()
    assert take(to=place) == place.all()[0].manifest


def test_a_full_disk_here_is_noticed_before_and_costs_the_ledger_nothing(
    small_disk: Path, empty_ledger: Path, store: BackupStore
) -> None:
    shutil.copyfile(empty_ledger, small_disk / "ledger.duckdb")
    with Ledger.open(small_disk / "ledger.duckdb") as ledger:
        record_many(ledger)
        with pytest.raises(StorageFull, match="MiB are free"), backup_work.alone(ledger.path) as work:
            backup_work.snapshot(ledger, work)
        (small_disk / "filler").write_bytes(bytes(shutil.disk_usage(small_disk).free - 200_000))
        with pytest.raises(StorageFull), backup_work.alone(ledger.path) as work, ledger.cursor() as con:
            backups.copy_database(con, work / "ledger.duckdb")
        (small_disk / "filler").unlink()
        record_many(ledger, 1)
        with ledger.read() as con:
            assert audit.verify(con) is None
            assert audit.head(con)[0] == 51
    assert not list(small_disk.rglob("*.part"))


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_full_disk_during_a_drill_says_nothing_of_the_backup(
    small_disk: Path, store: BackupStore, take: Take, key: SecretStr, *, encrypted: bool
) -> None:
    manifest = take(key if encrypted else None)
    work = small_disk / "work"
    work.mkdir()
    (small_disk / "filler").write_bytes(bytes(shutil.disk_usage(small_disk).free - 8_192))
    with pytest.raises(StorageFull, match="no space in"):
        backup_work.drill(store, manifest.id, key, work)
    (small_disk / "filler").unlink()
    assert backup_work.drill(store, manifest.id, key, work).passed


def test_a_process_that_is_killed_leaves_no_backup_and_its_remains_go(
    ledger: Ledger, store: BackupStore, take: Take
) -> None:
    with ledger.write() as con:  # so much that it is killed before it is done
        con.execute(
            "CREATE TABLE much AS SELECT sha256(i::VARCHAR) || sha256((-i)::VARCHAR) AS x FROM range(300000) r(i)"
        )
    with backup_work.alone(ledger.path) as work:
        taken = backup_work.snapshot(ledger, work)
        place = {"url": store.url, "endpoint_url": None, "needs_folder": False, "key": None}
        order = Order(do="pack", backup_id=taken.id, made_at=taken.made_at, work=work, **place)  # type: ignore[arg-type]
        command = [sys.executable, "-m", "storage.backup.backup_process"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, cwd=Path(__file__).parents[3]) as process:
            assert process.stdin
            process.stdin.write(to_json(order))
            process.stdin.close()
            until_s = time.monotonic() + PATIENCE_S
            while not (work / "ledger.duckdb.zst").exists() and time.monotonic() < until_s:
                time.sleep(0.001)
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
    assert store.all() == []
    name = "backups/20200101T000000000Z/ledger.duckdb.zst"
    store.files.write(name, b"half")
    manifest = take()
    gone = backup_work.prune(store, Kept(), origin=manifest.contents.origin, now=utc_now())
    assert gone == ["20200101T000000000Z"]
    assert not store.files.exists(name)


class WrittenAndNotTold(Files):
    """A service whose answer to the creation of an object is lost."""

    def create(self, name: str, data: bytes) -> None:
        super().create(name, data)
        raise StorageUnreachable(name, "its answer was lost")


def test_a_backup_that_fails_at_its_manifest_leaves_nothing(tmp_path: Path, take: Take) -> None:
    store = BackupStore(WrittenAndNotTold(str(tmp_path / "other")))
    with pytest.raises(StorageUnreachable):
        take(to=store)
    assert list(store.files.list()) == []


def test_one_a_day_a_week_and_a_month_is_kept() -> None:
    first = datetime(2026, 1, 1, 2, 30, tzinfo=UTC)
    there: list[Dated] = []
    for day in range(500):
        at = first + timedelta(days=day)
        there += [Dated(id=f"{at:%Y%m%d}a", made_at=at), Dated(id=f"{at:%Y%m%d}b", made_at=at + timedelta(hours=2))]
        gone = set(to_remove(there, Kept()))
        there = [one for one in there if one.id not in gone]
    ids = [one.id for one in there]
    assert all(one.endswith("b") for one in ids)
    assert [one[:8] for one in ids[-7:]] == [f"202705{day:02}" for day in range(9, 16)]
    assert len(ids) == 7 + 2 + 12 - 1  # the newest week and month have their backup among the days
    assert ids[0].startswith("202606")


def test_one_that_failed_stands_for_no_day_and_the_last_good_one_stays() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    good = Dated(id="good", made_at=at)
    bad = [Dated(id=f"bad{n}", made_at=at + timedelta(days=n), failed=True) for n in range(1, 30)]
    assert to_remove([good, *bad], Kept(daily=1, weekly=0, monthly=0)) == []
    later = Dated(id="later", made_at=at + timedelta(days=40))
    assert set(to_remove([good, *bad, later], Kept(daily=1, weekly=0, monthly=0))) == {"good", *(b.id for b in bad)}


def test_backups_of_another_ledger_at_the_same_place_are_left_alone(store: BackupStore, take: Take) -> None:
    take()
    assert backup_work.prune(store, Kept(daily=1, weekly=0, monthly=0), origin="another", now=utc_now()) == []
    assert len(store.all()) == 1


def test_a_restored_backup_has_what_the_ledger_had(  # noqa: PLR0917 - fixtures
    ledger: Ledger, take: Take, store: BackupStore, work: Path, make_job: Any, key: SecretStr
) -> None:
    job = make_job()
    take(key)
    make_job()
    _, path = backup_work.fetch(store, "latest", key, work)
    with Ledger.open(path) as back, back.read() as con:
        assert [one.id for one in job_store.page(con)] == [job.id]
        assert audit.verify(con) is None
