"""Answers of the API, kept until anything is committed to the ledger, and valid keys.

An answer that is found was read after the last commit: whatever changes a job, and whether it tells anybody, is a
commit. See `docs/decisions/0013-answers-are-kept-until-a-commit.md`.
"""

import asyncio
import gzip
import hashlib
import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cachetools import TTLCache

from storage.domain.clock import utc_now
from storage.domain.records import ApiKey, User

MOST_BYTES = 32 * 2**20
LARGEST_BYTES = 2**20
KEPT_S = 600.0
ZIP_LEVEL = 5
"""Streamlit's, which compresses what is not kept."""
MOST_KEYS, KEY_KEPT_S = 10_000, 30.0
FOREVER = datetime.max.replace(tzinfo=UTC)
OVERHEAD_BYTES = 2048
"""About what an answer takes besides its body: headers, key, and its place among the others."""
MOST_REPEATS, MOST_REPEATED_BYTES = 2000, 8 * 2**20
REPEATED_FOR = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """A whole response; `stamp` is the ledger's count of changes before it was read."""

    stamp: int
    start: dict[str, Any]
    body: bytes
    route: Any
    root_path: str = ""
    tag: str = ""
    zipped: bytes | None = None

    @property
    def size_bytes(self) -> int:
        return len(self.body) + len(self.zipped or b"") + OVERHEAD_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """A whole response, for the same request of the same client.

    `head` is without the headers of one request. `take` counts a repetition towards the caller's rate limits and
    returns where the caller stands. `request` is what is recorded of each repetition.
    """

    stamp: int
    until: datetime
    key_id: str
    take: Callable[[], Sequence[Any]]
    request: Any
    status: int
    head: bytes
    body: bytes


class RepeatedResponses:
    """The responses of the last second, by digests of whole requests.

    All are forgotten at a commit, and when they are too many; used on the event loop.
    """

    def __init__(self) -> None:
        self._stamp, self._bytes = 0, 0
        self._kept: dict[bytes, Repeat] = {}

    def find(self, request: bytes, stamp: int) -> Repeat | None:
        """Return the response, unless something was committed since or its second is over."""
        found = self._kept.get(request)
        return found if found and found.stamp == stamp and not is_changing(stamp) and utc_now() < found.until else None

    def keep(self, request: bytes, repeat: Repeat) -> None:
        """Keep a response that was read when the ledger's count was its stamp."""
        size_bytes = len(repeat.body) + OVERHEAD_BYTES
        full = len(self._kept) >= MOST_REPEATS or self._bytes + size_bytes > MOST_REPEATED_BYTES
        if full or repeat.stamp != self._stamp:
            self.clear()
            self._stamp = repeat.stamp
        self._kept[request] = repeat
        self._bytes += size_bytes

    def clear(self) -> None:
        """Forget all responses."""
        self._kept, self._bytes = {}, 0


class KnownKeys:
    """Valid API keys by the hash of their secret; used on the event loop.

    They are kept until a commit whose statements name the tables of accounts or keys (`Ledger.account_changes`): jobs
    commit all the time, and finding a key took as long as the answer to a small read. One is asked for again after half
    a minute, so that its last use is recorded.
    """

    def __init__(self) -> None:
        self.underway = Underway()
        self._kept: TTLCache[bytes, tuple[int, datetime, ApiKey, User]] = TTLCache(MOST_KEYS, KEY_KEPT_S)

    def find(self, secret: str, stamp: int, now: datetime) -> tuple[ApiKey, User] | None:
        """Return a key and its user, unless either changed or the key ended."""
        found = self._kept.get(_digest_of(secret))
        if found is None or found[0] != stamp or is_changing(stamp) or now >= found[1]:
            return None
        return found[2], found[3]

    def keep(self, secret: str, stamp: int, key: ApiKey, user: User) -> None:
        """Keep a key that was valid when the ledger's count was `stamp`."""
        if not is_changing(stamp):
            self._kept[_digest_of(secret)] = (stamp, end_of(key), key, user)


class Underway:
    """What is being found out, by a key; used on the event loop.

    Whoever asks for the same meanwhile waits, and looks into the memory again: after a commit, a hundred programs that
    poll would otherwise all read the ledger at once.
    """

    def __init__(self) -> None:
        self._over: dict[Hashable, asyncio.Event] = {}

    async def waited(self, key: Hashable) -> bool:
        """Wait for whoever is finding it out, and return whether anybody was."""
        if (over := self._over.get(key)) is None:
            return False
        await over.wait()
        return True

    def begin(self, key: Hashable) -> Callable[[], None]:
        """Let others wait until the returned function is called."""
        over = asyncio.Event()
        if self._over.setdefault(key, over) is not over:
            return _nothing  # two waited for the same, which is gone by now

        def done() -> None:
            if not over.is_set():
                over.set()
                del self._over[key]

        return done


def _nothing() -> None:
    """Do nothing."""


def end_of(key: ApiKey) -> datetime:
    """Return when a key ends, or its secret before the last rotation."""
    return min((one for one in (key.grant.expires_at, key.previous_until) if one), default=FOREVER)


def _digest_of(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


class Answers:
    """The least recently used answers are forgotten first; any thread may ask."""

    def __init__(self, *, most_bytes: int = MOST_BYTES) -> None:
        self.asked = self.hits = 0
        self._stamp = 0
        self.repeats = RepeatedResponses()
        self._lock = threading.Lock()
        self._kept: TTLCache[Hashable, KeptAnswer] = TTLCache(
            most_bytes, KEPT_S, getsizeof=lambda answer: answer.size_bytes
        )

    def find(self, key: Hashable, stamp: int) -> KeptAnswer | None:
        """Return the answer if nothing was committed since it was read, or is being committed."""
        with self._lock:
            self.asked += 1
            found = self._kept.get(key)
            if found is None or found.stamp != stamp or is_changing(stamp):
                return None
            self.hits += 1
            return found

    def repeated(self, request: bytes, stamp: int) -> Repeat | None:
        """Return the whole response to a request that is repeated, as `find` does."""
        if (found := self.repeats.find(request, stamp)) is not None:
            with self._lock:
                self.asked += 1
                self.hits += 1
        return found

    def keep(self, key: Hashable, answer: KeptAnswer) -> None:
        """Keep an answer, unless it is very large or was read during a commit."""
        if is_changing(answer.stamp) or answer.size_bytes > min(LARGEST_BYTES, self._kept.maxsize):
            return
        with self._lock:
            if answer.stamp < self._stamp:
                return
            if answer.stamp > self._stamp:  # nobody can find the others any more
                self._kept.clear()
                self._stamp = answer.stamp
            self._kept[key] = answer

    def zipped(self, key: Hashable, answer: KeptAnswer) -> bytes:
        """Return the answer's body compressed, which is done once."""
        if answer.zipped is not None:
            return answer.zipped
        body = gzip.compress(answer.body, compresslevel=ZIP_LEVEL, mtime=0)
        self.keep(key, replace(answer, zipped=body))
        return body

    def clear(self) -> None:
        """Forget all answers; the counters stay."""
        self.repeats.clear()
        with self._lock:
            self._kept.clear()

    def size_bytes(self) -> float:
        """Return about how much memory the answers take."""
        with self._lock:
            return self._kept.currsize


def is_changing(stamp: int) -> bool:
    """Return whether a commit was under way when the ledger's count was read."""
    return stamp % 2 == 1
