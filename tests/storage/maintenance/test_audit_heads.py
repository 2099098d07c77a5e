"""A chain that was shortened or computed again is found by heads that were kept elsewhere."""

import dataclasses
from pathlib import Path

import pytest

from storage.domain.errors import BadRequest
from storage.files.file_store import Files
from storage.ledger import audit
from storage.ledger.database import Ledger
from storage.maintenance import audit_heads
from storage.maintenance.audit_heads import AuditHead


def grow(ledger: Ledger, rows: int = 3, *, actor: str = "system:test") -> AuditHead:
    for number in range(rows):
        ledger.run(audit.record, actor=actor, action="setting.change", subject=str(number))
    with ledger.read() as con:
        return audit_heads.current(con)


def problems(ledger: Ledger, *heads: AuditHead) -> tuple[str, ...]:
    with ledger.read() as con:
        return audit_heads.examine(con, heads).problems


def compute_again(ledger: Ledger, rows: int, *, actor: str) -> None:
    """Replace the chain by a whole one of other rows, as somebody with the file can."""
    with ledger.write() as con:
        con.execute("DELETE FROM audit")
        con.execute("UPDATE audit_head SET count = 0, hash = ''")
    grow(ledger, rows, actor=actor)
    with ledger.read() as con:
        assert audit.verify(con) is None


def test_a_chain_that_grew_fits_its_heads(ledger: Ledger) -> None:
    heads = [grow(ledger), grow(ledger)]
    grow(ledger)
    assert problems(ledger, *heads) == ()


def test_a_shortened_chain_is_found(ledger: Ledger) -> None:
    earlier = grow(ledger)
    with ledger.read() as con:
        kept = con.execute("SELECT count, hash FROM audit_head").fetchone()
    later = grow(ledger)
    with ledger.write() as con:
        con.execute("DELETE FROM audit WHERE seq > 3")
        con.execute("UPDATE audit_head SET count = ?, hash = ?", list(kept or ()))
    (told,) = problems(ledger, earlier, later)
    assert "6 rows, the chain only 3: it was shortened" in told


def test_a_chain_that_was_computed_again_is_found(ledger: Ledger) -> None:
    head = grow(ledger)
    compute_again(ledger, 5, actor="system:other")
    (told,) = problems(ledger, head)
    assert "another row 3: the chain was computed again" in told


def test_a_days_head_is_stored_once(ledger: Ledger, files: Files) -> None:
    first = grow(ledger)
    assert audit_heads.keep(files, first)
    assert not audit_heads.keep(files, dataclasses.replace(first, rows=9, hash="other"))
    assert audit_heads.kept(files) == [first]
    assert files.exists(f"audit/heads/{first.at:%Y-%m-%d}.json")


def test_heads_are_read_from_files_folders_and_logs(ledger: Ledger, files: Files, tmp_path: Path) -> None:
    head = grow(ledger)
    audit_heads.keep(files, head)
    log = tmp_path / "syslog"
    log.write_text(f"something else\nNov 29 02:00:00 host transcriber: audit head {head.to_line()}\n")
    (tmp_path / "odd").write_text('{"at": "yesterday"}')
    (tmp_path / "empty").write_text("nothing")
    for place in (str(log), str(tmp_path / "store"), f"file://{tmp_path / 'store'}"):
        assert audit_heads.read(place) == [head], place
    for place in ("odd", "empty", "missing"):
        with pytest.raises(BadRequest):
            audit_heads.read(str(tmp_path / place))
