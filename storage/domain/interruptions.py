"""Why an attempt at a job ended without a result."""

from dataclasses import dataclass
from typing import Literal, assert_never

from storage.domain.translation import gettext as _


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSilent:
    """The command line that transcribed it stopped reporting."""

    code: Literal["command_silent"] = "command_silent"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMissing:
    """Prefect no longer has the flow run."""

    code: Literal["run_missing"] = "run_missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDeleted:
    """Somebody deleted the flow run's queue in Prefect."""

    code: Literal["queue_deleted"] = "queue_deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAbandoned:
    """No worker is running the flow run."""

    code: Literal["run_abandoned"] = "run_abandoned"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded:
    """The flow run ended without a result; `cause` is its own message."""

    state: str
    cause: str = ""
    code: Literal["run_ended"] = "run_ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPostponed:
    """Something was unavailable for a while; `cause` is the flow run's own message."""

    cause: str
    code: Literal["run_postponed"] = "run_postponed"


Interruption = CommandSilent | RunMissing | QueueDeleted | RunAbandoned | RunEnded | RunPostponed


def words(interruption: Interruption) -> str:
    """Put an interruption into words."""
    match interruption:
        case CommandSilent():
            return _("the command that was transcribing it stopped reporting")
        case RunMissing():
            return _("Prefect no longer has its flow run")
        case QueueDeleted():
            return _("its queue was deleted in Prefect")
        case RunAbandoned():
            return _("no worker is running its flow run")
        case RunEnded(state=state, cause=cause):
            ended = _("its flow run {state} without a result", state=_(state))
            return ended + (f" ({cause})" if cause else "")
        case RunPostponed(cause=cause):
            return cause
        case _ as never:
            assert_never(never)
