"""Two patches for the Prefect server's SQLite, applied only by our own launcher.

Without them, half of a worker's requests are refused (status 503) while other runs are created, and the server
occasionally hangs for the 60 seconds of SQLite's busy timeout. PostgreSQL needs neither.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any


def apply_patches() -> None:
    """Apply both patches to this process, before the server is created."""
    write_lock_first()
    close_cursors_that_failed()


def write_lock_first() -> None:
    """Begin every transaction as a write transaction, so that it waits instead of being refused.

    Prefect begins most of them as DEFERRED: they read first, and when they then want to write after another writer,
    SQLite refuses at once, whatever the timeout (SQLITE_BUSY_SNAPSHOT, https://sqlite.org/isolation.html).

    A transaction inside another one stays DEFERRED and reads beside it, for example when pausing a queue looks up its
    pool: otherwise it would wait for the outer one forever.
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
            await session.connection()  # sends BEGIN now, before the mode changes
            token = SQLITE_BEGIN_MODE.set("DEFERRED")
            try:
                yield transaction
            finally:
                SQLITE_BEGIN_MODE.reset(token)

    AioSqliteConfiguration.begin_transaction = begin_immediate  # type: ignore[method-assign]


def close_cursors_that_failed() -> None:
    """Close the cursor of a failed statement on its connection's own thread.

    Otherwise it is freed with the traceback on the event loop's thread, where it needs its connection's mutex. If that
    connection is waiting for a lock, the loop is blocked until the wait ends, and with it the very transaction that
    holds the lock.
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
