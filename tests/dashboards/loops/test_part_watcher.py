"""Storage and a Prefect server that go away are noticed and told to open pages, also where they hang."""

import asyncio
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from dashboards.clients.prefect_runs import PrefectRuns
from dashboards.loops.part_watcher import NO_ANSWER, PrefectProbe, watch_parts
from storage.files.file_store import Files
from storage.files.local_folder import GONE
from storage.remote.part_troubles import PlatformPart, prefect_away
from tests.dashboards.desk import Desk
from tests.waiting import PATIENCE_S


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not done():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)


async def test_pages_look_again_when_the_folder_of_storage_goes_and_comes(desk: Desk) -> None:
    parts, store = desk.holder.parts, Path(desk.holder.settings.storage.root_url)
    desk.holder.files.write("jobs/one.json", b"{}")
    with desk.holder.bus.listen(owner_id="ada", is_page=True) as page:
        watching = asyncio.create_task(watch_parts(every_s=0.01))
        await until(lambda: PlatformPart.STORAGE in parts.looks)
        assert parts.troubles() == []
        shutil.move(store, f"{store}.away")
        assert [news.get("missed") for news in await page.next(wait_s=PATIENCE_S)] == [True]
        assert parts.reason(PlatformPart.STORAGE) == GONE
        shutil.move(f"{store}.away", store)
        await until(lambda: parts.reason(PlatformPart.STORAGE) is None)
        watching.cancel()


async def test_a_bucket_that_hangs_is_away_before_its_client_gives_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    with socket.create_server(("127.0.0.1", 0)) as frozen:  # connections are opened, and never answered
        desk.holder.files = Files("s3://bucket/x", f"http://127.0.0.1:{frozen.getsockname()[1]}")
        watching = asyncio.create_task(watch_parts(every_s=0.01, answers_within_s=0.2))
        await until(lambda: desk.holder.parts.reason(PlatformPart.STORAGE) == NO_ANSWER)
        watching.cancel()


def test_prefect_is_away_if_nobody_listens_once_it_has_answered(desk: Desk) -> None:
    desk.holder.runs = cast(PrefectRuns, object())
    probe = PrefectProbe()
    assert probe.look() is None  # it is starting
    desk.holder.prefect_has_answered = True
    assert probe.look() == "nobody listens there"
    assert "Prefect" in prefect_away()
