"""Present a job as a list row, for the page and for live updates."""

from datetime import tzinfo
from typing import TYPE_CHECKING

from dashboards import strings
from dashboards.presenters.formatting import exactly, language, length, roughly, sentence, size, when
from storage.domain.job_messages import text_of
from storage.domain.model_names import display_name
from storage.domain.records import Job, JobState
from storage.domain.translation import gettext as _

if TYPE_CHECKING:
    from dashboards.components.contracts import JobProgress, JobRow, UploadJob


def kind(state: JobState) -> str:
    """Return the colour class of a state: active, completed, failed or quiet."""
    if state in {JobState.COMPLETED, JobState.FAILED}:
        return state.value
    return "quiet" if state in {JobState.QUEUED, JobState.CANCELLED} else "active"


def label(job: Job) -> str:
    """Return the job's state in a word, with its progress during transcription."""
    word = strings.STATE[job.state]
    known = job.state is JobState.TRANSCRIBING and job.expected_speech_s is not None
    return f"{word} {100 * job.progress:.0f}%" if known else word


def about(job: Job, owner: str | None = None) -> str:
    """Return the secondary line of a recording's row."""
    if not job.state.finished and job.detail:
        return " · ".join(part for part in (owner, sentence(text_of(job.detail))) if part)
    model = job.model or ("" if job.options.model == "auto" else job.options.model)
    tongue = language(job.language or job.options.language)
    return " · ".join(part for part in (owner, tongue, display_name(model), size(job.media_bytes)) if part)


def moving(job: Job, left_s: float | None = None) -> "JobProgress":
    """Return the parts of a row that change during processing."""
    return {
        "about": about(job),
        "length": length(job.duration_s),
        "state": job.state.value,
        "kind": kind(job.state),
        "label": label(job),
        "active": not job.state.finished and job.state is not JobState.QUEUED,
        "held": job.held and not job.state.finished,
        "progress": round(job.progress, 3),
        "left": _("{time} left", time=roughly(left_s)) if left_s is not None and not job.state.finished else "",
        "error": sentence(text_of(job.error)) if job.state is JobState.FAILED and job.error else None,
    }


def in_line(place: int | None, wait_s: float | None = None) -> str:
    """Return a queue position in words, with when it will be done; 0 is next."""
    if place is None:
        return ""
    said = _("next in the queue") if place == 0 else _("{place:,} ahead of it", place=place)
    return said if wait_s is None else _("{said}, done in about {time}", said=said, time=roughly(wait_s))


def job_row(
    job: Job,
    zone: tzinfo,
    owner: str | None = None,
    *,
    shared: bool = False,
    left_s: float | None = None,
    place: int | None = None,
    wait_s: float | None = None,
) -> "JobRow":
    """Return a job as the list component's row; `shared` if it is somebody else's."""
    shown = moving(job, left_s)
    return {
        **shown,
        "id": job.id,
        "name": job.name,
        "owner": owner,
        "tags": job.tags,
        "shared": shared,
        "left": shown["left"] or in_line(place, wait_s),
        "when": when(job.created_at, zone),
        "when_exact": exactly(job.created_at, zone),
        "created": job.created_at.isoformat(),
    }


def upload_row(job: Job) -> "UploadJob":
    """Return an uploaded job as the upload list's row."""
    doing = "" if job.state.finished else sentence(text_of(job.detail))
    return {
        "kind": kind(job.state),
        "label": label(job),
        "active": not job.state.finished and job.state is not JobState.QUEUED,
        "progress": round(job.progress, 3),
        "detail": doing or length(job.duration_s),
        "error": sentence(text_of(job.error)) if job.state is JobState.FAILED and job.error else None,
    }
