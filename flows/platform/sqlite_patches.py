"""Two cures for the Prefect server's SQLite, applied by our own launcher and by nobody else.

Without them a worker that reports while another run is created gets half of its requests refused (status 503), and
the server now and then stands still for the 60 seconds of SQLite's busy timeout. PostgreSQL needs neither.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any


def take_care() -> None:
    """Apply both cures to this process, before the server is made."""
    write_lock_first()
    close_cursors_that_failed()


def write_lock_first() -> None:
    """Begin every transaction as one that writes, so that it waits for its turn instead of being refused.

    Prefect begins most of them as DEFERRED: they read first, and when they want to write and another has written
    meanwhile SQLite refuses at once, whatever the timeout (SQLITE_BUSY_SNAPSHOT, https://sqlite.org/isolation.html).

    What is begun inside such a transaction stays DEFERRED and reads beside it, as when pausing a queue looks up its
    pool: it would wait for the outer one for ever.
    """
    from prefect.server.database.configurations import SQLITE_BEGIN_MODE, AioSqliteConfiguration

    begin = AioSqliteConfiguration.begin_transaction

    @asynccontextmanager
    async def begin_immediate(
        self: AioSqliteConfiguration, session: Any, with_for_update: bool = False
    ) -> AsyncIterator[Any]:
        del with_for_update
        inside = SQLITE_BEGIN_MODE.get() is not None
        async with begin(self, session, with_for_update=not inside) as transaction:
            await session.connection()  # sends BEGIN now, before the mode is another one
            token = SQLITE_BEGIN_MODE.set("DEFERRED")
            try:
                yield transaction
            finally:
                SQLITE_BEGIN_MODE.reset(token)

    AioSqliteConfiguration.begin_transaction = begin_immediate  # type: ignore[method-assign]


def close_cursors_that_failed() -> None:
    """Close the cursor of a statement that raised, on its connection's own thread.

    Else it is freed with the traceback, on the event loop's thread, where it needs the mutex of its connection. If
    that connection waits for a lock by then, the loop stands still until the wait is over, and with it the very
    transaction that holds the lock.
    """
    import aiosqlite

    for name in ("execute", "executemany"):
        setattr(aiosqlite.Cursor, name, _closing(getattr(aiosqlite.Cursor, name)))


def _closing(run: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def run_and_close(self: Any, *arguments: Any) -> Any:
        try:
            return await run(self, *arguments)
        except BaseException:
            await self.close()
            raise

    return run_and_close
