"""Open pages are told when workers fall silent."""

import asyncio
from datetime import timedelta

from dashboards.loops.watchers import watch_workers
from dashboards.runtime.event_bus import Subscriber
from storage.domain.clock import utc_now
from storage.remote.worker_registry import ALIVE_FOR
from tests.dashboards.desk import Desk
from tests.waiting import PATIENCE_S


async def looks_again(page: Subscriber) -> bool:
    return [news.get("missed") for news in await page.next(wait_s=PATIENCE_S)] == [True]


async def test_open_pages_look_again_when_a_worker_comes_or_falls_silent_and_programs_hear_nothing(desk: Desk) -> None:
    bus, workers = desk.holder.bus, desk.holder.workers
    with bus.listen(owner_id="ada", is_page=True) as page, bus.listen() as program:
        watching = asyncio.create_task(watch_workers(every_s=0.01))
        assert await looks_again(page)  # there is no worker
        desk.beat()
        assert await looks_again(page)
        (worker,) = workers.alive(pool="gpu")
        workers.beat(worker, now=utc_now() - ALIVE_FOR - timedelta(seconds=1))
        assert await looks_again(page)
        assert await page.next(wait_s=0.1) == []  # nothing has changed since
        assert await program.next(wait_s=0) == []
        watching.cancel()
