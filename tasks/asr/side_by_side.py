"""Calls of the engine side by side, so that all workers serve a lone span.

A worker of the engine has its own thread. What such calls compute is what they compute one by one.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def side_by_side(work: Callable[[T], R], items: Sequence[T], *, workers: int) -> list[R]:
    """Return what `work` returns for each item, computed in so many threads."""
    threads = min(workers, len(items))
    if threads < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, items))
