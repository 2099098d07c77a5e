"""Access to the ledger: in worker threads for routes and loops, directly for pages."""

from collections.abc import Callable
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

import anyio.to_thread
from duckdb import DuckDBPyConnection

from dashboards.runtime import context
from dashboards.runtime.context import current

P = ParamSpec("P")
T = TypeVar("T")


async def read(work: Callable[Concatenate[DuckDBPyConnection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `work(con, …)` on a read cursor, in a thread."""
    holder = current()

    def look() -> T:
        with holder.ledger.read() as con:
            return work(con, *args, **kwargs)

    return await anyio.to_thread.run_sync(look, limiter=holder.ledger_threads)


async def write(work: Callable[Concatenate[DuckDBPyConnection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `work(con, …)` in a write transaction, in a thread."""
    holder = current()
    return await anyio.to_thread.run_sync(
        partial(holder.ledger.run, work, *args, **kwargs), limiter=holder.ledger_threads
    )


async def in_ledger(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that opens its own transactions, in a thread of the ledger's pool."""
    return await anyio.to_thread.run_sync(partial(work, *args, **kwargs), limiter=current().ledger_threads)


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that waits for disk, network or a process, in a thread."""
    return await anyio.to_thread.run_sync(partial(work, *args, **kwargs), limiter=current().blocking_threads)


def look(work: Callable[Concatenate[DuckDBPyConnection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `work(con, …)` on a read cursor."""
    with context.ledger().read() as con:
        return work(con, *args, **kwargs)


def change(work: Callable[Concatenate[DuckDBPyConnection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `work(con, …)` in a write transaction.

    Raises:
        TranscriberError: the reason for a refusal; `refused` shows it on the page.
    """
    return context.ledger().run(work, *args, **kwargs)
