"""When the resident process is replaced: after many runs, or when its memory has grown."""

import logging

from flows.worker.child_handle import Child
from storage.domain.settings import WorkerSettings

log = logging.getLogger(__name__)


class Recycling:
    """Replaces the resident process between runs, when one of the limits is reached.

    `holds_back` says whether new runs have to wait for that. Only runs that end soon may be waited for.
    """

    def __init__(self, settings: WorkerSettings, child: Child, *, runs_are_short: bool) -> None:
        self._settings, self._child, self._runs_are_short = settings, child, runs_are_short

    def holds_back(self) -> bool:
        return self._runs_are_short and self._why() is not None

    def look(self) -> bool:
        """Replace the process if it is due and holds no run; return whether it was."""
        why = self._why()
        if why is None or self._child.holds or self._child.stopping:
            return False
        log.info("worker %s replaces its resident process %s: %s", self._child.name, self._child.pid, why)
        self._child.replace()
        return True

    def _why(self) -> str | None:
        most_runs, most_bytes = self._settings.recycle_runs, self._settings.recycle_bytes
        if most_runs and self._child.runs_done >= most_runs:
            return f"its runs reached {most_runs}"
        if most_bytes and self._child.runs_done and (held := self._child.memory_bytes) > most_bytes:
            return f"it holds {held / 2**20:.0f} MiB"
        return None
