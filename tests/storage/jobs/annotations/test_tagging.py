"""Tags of recordings: how they are written, who is told, and what they find."""

from collections.abc import Callable

import pytest

from storage.domain.errors import BadRequest
from storage.domain.records import Job, User
from storage.domain.tags import MAX_TAGS, clean_tags, split_tags
from storage.jobs import job_store, listing
from storage.jobs.annotations import tagging
from storage.jobs.listing import JobFilter
from storage.ledger import audit
from storage.ledger.database import Ledger
from tests.storage.conftest import MakeJob

ACTOR = "user:ann"


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("Board, board,BOARD", ("board",)),
        (" #Q3   planning\t, Ärger ", ("q3 planning", "ärger")),
        ("a\u0308", ("ä",)),
        ("x\u0007y", ("x y",)),
        (" , #,", ()),
        ("/Board // 2026/, /", ("board/2026",)),
        (
            "\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
            ("\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",),
        ),
        ("\u0915\u094d\u200d\u0937\u200d", ("\u0915\u094d\u200d\u0937",)),
        ("bo\u200dard\u200c, board, \u200d", ("board",)),
    ],
)
def test_tags_are_normalised(typed: str, stored: tuple[str, ...]) -> None:
    assert split_tags(typed) == stored


def test_a_tag_with_slashes_is_in_its_folders(ledger: Ledger, make_job: MakeJob) -> None:
    deep = make_job(content="a", tags=("board/2026/march",))
    beside = make_job(content="b", tags=("board/2025", "x"))
    make_job(content="c", tags=("keyboard/2026", "boards"))
    with ledger.read() as con:
        found = {
            tag: [job.id for job in listing.page(con, JobFilter(tag=tag)).jobs]
            for tag in ("board", "board/2026", "board/2026/march", "board/20")
        }
        assert found == {
            "board": [beside.id, deep.id],
            "board/2026": [deep.id],
            "board/2026/march": [deep.id],
            "board/20": [],
        }
        assert listing.choices(con).tags == (
            "board", "board/2025", "board/2026", "board/2026/march", "boards", "keyboard", "keyboard/2026", "x",
        )  # fmt: skip


def test_tags_are_bounded() -> None:
    assert len(clean_tags(f"tag {n}" for n in range(MAX_TAGS))) == MAX_TAGS
    for wrong in ([f"tag {n}" for n in range(MAX_TAGS + 1)], ["x" * 41], ["  "]):
        with pytest.raises(BadRequest):
            clean_tags(wrong)


def test_a_change_of_tags_stands_in_the_audit_log(ledger: Ledger, make_job: Callable[..., Job]) -> None:
    job = make_job(tags=("Board",))
    tagged = ledger.run(tagging.change_tags, job.id, add=["2026", "board"], actor=ACTOR)
    assert (job.tags, tagged.tags, tagged.version) == (("board",), ("2026", "board"), job.version + 1)
    assert ledger.run(tagging.set_tags, job.id, ["BOARD", "2026"], actor=ACTOR) == tagged
    assert ledger.run(tagging.change_tags, job.id, remove=["Board", "none"], actor=ACTOR).tags == ("2026",)
    with ledger.read() as con:
        row = audit.page(con, subject=job.id)[1]
    assert (row.action, row.actor) == ("job.tag", ACTOR)
    assert row.detail == {"from": ["board"], "to": ["2026", "board"]}


def test_lists_are_filtered_by_a_whole_tag(
    ledger: Ledger, make_job: MakeJob, make_user: Callable[[str], User], ann: User
) -> None:
    mine = make_job(content="a", tags=("board", "board meeting"))
    make_job(content="b", tags=("keyboard",))
    theirs = make_job(make_user("Bob"), content="c", tags=("board", "%"))
    with ledger.read() as con:
        found = {listing.page(con, JobFilter(tag=tag, owner_id=ann.id)).jobs for tag in ("board", "board meeting")}
        assert {tuple(job.id for job in jobs) for jobs in found} == {(mine.id,)}
        assert [job.id for job in listing.page(con, JobFilter(tag="board")).jobs] == [theirs.id, mine.id]
        assert sum(listing.counts(con, JobFilter(tag="boa")).values()) == 0
        assert [job.id for job in job_store.page(con, tag="Board", owner_id=ann.id)] == [mine.id]
        assert listing.choices(con, ann.id).tags == ("board", "board meeting", "keyboard")
        assert tagging.used(con) == ("%", "board", "board meeting", "keyboard")
        assert tagging.used(con, limit=1) == ("board",)
