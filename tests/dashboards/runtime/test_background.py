"""Background tasks end with the process, whatever they are doing."""

import asyncio

from dashboards.runtime.background import Background
from dashboards.runtime.event_bus import Bus, News
from tests.waiting import PATIENCE_S


async def test_a_task_that_ignores_cancellation_is_cancelled_again() -> None:
    ends = 0

    async def stubborn() -> None:
        nonlocal ends
        while ends < 2:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                ends += 1

    background = Background()
    background.start(stubborn(), "stubborn")
    await asyncio.sleep(0)
    await asyncio.wait_for(background.stop(), PATIENCE_S)
    assert ends == 2


async def test_news_that_come_with_the_end_do_not_hide_it() -> None:
    bus = Bus()
    with bus.listen() as listener:
        task = asyncio.create_task(listener.next(wait_s=3600))
        await asyncio.sleep(0.01)
        listener.put(News({"job_id": "1", "owner_id": "2"}))
        task.cancel()
        await asyncio.wait([task], timeout=PATIENCE_S)
        assert task.cancelled()
