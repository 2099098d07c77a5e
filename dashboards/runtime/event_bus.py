"""The in-process bus of job changes: open pages, waiting API calls and tests listen to it."""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any


@dataclass
class News:
    """What is told of one job, and to how many listeners at once; made into JSON once for all of them."""

    facts: dict[str, Any]
    crowd: int = field(default=1, compare=False)

    @cached_property
    def for_pages(self) -> str:
        return json.dumps(self.facts | {"crowd": self.crowd}, separators=(",", ":"))

    @cached_property
    def for_programs(self) -> str:
        return json.dumps({name: fact for name, fact in self.facts.items() if name != "row"}, separators=(",", ":"))


class Listener:
    """One reader of the bus: the latest news of each job since it last looked, however slow it is."""

    def __init__(self, owner_id: str | None, job_id: str | None) -> None:
        self.owner_id, self.job_id = owner_id, job_id
        self.loop = asyncio.get_running_loop()
        self._news: dict[str, News] = {}
        self._some = asyncio.Event()

    def wants(self, news: dict[str, Any]) -> bool:
        return self.owner_id in {None, news["owner_id"]} and self.job_id in {None, news["job_id"]}

    def put(self, news: News) -> None:
        """Keep the news; on the loop's own thread."""
        self._news[news.facts["job_id"]] = news
        self._some.set()

    async def some(self) -> None:
        """Wait until there is news."""
        await self._some.wait()

    def taken(self) -> list[News]:
        """Return what there is now."""
        self._some.clear()
        taken, self._news = list(self._news.values()), {}
        return taken

    async def next(self, *, wait_s: float | None = None) -> list[dict[str, Any]]:
        """Return what there is, waiting for the first piece; empty after `wait_s` without any."""
        try:
            async with asyncio.timeout(wait_s):  # wait_for of Python 3.11 may swallow the end of a task (gh-86296)
                await self._some.wait()
        except TimeoutError:
            return []
        return [news.facts for news in self.taken()]


class Bus:
    """Where changes of jobs are told; published from any thread, listened to on an event loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: set[Listener] = set()
        self._told: Counter[str | None] = Counter()

    @contextmanager
    def listen(self, *, owner_id: str | None = None, job_id: str | None = None) -> Iterator[Listener]:
        """Listen to one owner's jobs, to one job, or (with neither) to all."""
        listener = Listener(owner_id, job_id)
        with self._lock:
            self._listeners.add(listener)
        try:
            yield listener
        finally:
            with self._lock:
                self._listeners.discard(listener)

    def count(self, owner_id: str | None) -> int:
        """Return how often something was told of one owner's jobs, or of anybody's; what was read before is old."""
        with self._lock:
            return self._told[owner_id]

    def crowd(self) -> int:
        """Return how many listen, open pages nearly all of them."""
        return len(self._listeners)

    def publish(self, news: dict[str, Any]) -> None:
        """Tell a change: at least `job_id` and `owner_id`."""
        with self._lock:
            self._told[None] += 1
            self._told[news["owner_id"]] += 1
            listeners = [listener for listener in self._listeners if listener.wants(news)]
        told = News(news, len(listeners))
        loops: dict[asyncio.AbstractEventLoop, list[Listener]] = {}
        for listener in listeners:
            loops.setdefault(listener.loop, []).append(listener)
        for loop, there in loops.items():  # one wake-up of a loop, however many listen on it
            if not loop.is_closed():
                loop.call_soon_threadsafe(_put, there, told)


def _put(listeners: list[Listener], news: News) -> None:
    for listener in listeners:
        listener.put(news)
