"""Which due flow runs a worker takes, with slots for what somebody waits for."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from storage.domain.records import Lane

if TYPE_CHECKING:
    from prefect.client.schemas.responses import WorkerFlowRunResponse

QUICK, QUICK_SLOTS = "quick", 2
"""Tag of short runs that somebody waits for: this many slots are reserved for them."""
URGENT, URGENT_SLOTS = Lane.INTERACTIVE.value, 2
"""Tag of interactive recordings: so many begin although long ones of other lanes hold all other slots."""


class RunSlots:
    """The slots of a worker; one that transcribes has those of its device alone."""

    def __init__(self, slots: int, *, transcribes: bool) -> None:
        self.slots = slots
        self._quick_slots, self._urgent_slots = (0, 0) if transcribes else (QUICK_SLOTS, URGENT_SLOTS)
        self._quick: set[UUID] = set()

    @property
    def most(self) -> int:
        """How many runs the worker may have at all."""
        return self.slots + self._quick_slots + self._urgent_slots

    def chosen(self, due: Sequence["WorkerFlowRunResponse"], own: Collection[UUID]) -> "list[WorkerFlowRunResponse]":
        """Return the runs to take beside the worker's own.

        `due` is in the order of queues.
        """
        quick = [entry for entry in due if QUICK in entry.flow_run.tags]
        self._quick = (self._quick & set(own)) | {entry.flow_run.id for entry in quick}
        found: list[WorkerFlowRunResponse] = []
        held = len(set(own) - self._quick)
        for entry in due:
            slots = self.slots + (self._urgent_slots if URGENT in entry.flow_run.tags else 0)
            if QUICK not in entry.flow_run.tags and held + len(found) < slots:
                found.append(entry)
        return quick + found
