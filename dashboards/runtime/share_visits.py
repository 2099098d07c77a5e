"""Tells which requests of share links begin a visit or a download."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

SAME_VISIT_S = 600.0
MOST_VISITS = 10_000


@dataclass(slots=True, kw_only=True)
class ShareVisits:
    """The visits and downloads of the last minutes, by link and address.

    The many ranges of a recording that somebody plays are one visit.
    """

    clock: Callable[[], float] = time.monotonic
    _seen: OrderedDict[tuple[str, str, str], float] = field(default_factory=OrderedDict)

    def is_new(self, share_id: str, client: str, file: str = "") -> bool:
        """Note a request, and return whether it begins a visit.

        A visit goes on while requests come. With a file: whether it is the first one for that file in some minutes.
        """
        now, key = self.clock(), (share_id, client, file)
        last = self._seen.get(key)
        begins = last is None or now - last > SAME_VISIT_S
        if begins or not file:
            self._seen[key] = now
            self._seen.move_to_end(key)
        if len(self._seen) > MOST_VISITS:
            self._seen.popitem(last=False)
        return begins
