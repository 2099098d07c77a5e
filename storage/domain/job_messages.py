"""What a job says about itself: a code with arguments, put into words when shown.

A job's `detail`, `error` and `given_up` store messages as JSON. Older versions stored sentences, which are shown
unchanged. The words are here, because pages, API, mails, command line and exports all show them.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, assert_never, cast

from storage.domain import errors, interruptions, text_timing_notes, transcript_notes
from storage.domain.durations import roughly
from storage.domain.interruptions import (
    CommandSilent,
    Interruption,
    QueueDeleted,
    RunAbandoned,
    RunEnded,
    RunMissing,
    RunPostponed,
)
from storage.domain.model_names import display_name
from storage.domain.text_timing_notes import TextTimingNote
from storage.domain.transcript_notes import TranscriptNote
from storage.domain.translation import gettext as _

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """Words without a code: of an older version, or of another program."""

    text: str
    code: Literal["sentence"] = "sentence"


# What a job waits for or does


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingForWorker:
    """No gpu worker is running."""

    code: Literal["waiting_for_worker"] = "waiting_for_worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingForModel:
    """No worker has reported the model; None is the default one."""

    model: str | None
    code: Literal["waiting_for_model"] = "waiting_for_model"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryingModel:
    """The model's download failed, and is tried again."""

    model: str
    code: Literal["retrying_model"] = "retrying_model"


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadingModel:
    """A worker downloads the model; `share` is 0 to 1."""

    model: str
    share: float | None = None
    code: Literal["downloading_model"] = "downloading_model"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingForPrefect:
    """The Prefect server does not answer, or has no deployments yet."""

    deployments: bool = False
    code: Literal["waiting_for_prefect"] = "waiting_for_prefect"


@dataclass(frozen=True, slots=True, kw_only=True)
class LanePaused:
    """Somebody paused the pool, or one queue of it, in Prefect."""

    pool: str
    queue: str | None = None
    code: Literal["lane_paused"] = "lane_paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBack:
    """Its owner has as many recordings in progress as one person may have."""

    each: int
    code: Literal["held_back"] = "held_back"


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenancePause:
    """An administrator paused the whole platform, and why."""

    reason: str
    code: Literal["maintenance_pause"] = "maintenance_pause"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPaused:
    """Somebody paused this job."""

    code: Literal["job_paused"] = "job_paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPaused:
    """Somebody paused a flow run of the job in Prefect, which paused the job."""

    code: Literal["run_paused"] = "run_paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingToRetry:
    """Something is unavailable; `cause` is the flow run's own message."""

    every_s: float
    cause: str
    code: Literal["waiting_to_retry"] = "waiting_to_retry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The recording is being read, so far to `read_s`."""

    read_s: float
    code: Literal["reading"] = "reading"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diarizing:
    """All is transcribed; the speakers are being told apart."""

    code: Literal["diarizing"] = "diarizing"


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscribedByCommand:
    """The command line transcribes it, and how far it is."""

    done_s: float
    speech_s: float
    code: Literal["transcribed_by_command"] = "transcribed_by_command"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """Somebody cancelled the job."""

    code: Literal["cancelled"] = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """The job was rebuilt from storage."""

    code: Literal["restored"] = "restored"


@dataclass(frozen=True, slots=True, kw_only=True)
class Requeued:
    """The job is queued as a new attempt."""

    reason: Interruption
    code: Literal["requeued"] = "requeued"


# Why a job failed


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashedTooOften:
    """Its flow runs died several times."""

    times: int
    last: Interruption
    code: Literal["crashed_too_often"] = "crashed_too_often"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUnavailable:
    """No worker could get the model; `warning` is the last worker's own message."""

    model: str
    warning: str | None = None
    downloaded: bool = False
    code: Literal["model_unavailable"] = "model_unavailable"


Argument = str | int | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """An error of the domain, by its class and arguments."""

    error: str
    args: tuple[Argument | tuple[Argument, ...], ...] = ()
    code: Literal["raised"] = "raised"


JobMessage = (
    Sentence
    | WaitingForWorker
    | WaitingForModel
    | RetryingModel
    | DownloadingModel
    | WaitingForPrefect
    | LanePaused
    | HeldBack
    | MaintenancePause
    | JobPaused
    | RunPaused
    | WaitingToRetry
    | Reading
    | Diarizing
    | TranscribedByCommand
    | Cancelled
    | Restored
    | Interruption
    | Requeued
    | CrashedTooOften
    | ModelUnavailable
    | Raised
    | TranscriptNote
    | TextTimingNote
)


def encode(message: JobMessage) -> str:
    """Return the message as it is stored."""
    if isinstance(message, Sentence):
        return message.text
    return _adapter().dump_json(message).decode()


