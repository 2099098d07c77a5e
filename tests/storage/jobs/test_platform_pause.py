"""The maintenance pause of the platform, in a real ledger."""

from pathlib import Path

import pytest

from storage.domain.errors import BadRequest
from storage.jobs import platform_pause
from storage.ledger import audit
from storage.ledger.database import Ledger

ACTOR = "user:root"


def test_a_pause_outlives_the_process_until_it_is_ended(tmp_path: Path) -> None:
    path = tmp_path / "ledger.duckdb"
    with Ledger.open(path) as ledger:
        ledger.run(platform_pause.pause, "new disks", actor=ACTOR)
        ledger.run(platform_pause.pause, "new disks, until noon", actor="cli:ada")
        ledger.run(platform_pause.pause, "new disks, until noon", actor=ACTOR)
    with Ledger.open(path) as ledger:
        with ledger.read() as con:
            kept = platform_pause.find(con)
        assert kept is not None
        assert (kept.reason, kept.actor) == ("new disks, until noon", "cli:ada")
        for _ in range(2):
            ledger.run(platform_pause.resume, actor=ACTOR)
        with ledger.read() as con:
            assert platform_pause.find(con) is None
            rows = audit.page(con, subject=platform_pause.SUBJECT)
    assert [(row.action, row.detail["reason"]) for row in rows] == [
        ("platform.resume", "new disks, until noon"),
        ("platform.pause", "new disks, until noon"),
        ("platform.pause", "new disks"),
    ]


@pytest.mark.parametrize("reason", ["", "  ", "two\nlines", "x" * 301])
def test_a_reason_is_one_line_that_everybody_can_read(tmp_path: Path, reason: str) -> None:
    with (
        Ledger.open(tmp_path / "ledger.duckdb") as ledger,
        pytest.raises(BadRequest, match="reason: say in 1 to 300 characters"),
    ):
        ledger.run(platform_pause.pause, reason, actor=ACTOR)
