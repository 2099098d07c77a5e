"""How long tests wait for what must come; a test that passes never waits for the whole time."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

PATIENCE_S = 180.0
"""What takes a second alone may take a minute on a slow machine with much other work."""
HANGS_AFTER_S = 1200.0
"""No test takes so long, wherever it runs."""


def looks(within_s: float = PATIENCE_S, *, longest_pause_s: float = 1.0) -> Iterator[None]:
    """Yield whenever it is time to look, until the time is over.

    The longer it takes, the longer are the pauses: whoever is asked all the time has no processor for the work.
    """
    began = time.monotonic()
    while (waited_s := time.monotonic() - began) < within_s:
        yield
        time.sleep(min(0.02 + waited_s / 10, longest_pause_s))


def until(condition: Callable[[], Any], *, within_s: float = PATIENCE_S) -> Any:
    """Return what `condition` gives once that is true."""
    for _ in looks(within_s):
        if found := condition():
            return found
    raise AssertionError(f"not so within {within_s} s: {condition}")


@contextmanager
def given_up_after(seconds: float) -> Iterator[None]:
    """Let a block fail if it is not over by then; what it has started is ended as after any failure."""

    def give_up(*_: object) -> None:
        pytest.fail(f"not over after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
