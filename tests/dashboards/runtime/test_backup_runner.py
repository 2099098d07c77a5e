"""Backups of a running platform: taken and tried in a child process, shown, counted, and begun by the clock."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from dashboards.loops import backup_keeper
from dashboards.runtime import context
from dashboards.runtime.maintenance import backup_runner
from dashboards.runtime.maintenance.backup_state import last_slot
from storage.backup import backup_work, packing
from storage.backup.backup_store import BackupStore
from storage.domain.clock import utc_now
from storage.domain.errors import BackupRunning, LedgerClosed, TranscriberError
from storage.domain.records import Role
from storage.domain.settings import BackupSettings
from storage.files.file_store import Files
from storage.ledger import audit
from storage.ledger.database import Ledger
from tests.dashboards.desk import Desk, words
from tests.dashboards.site import Site
from tests.waiting import PATIENCE_S

KEY = packing.new_key()


def use(desk: Desk, **backup: Any) -> None:
    desk.holder.settings.__dict__["backup"] = BackupSettings(**backup, _env_file=None)


def actions(desk: Desk) -> list[tuple[str, dict[str, Any]]]:
    with desk.ledger.read() as con:
        return [(row.action, row.detail) for row in audit.page(con) if row.action.startswith("ledger.")]


def test_a_day_has_its_backup_and_its_drill_and_the_page_tells_of_them(desk: Desk) -> None:
    use(desk, backup_key=SecretStr(KEY))
    root, now = desk.user("root", Role.ADMIN), utc_now()
    assert "read a few minutes after the start" in words(desk.page("system", root))
    did = [asyncio.run(backup_keeper.look_after(now)) for _ in range(3)]
    (kept,) = desk.holder.backups.kept
    assert did == [f"backup {kept.manifest.id}", f"drill of {kept.manifest.id}", None]
    assert kept.drill is not None
    assert kept.drill.passed
    assert kept.manifest.recipient == packing.recipient_of(SecretStr(KEY))
    (drilled, passed), (backed_up, told) = actions(desk)
    assert (drilled, backed_up) == ("ledger.drill", "ledger.backup")
    assert passed == {"passed": True, "problems": []}
    assert told["sha256"] == kept.manifest.stored.sha256
    page = desk.page("system", root)
    assert [row["Trial restore"] for row in page.dataframe[0].value.to_dict("records")] == [
        f"passed {kept.drill.at:%H:%M}"
    ]
    tomorrow = now + timedelta(days=1)
    assert (asyncio.run(backup_keeper.look_after(tomorrow)) or "").startswith("backup ")


def test_a_backup_that_is_not_sound_fails_its_drill_and_everybody_sees_it(desk: Desk) -> None:
    root, _ = desk.user("root", Role.ADMIN), desk.user("ada")
    made = asyncio.run(backup_runner.take())
    with desk.ledger.write() as con:  # as if somebody had put an old ledger back, whose chain went on otherwise
        con.execute("UPDATE audit SET hash = 'other' WHERE seq = $seq", {"seq": made.contents.audit_rows})
    (problem,) = asyncio.run(backup_runner.drill(made.id)).problems
    assert "the chain was computed again, or another ledger is here" in problem
    stored = Path(desk.holder.files.url, "backups", made.id, made.stored_as)
    stored.write_bytes(stored.read_bytes()[:-10])
    report = asyncio.run(backup_runner.drill(made.id))
    assert "bytes instead of" in report.problems[0]
    assert desk.holder.backups.drills_failed == 1
    assert desk.holder.backups.drill_passed_at is None
    assert actions(desk)[0][1]["passed"] is False
    page = desk.page("system", root)
    assert "bytes instead of" in page.dataframe[0].value["Trial restore"][0]
    assert asyncio.run(backup_keeper.look_after(utc_now())) is None, "what failed is not tried again and again"


def test_another_key_says_nothing_of_the_backup(desk: Desk) -> None:
    desk.user("ada")
    use(desk, backup_key=SecretStr(KEY))
    made = asyncio.run(backup_runner.take())
    use(desk, backup_key=SecretStr(packing.new_key()))
    with pytest.raises(TranscriberError, match="is the key of"):
        asyncio.run(backup_runner.drill(made.id))
    assert desk.holder.backups.kept[0].drill is None
    desk.holder.backups.failed_at = None
    assert asyncio.run(backup_keeper.look_after(utc_now())) is None


def test_a_place_that_is_away_is_told_and_tried_again_later(desk: Desk, tmp_path: Path) -> None:
    use(desk, backup_url=str(tmp_path / "not-mounted"))
    keeping = backup_keeper.keep_backups(first_after_s=0, every_s=60)

    async def a_while() -> None:
        task = asyncio.create_task(keeping)
        while desk.holder.backups.error is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(asyncio.wait_for(a_while(), PATIENCE_S))
    assert "mount it" in (desk.holder.backups.error or "")
    root = desk.user("root", Role.ADMIN)
    assert "mount it" in words(desk.page("system", root))
    assert asyncio.run(backup_keeper.look_after(utc_now())) is None
    (tmp_path / "not-mounted").mkdir()
    later = utc_now() + backup_keeper.AGAIN_AFTER
    assert (asyncio.run(backup_keeper.look_after(later)) or "").startswith("backup ")
    assert desk.holder.backups.error is None


def test_another_platforms_backup_at_the_same_place_is_not_ours(desk: Desk, tmp_path: Path) -> None:
    root = desk.user("root", Role.ADMIN)
    with Ledger.open(tmp_path / "other" / "ledger.duckdb") as other:
        other.run(audit.record, actor="a", action="b", subject="c")
        with backup_work.alone(other.path) as work:
            backup_work.pack_and_keep(backup_work.snapshot(other, work), backup_runner.store(), None)
    asyncio.run(backup_runner.look())
    state = desk.holder.backups
    assert (len(state.kept), state.ours, state.newest) == (1, (), None)
    assert "There is no backup yet" in words(desk.page("system", root))
    made = asyncio.run(backup_runner.take())
    assert [one.manifest.id for one in state.ours] == [made.id]


def test_two_at_once_are_one_and_a_refusal(desk: Desk) -> None:
    async def both() -> tuple[object, object]:
        return await asyncio.gather(backup_runner.take(), backup_runner.take(), return_exceptions=True)

    first, second = asyncio.run(both())
    assert isinstance(second, BackupRunning)
    assert not isinstance(first, BaseException)
    with backup_work.alone(desk.ledger.path), pytest.raises(BackupRunning):  # another process's
        asyncio.run(backup_runner.take())


def test_a_stopping_platform_ends_the_child_and_leaves_nothing(desk: Desk) -> None:
    async def stopped() -> None:
        task = asyncio.create_task(backup_runner.take())
        while not list(desk.ledger.path.parent.glob("backups/work-*/ledger.duckdb")):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(stopped())
    assert desk.holder.backups.running is None
    assert BackupStore(Files(desk.holder.files.url)).all() == []
    assert not list(desk.ledger.path.parent.glob("backups/work-*"))


def test_a_time_of_day_is_that_of_today_or_yesterday() -> None:
    at, now = time_of_day(2, 30), datetime(2026, 11, 29, 2, 29, tzinfo=UTC)
    assert last_slot(at, now) == datetime(2026, 11, 28, 2, 30, tzinfo=UTC)
    assert last_slot(at, now + timedelta(minutes=1)) == datetime(2026, 11, 29, 2, 30, tzinfo=UTC)


def test_without_a_time_none_is_made(desk: Desk) -> None:
    use(desk, backup_at="")
    assert asyncio.run(backup_keeper.look_after(utc_now())) is None


def test_the_command_line_begins_one_and_sees_its_end(site: Site) -> None:
    def told() -> dict[str, Any]:
        answer: dict[str, Any] = site.client.get("/internal/v1/admin/backups", headers=site.operator).json()
        return answer

    def done(runs: int) -> dict[str, Any]:
        until_s = time.monotonic() + PATIENCE_S
        while (now := told())["runs"] == runs:
            assert time.monotonic() < until_s
            time.sleep(0.05)
        return now

    order = {"actor": "cli:anna"}
    began = site.client.post("/internal/v1/admin/backups", json=order, headers=site.operator)
    assert (began.status_code, began.json()["runs"]) == (202, 0)
    (made,) = done(0)["backups"]
    missing = site.client.post("/internal/v1/admin/drills", json={"id": "no"}, headers=site.operator)
    assert missing.status_code == 404
    assert site.client.post("/internal/v1/admin/drills", json=order, headers=site.operator).status_code == 202
    assert done(1)["backups"][0]["drill"]["passed"] is True
    with context.ledger().read() as con:
        assert {row.actor for row in audit.page(con, subject=made["id"])} == {"cli:anna"}
    scraped = site.client.get("/metrics", headers=site.operator).text
    assert "transcriber_backups 1.0" in scraped
    assert "transcriber_backup_failing 0.0" in scraped


async def test_the_loop_ends_with_the_ledger(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def closed(_: datetime) -> str | None:
        raise LedgerClosed("x")

    monkeypatch.setattr(backup_keeper, "look_after", closed)
    await asyncio.wait_for(backup_keeper.keep_backups(first_after_s=0, every_s=0), PATIENCE_S)
