"""Which due flow runs a worker takes.

People are served in turn, with slots for what somebody waits for.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from storage.domain.deployments import BEGUN_TAG, CLIP_TAG, JOB_TAG, MODEL_TAG, OWNER_TAG
from storage.domain.records import Lane

if TYPE_CHECKING:
    from prefect.client.schemas.responses import WorkerFlowRunResponse

Tags = Collection[str]

QUICK, QUICK_SLOTS = "quick", 2
"""Tag of short runs that somebody waits for: this many slots are reserved for them."""
URGENT, URGENT_SLOTS = Lane.INTERACTIVE.value, 2
"""Tag of interactive recordings: so many begin although long ones of other lanes hold all other slots."""
MOST_REMEMBERED = 1000
LEFT_FOR = timedelta(seconds=5)


class RunSlots:
    """The slots of a worker.

    One that transcribes begins interactive work although other lanes hold all slots of its device, if that needs no
    other model: the spans of those lanes give way (`flows.runs.right_of_way`).
    """

    def __init__(self, slots: int, *, transcribes: bool) -> None:
        self.slots, self._transcribes = slots, transcribes
        self._quick_slots, self._urgent_slots = (0, slots) if transcribes else (QUICK_SLOTS, URGENT_SLOTS)
        self._in_hand: dict[UUID, Tags] = {}
        self._freed: set[UUID] = set()
        self._turns = ServiceTurns()

    @property
    def most(self) -> int:
        """How many runs the worker may have at all."""
        return self.slots + self._quick_slots + self._urgent_slots

    def chosen(self, due: Sequence["WorkerFlowRunResponse"], own: Collection[UUID]) -> "list[WorkerFlowRunResponse]":
        """Return the runs to take beside the worker's own.

        `due` is in the order of queues. Within one, runs are taken in turn.
        """
        self._keep(own)
        quick = [entry for entry in due if QUICK in entry.flow_run.tags]
        queues = list(dict.fromkeys(entry.work_queue_id for entry in due))
        others = [entry for entry in due if QUICK not in entry.flow_run.tags]
        found: list[WorkerFlowRunResponse] = []
        waits_for_model = False
        while others:
            entry = min(
                others, key=lambda each: (queues.index(each.work_queue_id), self._turns.last(each.flow_run.tags))
            )
            others.remove(entry)
            tags, taken = entry.flow_run.tags, [each.flow_run.tags for each in found]
            if self._has_slot(taken) or (not waits_for_model and self._goes_before(tags, taken)):
                self._turns.note(tags)
                found.append(entry)
            elif URGENT in tags:
                waits_for_model = True  # others that go before would keep it waiting for ever
        self._in_hand |= {entry.flow_run.id: entry.flow_run.tags for entry in [*quick, *found]}
        return quick + found

    def free(self, run_id: UUID) -> None:
        """Give the slot of a run that is only reported to the next one."""
        self._freed.add(run_id)

    def takes_none(self, own: Collection[UUID]) -> bool:
        """Return whether no run would be taken, whatever is due."""
        self._keep(own)
        held = self._held(())
        return self._transcribes and len(held) >= self.slots and all(URGENT in tags for tags in held)

    def _keep(self, own: Collection[UUID]) -> None:
        self._freed.intersection_update(own)
        self._in_hand = {run_id: self._in_hand.get(run_id, ()) for run_id in own if run_id not in self._freed}

    def _held(self, taken: Sequence[Tags]) -> list[Tags]:
        return [each for each in [*self._in_hand.values(), *taken] if QUICK not in each]

    def _has_slot(self, taken: Sequence[Tags]) -> bool:
        return len(self._held(taken)) < self.slots

    def _goes_before(self, tags: Tags, taken: Sequence[Tags]) -> bool:
        """Return whether an interactive run begins beside long ones of other lanes."""
        held = self._held(taken)
        urgent = sum(URGENT in each for each in held)
        is_one_more = len(held) < self.slots + self._urgent_slots and urgent < self.slots
        return URGENT in tags and is_one_more and (not self._transcribes or self._is_model_there(tags, held))

    def _is_model_there(self, tags: Tags, held: Sequence[Tags]) -> bool:
        models = {tag for tag in tags if tag.startswith(MODEL_TAG)}
        return any(models.intersection(each) for each in held)


def not_begun_elsewhere(
    due: Sequence["WorkerFlowRunResponse"], worker: str, now: datetime
) -> "list[WorkerFlowRunResponse]":
    """Return the due runs without those that were left to another worker a moment ago.

    It has begun with them; if it is lost, a poll after `LEFT_FOR` finds them.
    """

    def is_left(entry: "WorkerFlowRunResponse") -> bool:
        run = entry.flow_run
        begun_by = {tag.removeprefix(BEGUN_TAG) for tag in run.tags if tag.startswith(BEGUN_TAG)}
        is_new = run.created is not None and now - run.created < LEFT_FOR
        return bool(begun_by) and worker not in begun_by and is_new

    return [entry for entry in due if not is_left(entry)]


class ServiceTurns:
    """Remembers when each person and each recording was served last, in this worker.

    Whoever waits longest is next, and of one person's recordings the one that waits longest. All clips together have
    one turn, like a person: their order is a fair one already, and people's clips share runs.
    """

    def __init__(self) -> None:
        self._served: dict[str, int] = {}
        self._count = 0

    def last(self, tags: Tags) -> tuple[int, ...]:
        """Return when the person and the recording were served last; 0 is never."""
        return tuple(self._served.get(each, 0) for each in _served_by(tags))

    def note(self, tags: Tags) -> None:
        """Record that a run was taken."""
        self._count += 1
        for each in _served_by(tags):
            self._served.pop(each, None)
            self._served[each] = self._count
        for each in list(self._served)[:-MOST_REMEMBERED]:
            del self._served[each]


def _served_by(tags: Tags) -> tuple[str, str]:
    """Return the person and the recording of a run; clips are both."""
    if CLIP_TAG in tags:
        return CLIP_TAG, CLIP_TAG
    owner = next((tag for tag in tags if tag.startswith(OWNER_TAG)), "")
    return owner, next((tag for tag in tags if tag.startswith(JOB_TAG)), "")
