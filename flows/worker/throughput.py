"""How much speech a worker transcribes, over the last minutes."""

import time
from collections import deque
from collections.abc import Callable

WINDOW_S = 180.0


class Throughput:
    """Counts transcribed spans and their seconds of speech within a window."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, window_s: float = WINDOW_S) -> None:
        self._clock, self._window_s = clock, window_s
        self._began_s = clock()
        self._spans: deque[tuple[float, float]] = deque()

    def note(self, speech_s: float) -> None:
        self._spans.append((self._clock(), speech_s))

    def rates(self) -> tuple[float, float]:
        """Return spans per minute, and seconds of speech per second."""
        now = self._clock()
        while self._spans and now - self._spans[0][0] > self._window_s:
            self._spans.popleft()
        past_s = max(1.0, min(self._window_s, now - self._began_s))
        return 60 * len(self._spans) / past_s, sum(speech_s for _, speech_s in self._spans) / past_s
