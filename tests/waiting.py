"""How long tests wait for what must come; a test that passes never waits for the whole time."""

import time
from collections.abc import Callable
from typing import Any

PATIENCE_S = 180.0
"""What takes a second alone may take a minute on a slow machine with much other work."""


def until(condition: Callable[[], Any], *, within_s: float = PATIENCE_S) -> Any:
    """Return what `condition` gives once that is true; the longer it takes, the less often it is asked."""
    began = time.monotonic()
    while (waited_s := time.monotonic() - began) < within_s:
        if found := condition():
            return found
        time.sleep(min(0.02 + waited_s / 10, 0.25))
    raise AssertionError(f"not so within {within_s} s: {condition}")