def decode(stored: str) -> JobMessage:
    """Read a stored message; what is no message is a sentence."""
    if stored.startswith("{"):
        try:
            return cast(JobMessage, _adapter().validate_json(stored))
        except ValueError:
            pass
    return Sentence(text=stored)


def for_audit(stored: str) -> Any:
    """Return a stored message for an audit row's details."""
    return stored if isinstance(decode(stored), Sentence) else json.loads(stored)


def text_of(stored: str | None) -> str:
    """Put a stored message into words; empty if there is none."""
    return words(decode(stored)) if stored else ""


def texts_of(stored: Iterable[str]) -> list[str]:
    """Put stored messages into words."""
    return [text_of(one) for one in stored]


def raised(error: errors.TranscriberError) -> Raised | Sentence:
    """Return the message of an error; with arguments that cannot be stored, its sentence."""
    try:
        message = _raised_adapter().validate_python({"error": type(error).__name__, "args": error.args})
    except ValueError:
        return Sentence(text=str(error))
    return cast(Raised, message)


def words(message: JobMessage) -> str:  # noqa: PLR0911, PLR0912 - a line for each message
    """Put a message into words."""
    if isinstance(message, TranscriptNote):
        return transcript_notes.words(message)
    if isinstance(message, TextTimingNote):
        return text_timing_notes.words(message)
    match message:
        case Sentence():
            return message.text
        case WaitingForWorker():
            return _("waiting for a worker")
        case WaitingForModel(model=model):
            if model:
                return _("waiting for a worker to report model {model}", model=display_name(model))
            return _("waiting for a worker to report its model")
        case RetryingModel(model=model):
            return _("retrying model {model}", model=display_name(model))
        case DownloadingModel(model=model, share=share):
            far = "" if share is None else f": {100 * share:.0f}%"
            return _("downloading model {model}", model=display_name(model)) + far
        case WaitingForPrefect(deployments=missing):
            told = "waiting for the Prefect server to be told of the deployments"
            return _(told if missing else "waiting for the Prefect server")
        case LanePaused(pool=pool, queue=queue):
            if queue:
                return _("paused in Prefect (queue {queue} of pool {pool})", queue=queue, pool=pool)
            return _("paused in Prefect (pool {pool})", pool=pool)
        case HeldBack(each=each):
            return _(
                "waiting for other recordings of its owner: at most {each} of one person are in progress at a time",
                each=each,
            )
        case MaintenancePause(reason=reason):
            return _("paused for maintenance: {reason}", reason=reason)
        case JobPaused():
            return _("paused; resume it to go on")
        case RunPaused():
            return _("its flow run was paused in Prefect; resume the recording here to go on")
        case WaitingToRetry(every_s=every_s, cause=cause):
            return _("waiting: retrying every {every_s}; {cause}", every_s=roughly(every_s), cause=cause)
        case Reading(read_s=read_s):
            return _("reading: {read_s} so far", read_s=roughly(read_s))
        case Diarizing():
            return _("telling speakers apart")
        case TranscribedByCommand(done_s=done_s, speech_s=speech_s):
            return _(
                "{done_s:.0f} of {speech_s:.0f} s transcribed by the command line", done_s=done_s, speech_s=speech_s
            )
        case Cancelled():
            return _("cancelled")
        case Restored():
            return _("restored")
        case Requeued(reason=reason):
            return _("again: {reason}", reason=words(reason))
        case CommandSilent() | RunMissing() | QueueDeleted() | RunAbandoned() | RunEnded() | RunPostponed():
            return interruptions.words(message)
        case CrashedTooOften(times=times, last=last):
            return _(
                "the work on this recording broke off {times} times (last: {last}); see the log of the workers and "
                "`transcriber doctor`, choose a smaller model if memory is short, then retry: the source is kept",
                times=times,
                last=words(last),
            )
        case ModelUnavailable():
            return _model_unavailable(message)
        case Raised():
            return _error_text(message)
        case _ as never:
            assert_never(never)


def _model_unavailable(message: ModelUnavailable) -> str:
    reason = _("its download failed" if message.downloaded else "no worker could download it")
    return message.warning or str(errors.ModelMissing(message.model, reason))


def _error_text(message: Raised) -> str:
    try:
        return str(getattr(errors, message.error)(*message.args))
    except (AttributeError, TypeError, ValueError):  # of another version, with another name or other arguments
        return f"{message.error}: {', '.join(str(one) for one in message.args)}"


@cache
def _adapter() -> "TypeAdapter[Any]":
    from pydantic import Field, TypeAdapter  # imported here, so that the command line's help starts quickly

    return TypeAdapter(Annotated[JobMessage, Field(discriminator="code")])


@cache
def _raised_adapter() -> "TypeAdapter[Any]":
    from pydantic import TypeAdapter

    return TypeAdapter(Raised)
