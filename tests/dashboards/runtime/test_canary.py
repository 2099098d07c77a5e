"""The canary: what it finds, that it leaves nothing, and that no list shows it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from dashboards.runtime import context
from dashboards.runtime.maintenance import canary
from storage.accounts.canary_account import CANARY_ID
from storage.domain.records import Job, JobState, Role
from storage.domain.settings import UpkeepSettings
from storage.jobs import canary_jobs, job_store, listing, statistics
from storage.jobs.listing import JobFilter
from tests.dashboards.desk import Desk, words
from tests.factories import DirectReporter, FlowRun, transcript_of
from tests.waiting import PATIENCE_S


def fly(desk: Desk, work: Callable[[Job], object], **given: Any) -> bool:
    """Let one fly; `work` is what happens to its job."""

    async def both() -> bool:
        flight = asyncio.create_task(canary.fly(**given))
        while not (found := waiting(desk)):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        work(found)
        return await flight

    return asyncio.run(asyncio.wait_for(both(), PATIENCE_S))


def waiting(desk: Desk) -> Job | None:
    with desk.ledger.read() as con:
        found = canary_jobs.left(con)
        return job_store.get(con, found[0]) if found else None


def run_of(desk: Desk, job: Job) -> FlowRun:
    return FlowRun(DirectReporter(desk.ledger, desk.holder.files), desk.holder.files, job)


def test_one_that_comes_back_is_timed_and_leaves_nothing(desk: Desk) -> None:
    desk.holder.settings.__dict__["upkeep"] = UpkeepSettings(canary_minutes=5, _env_file=None)
    root = desk.user("root", Role.ADMIN)
    text = transcript_of(desk.job(desk.user("ada"))).text.lower().split()

    def work(job: Job) -> None:
        run_of(desk, job).whole_way()
        with desk.ledger.read() as con:
            assert CANARY_ID not in {one.owner_id for one in listing.page(con, JobFilter()).jobs}
            assert sum(job_store.counts(con).values()) == 1
            assert statistics.stored(con)[0] == 1

    assert fly(desk, work, said=(text[0], text[-1]))
    state = desk.holder.canary
    assert (state.problem, state.took_s is not None) == (None, True)
    assert waiting(desk) is None
    assert [name for name in desk.holder.files.list() if not name.startswith("jobs/")] == []
    assert "transcribed in" in words(desk.page("system", root))


@pytest.mark.parametrize(
    ("work", "says"),
    [
        (lambda run: run.whole_way(), "the transcript lacks zebra"),
        (lambda run: run.fail("no engine; start one", "x"), "no engine"),
        (lambda _: None, "no transcript within 1 s; it is queued"),
    ],
)
def test_one_that_does_not_come_back_right_says_why(desk: Desk, work: Callable[[FlowRun], object], says: str) -> None:
    desk.holder.settings.__dict__["upkeep"] = UpkeepSettings(canary_minutes=5, _env_file=None)
    assert not fly(desk, lambda job: work(run_of(desk, job)), said=("zebra",), patience_s=1)
    assert says in (desk.holder.canary.problem or "")
    assert desk.holder.canary.failures == 1
    assert waiting(desk) is None
    said = words(desk.page("system", desk.user("root", Role.ADMIN))).lower()
    assert says.split(";", maxsplit=1)[0] in said


def test_each_one_is_another_recording() -> None:
    assert len({canary.changed_sample() for _ in range(3)}) == 3
    assert len(canary.changed_sample()) == canary.SAMPLE.stat().st_size


def test_what_a_killed_process_left_goes_with_the_next(desk: Desk) -> None:
    async def killed() -> None:
        flight = asyncio.create_task(canary.fly())
        while not waiting(desk):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        flight.cancel()
        await asyncio.gather(flight, return_exceptions=True)

    asyncio.run(killed())
    first = waiting(desk)
    assert first is not None
    assert first.state is JobState.QUEUED
    assert not asyncio.run(canary.fly(patience_s=0))
    assert waiting(desk) is None
    assert context.current().canary.failures == 1
