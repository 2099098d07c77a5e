"""Which spans of a device may go on, if there are more than slots."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

from storage.domain.records import Lane

LOOK_EVERY_S = 0.2
LANES = tuple(Lane)


class SpanPlace:
    """A span's place on the device; `waited_s` is how long it gave way."""

    def __init__(self, place: tuple[int, int], right_of_way: "RightOfWay") -> None:
        self.place, self._right_of_way = place, right_of_way
        self.waited_s = 0.0

    def wait(self, is_stopped: Callable[[], bool]) -> None:
        """Wait until the span may go on, or is to stop."""
        self.waited_s += self._right_of_way.wait(self.place, is_stopped)


class RightOfWay:
    """Lets as many spans go on as there are slots.

    Those of earlier lanes go before others, then those that came first. The others wait between two calls of the
    engine, with all that they have done. Thread-safe.
    """

    def __init__(self, slots: int | None = None) -> None:
        self._slots = slots
        self._numbers = count()
        self._places: set[tuple[int, int]] = set()
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, lane: Lane) -> Iterator[SpanPlace]:
        """Have a place while the block runs."""
        place = LANES.index(lane), next(self._numbers)
        with self._changed:
            self._places.add(place)
        try:
            yield SpanPlace(place, self)
        finally:
            with self._changed:
                self._places.remove(place)
                self._changed.notify_all()

    def wait(self, place: tuple[int, int], is_stopped: Callable[[], bool]) -> float:
        """Wait while there are enough before this place; return for how many seconds."""
        began = time.perf_counter()
        with self._changed:
            while self._slots is not None and not is_stopped():
                if sum(each < place for each in self._places) < self._slots:
                    break
                self._changed.wait(LOOK_EVERY_S)
        return time.perf_counter() - began
