"""The in-process event bus for job changes, used by pages, API calls and tests."""

import asyncio
import json
import secrets
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from storage.domain import translation
from storage.domain.records import Job

HISTORY = 5000
"""Events that can be sent again to a program that was away for a moment."""


@dataclass
class News:
    """An event about one job, serialised to JSON once for all listeners.

    `readers` are the accounts that it is shared with; `words` makes the facts that are texts in another language.
    `job` is how the job was then.
    """

    facts: dict[str, Any]
    crowd: int = field(default=1, compare=False)
    seq: int = field(default=0, compare=False)
    ident: str = field(default="", compare=False)
    readers: frozenset[str] = field(default=frozenset(), compare=False)
    words: Callable[[], dict[str, Any]] | None = field(default=None, compare=False)
    job: Job | None = field(default=None, compare=False)
    _translated: dict[str, str] = field(default_factory=dict, compare=False)

    def concerns(self, user_id: str | None) -> bool:
        """Return whether the job is a user's, or shared with them; None stands for everybody."""
        return user_id in {None, self.facts["owner_id"]} or user_id in self.readers

    @cached_property
    def for_pages(self) -> str:
        return json.dumps(self.facts | {"crowd": self.crowd}, separators=(",", ":"))

    def for_pages_in(self, language: str) -> str:
        """Return the event in a language, made once for all pages that speak it."""
        if language == translation.ENGLISH or self.words is None:
            return self.for_pages
        if language not in self._translated:
            with translation.speaking(language):
                facts = self.facts | self.words() | {"crowd": self.crowd}
            self._translated[language] = json.dumps(facts, separators=(",", ":"))
        return self._translated[language]

    @cached_property
    def for_programs(self) -> str:
        told = {name: fact for name, fact in self.facts.items() if name != "row"}
        return json.dumps({"id": self.ident} | told, separators=(",", ":"))

    @property
    def kept(self) -> "KeptNews":
        return KeptNews(self.seq, self.ident, (self.facts["owner_id"], *self.readers), self.for_programs)


class KeptNews(NamedTuple):
    """What a program can still ask of an event: its text, and whom it concerns.

    Neither the job nor a page's row is kept with it, so that thousands of events take little memory.
    """

    seq: int
    ident: str
    whose: tuple[str, ...]
    for_programs: str

    def concerns(self, user_id: str | None) -> bool:
        """Return whether the job is a user's, or shared with them; None stands for everybody."""
        return user_id is None or user_id in self.whose


class Subscriber:
    """A listener of the bus, which keeps the latest event of each job."""

    def __init__(self, owner_id: str | None, job_id: str | None, *, is_page: bool = False) -> None:
        self.owner_id, self.job_id, self.is_page = owner_id, job_id, is_page
        self.loop = asyncio.get_running_loop()
        self._news: dict[str, News] = {}
        self._some = asyncio.Event()

    def wants(self, news: News) -> bool:
        return news.concerns(self.owner_id) and self.job_id in {None, news.facts["job_id"]}

    def put(self, news: News) -> None:
        """Store the event; on the loop's own thread."""
        self._news[news.facts["job_id"]] = news
        self._some.set()

    async def some(self) -> None:
        """Wait until there is an event."""
        await self._some.wait()

    def taken(self) -> list[News]:
        """Return the current events."""
        self._some.clear()
        taken, self._news = sorted(self._news.values(), key=lambda news: news.seq), {}
        return taken

    async def next(self, *, wait_s: float | None = None) -> list[dict[str, Any]]:
        """Return the facts of the events, waiting for the first; empty after `wait_s` without any."""
        return [news.facts for news in await self.next_news(wait_s=wait_s)]

    async def next_news(self, *, wait_s: float | None = None) -> list[News]:
        """Return the events, waiting for the first; empty after `wait_s` without any."""
        try:
            async with asyncio.timeout(wait_s):  # wait_for of Python 3.11 may swallow a cancellation (gh-86296)
                await self._some.wait()
        except TimeoutError:
            return []
        return self.taken()


class Bus:
    """Publishes job changes from any thread to listeners on event loops."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: set[Subscriber] = set()
        self._told: Counter[str | None] = Counter()
        self._looks = 0
        self._history: deque[KeptNews] = deque(maxlen=HISTORY)
        self._process = secrets.token_hex(4)  # numbers start again with the process

    @contextmanager
    def listen(
        self, *, owner_id: str | None = None, job_id: str | None = None, is_page: bool = False
    ) -> Iterator[Subscriber]:
        """Listen to a user's own and shared jobs, to one job, or to all.

        A page also hears `look_again`.
        """
        listener = Subscriber(owner_id, job_id, is_page=is_page)
        with self._lock:
            self._listeners.add(listener)
        try:
            yield listener
        finally:
            with self._lock:
                self._listeners.discard(listener)

    def count(self, owner_id: str | None) -> int:
        """Return the number of events for an owner or all, those for every page included."""
        with self._lock:
            return self._told[owner_id] + self._looks

    def crowd(self) -> int:
        """Return the number of listeners, nearly all of them open pages."""
        return len(self._listeners)

    def publish(
        self,
        news: dict[str, Any],
        *,
        readers: frozenset[str] = frozenset(),
        words: Callable[[], dict[str, Any]] | None = None,
        job: Job | None = None,
    ) -> None:
        """Publish a change, at least `job_id` and `owner_id`, to its owner and these readers."""
        with self._lock:
            self._told.update([None, *{news["owner_id"], *readers}])
            seq = self._told[None]
            made = News(news, seq=seq, ident=f"{self._process}-{seq}", readers=readers, words=words, job=job)
            listeners = [listener for listener in self._listeners if listener.wants(made)]
            made.crowd = len(listeners)
            self._history.append(made.kept)
        _tell(listeners, made)

    def since(self, ident: str, owner_id: str | None) -> list[KeptNews] | None:
        """Return the events after the one with this id, oldest first.

        None means that some are not known any more.
        """
        process, _, number = ident.partition("-")
        with self._lock:
            last, known = self._told[None], list(self._history)
        if process != self._process or not (number.isascii() and number.isdigit()) or not int(number) <= last:
            return None
        if int(number) < last - len(known):
            return None
        return [one for one in known if one.seq > int(number) and one.concerns(owner_id)]

    def last_ident(self) -> str:
        """Return the id of the latest event."""
        return f"{self._process}-{self._told[None]}"

    def look_again(self) -> None:
        """Let every open page draw itself again, because something changed that belongs to no job."""
        with self._lock:
            self._looks += 1  # a page whose socket opens later finds that it missed something
            pages = [listener for listener in self._listeners if listener.is_page]
        _tell(pages, News({"job_id": "", "owner_id": "", "missed": True}, len(pages)))


def _tell(listeners: Sequence[Subscriber], news: News) -> None:
    loops: dict[asyncio.AbstractEventLoop, list[Subscriber]] = {}
    for listener in listeners:
        loops.setdefault(listener.loop, []).append(listener)
    for loop, there in loops.items():  # one wake-up per loop, however many listeners it has
        if not loop.is_closed():
            loop.call_soon_threadsafe(_put, there, news)


def _put(listeners: list[Subscriber], news: News) -> None:
    for listener in listeners:
        listener.put(news)
