"""The actions on jobs: one `ActionSpec` each, with its words, permissions and states.

A new action is a member here and a case in `dashboards.services.jobs`.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any, Self

from storage.domain.errors import JobMoved
from storage.domain.records import Job, JobState, Role

UNFINISHED = frozenset(state for state in JobState if not state.finished)
FINISHED = frozenset(JobState) - UNFINISHED


class Access(IntEnum):
    """What somebody may do with a recording; each member includes those before it."""

    NONE = 0
    READ = 1
    EDIT = 2
    OWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionSpec:
    """The facts of an action; `done` completes "it was …" and "it cannot be …".

    `changing` names the action in a refusal. `in_lists` offers it for several recordings at once, after the question
    `confirm` if there is one. `needs` is the access to the recording that it takes.
    """

    name: str
    label: str
    done: str
    changing: str
    states: frozenset[JobState]
    on_deleted: bool = False  # applies to deleted jobs; all other actions apply to the others
    on_held: bool | None = None  # applies to paused jobs alone, or to those that are not; None: to both
    readers: bool = False  # read-only accounts may do it too
    needs: Access = Access.OWN
    in_lists: bool = True
    confirm: str | None = None


class JobAction(StrEnum):
    """The actions on jobs; values are their names in URLs and the audit log."""

    spec: ActionSpec
    _value_: str

    def __new__(cls, spec: Any) -> Self:  # an ActionSpec here; `JobAction("cancel")` looks up a member
        member = str.__new__(cls, spec.name)
        member._value_ = spec.name
        member.spec = spec
        return member

    DOWNLOAD = ActionSpec(
        name="download",
        label="Download",
        done="downloaded",
        changing="downloading",
        states=frozenset({JobState.COMPLETED}),
        readers=True,
        needs=Access.READ,
    )
    CANCEL = ActionSpec(
        name="cancel",
        label="Cancel",
        done="cancelled",
        changing="cancelling",
        states=UNFINISHED,
        confirm="Cancel {n}? Finished parts are kept for another attempt.",
    )
    PAUSE = ActionSpec(name="pause", label="Pause", done="paused", changing="pausing", states=UNFINISHED, on_held=False)
    RESUME = ActionSpec(
        name="resume", label="Resume", done="resumed", changing="resuming", states=UNFINISHED, on_held=True
    )
    FIRST = ActionSpec(
        name="first",
        label="To the front",
        done="moved to the front",
        changing="changing the order",
        states=frozenset({JobState.QUEUED}),
        on_held=False,
    )
    LANE = ActionSpec(
        name="lane",
        label="Priority",
        done="given another priority",
        changing="changing the priority",
        states=UNFINISHED,
        in_lists=False,
    )
    RETRY = ActionSpec(
        name="retry",
        label="Try again",
        done="retried",
        changing="retrying",
        states=frozenset({JobState.FAILED, JobState.CANCELLED}),
    )
    EDIT = ActionSpec(
        name="edit",
        label="Edit",
        done="edited",
        changing="editing",
        states=frozenset({JobState.COMPLETED}),
        needs=Access.EDIT,
        in_lists=False,
    )
    RENAME = ActionSpec(
        name="rename",
        label="Rename",
        done="renamed",
        changing="renaming",
        states=frozenset(JobState),
        in_lists=False,
    )
    TAG = ActionSpec(
        name="tag",
        label="Tags",
        done="tagged",
        changing="changing tags",
        states=frozenset(JobState),
    )
    SHARE = ActionSpec(
        name="share",
        label="Share",
        done="shared",
        changing="sharing",
        states=frozenset({JobState.COMPLETED}),
        in_lists=False,
    )
    GRANT = ActionSpec(
        name="grant",
        label="Share with a colleague",
        done="shared",
        changing="sharing",
        states=frozenset(JobState),
        in_lists=False,
    )
    DELETE = ActionSpec(
        name="delete",
        label="Delete",
        done="deleted",
        changing="deleting",
        states=FINISHED,
        confirm="Delete {n}? It can be restored from “Deleted” for a while.",
    )
    RESTORE = ActionSpec(
        name="restore", label="Restore", done="restored", changing="restoring", states=FINISHED, on_deleted=True
    )
    PURGE = ActionSpec(
        name="purge",
        label="Delete permanently",
        done="deleted permanently",
        changing="deleting permanently",
        states=FINISHED,
        on_deleted=True,
        confirm="Permanently delete {n} with transcript and files? This cannot be undone.",
    )

    def fits(self, job: Job) -> bool:
        """Return whether the job's state allows this action."""
        return self._fits_held(job) and (
            job.state in self.spec.states and (job.deleted_at is not None) == self.spec.on_deleted
        )

    def _fits_held(self, job: Job) -> bool:
        return self.spec.on_held is None or self.spec.on_held == job.held

    def require(self, job: Job) -> None:
        """Check that the job's state allows this action.

        Raises:
            JobMoved: it does not.
        """
        if not self.fits(job):
            now = "deleted" if job.deleted_at else job.state if job.state.finished or not job.held else "paused"
            raise JobMoved(job.id, now, self.spec.done)

    def allows(self, role: Role) -> bool:
        """Return whether accounts of this role may do this to their own jobs."""
        return self.spec.readers or role.may_write


IN_LISTS = tuple(action for action in JobAction if action.spec.in_lists)
