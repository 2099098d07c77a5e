"""The parts of a recording's page: how far it is, what to do next, its files, and who heard it."""

import html
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from pathlib import PurePath

import streamlit as st

from dashboards import components, context, player_data, present, strings, viewer
from dashboards.strings import recordings as words
from dashboards.viewer import Viewer
from storage import intake, jobs, notes, versions
from storage.clock import utc_now
from storage.errors import TranscriberError
from storage.records import ExportFormat, Job, JobState, Transcript

SURE = 0.8
"""With less than this, the languages that it may be in as well are named."""


def heading(job: Job, me: Viewer, owner: str | None) -> None:
    """Show name, state and the plain facts."""
    colour = {"completed": "green", "failed": "red", "active": "blue", "quiet": "gray"}[present.kind(job.state)]
    with st.container(key="crumb"):
        st.page_link("views/jobs.py", label=strings.PAGE["jobs"], icon=":material/arrow_back:")
    with st.container(key="headline", horizontal=True, vertical_alignment="center"):
        st.html(f"<h1>{_escaped(job.name)}</h1>", width="content")
        st.badge(strings.STATE[job.state], color=colour)  # type: ignore[arg-type]
    facts = [
        owner,
        present.exactly(job.created_at, me.zone).rsplit(":", 1)[0],
        present.length(job.duration_s),
        present.language(job.language),
        present.size(job.media_bytes),
    ]
    st.caption(" · ".join(viewer.plain(fact) for fact in facts if fact))


def under_way(job: Job, me: Viewer) -> None:
    """Show how far an unfinished job is, and let its owner stop it."""
    with st.container(border=True, key="progress"):
        doing = _heard(job) if job.state is JobState.TRANSCRIBING else words.UNDER_WAY[job.state]
        st.progress(job.progress, text=doing)
        if job.detail:
            st.caption(viewer.plain(present.sentence(job.detail)))
        if job.attempt > 1:
            st.caption(words.attempt(job.attempt))
        if me.may_write and st.button(words.CANCEL, icon=":material/close:", key="cancel"):
            _do(lambda: viewer.change(jobs.cancel, job.id, actor=me.actor), job)


def broken_off(job: Job, me: Viewer) -> None:
    """Say why a job failed or that it was cancelled, with the next step."""
    if job.state is JobState.FAILED:
        st.error(viewer.plain(present.sentence(job.error or words.NO_REASON)), icon=":material/error:")
        st.caption(words.id_for_help(job.id))
    else:
        st.info(words.CANCELLED, icon=":material/block:")
    if me.may_write and st.button(words.TRY_AGAIN, type="primary", icon=":material/replay:", key="retry"):
        _do(lambda: viewer.change(jobs.retry, job.id, actor=me.actor), job)


def player(job: Job, me: Viewer, transcript: Transcript | None) -> None:
    """Show player and transcript, to edit by whoever may."""
    sheets = ["script", "cues", "review", "notes", "versions"]
    data = player_data.of(job, transcript, base=f"/api/v1/jobs/{job.id}") | {
        "media": f"/recordings/{job.id}",
        "peaks": f"/recordings/{job.id}/peaks",
        "captions": f"/downloads/{job.id}/vtt",
        "version": viewer.look(versions.current, job.id).number if transcript else 1,
        "notes": len(viewer.look(notes.list_of, job.id)),
        "may_edit": me.may_write,
        "sheets": sheets,
    }
    components.player(data, key=f"player-{job.id}")


def player_along(job: Job) -> None:
    """Show the player while the job is under way, with the text so far; its waveform is there once it is read."""
    read = job.speech_s is not None and job.read_s is None
    data = player_data.of(job, None, base=f"/api/v1/jobs/{job.id}") | {
        "media": f"/recordings/{job.id}",
        "peaks": f"/recordings/{job.id}/peaks" if read else None,
        "captions": "",
        "version": 0,
        "notes": 0,
        "may_edit": False,
        "sheets": ["script"],
        "along": {"attempt": job.attempt, "parts": job.parts, "share": round(job.progress, 3)},
    }
    components.player(data, key=f"player-{job.id}")


def warnings(job: Job) -> None:
    """Warn of the demo model, and say what the machine had to give up to finish."""
    if job.model == present.DEMO_MODEL:
        st.warning(strings.DEMO_WARNING, icon=":material/info:")
    if job.given_up:
        what = "; ".join(viewer.plain(one) for one in job.given_up)
        st.info(words.made_do(what), icon=":material/memory:")


def files(job: Job) -> None:
    """Offer each format for download."""
    stem = PurePath(job.name).stem or "transcript"
    st.subheader(words.DOWNLOAD, anchor=False)
    rows = [
        {
            "url": f"/downloads/{job.id}/{fmt}",
            "name": f"{stem}.{fmt}",
            "format": fmt.value,
            "about": strings.FORMAT[fmt],
        }
        for fmt in ExportFormat
    ]
    original = {
        "url": f"/recordings/{job.id}?download=1",
        "name": job.name,
        "format": "file",
        "about": words.ORIGINAL,
    }
    components.downloads([*rows, original], captions=asdict(job.options.cues), key=f"downloads-{job.id}")


def delete_button(job: Job, me: Viewer) -> None:
    """Let the owner delete a finished job, after asking."""
    if not me.may_write:
        return
    with st.popover(words.DELETE_RECORDING, icon=":material/delete:", type="tertiary"):
        days = context.settings().web.deleted_kept_days
        st.write(words.delete_sure(viewer.plain(job.name), days))
        if st.button(words.DELETE, type="primary", icon=":material/delete:", key="delete"):
            _delete(job, me)


def _delete(job: Job, me: Viewer) -> None:
    try:
        intake.delete(context.ledger(), context.files(), job.id, actor=me.actor)
    except TranscriberError as error:
        viewer.refused(error)
        return
    context.removed(job.id, job.owner_id)
    st.rerun()


def deleted(job: Job, me: Viewer) -> None:
    """Say that the recording is deleted, until when it can be restored, and offer that."""
    gone = (job.deleted_at or utc_now()) + timedelta(days=context.settings().web.deleted_kept_days)
    when = viewer.plain(present.when(job.deleted_at or utc_now(), me.zone))
    until = viewer.plain(present.exactly(gone, me.zone).rsplit(":", 1)[0])
    st.info(words.deleted(when, until), icon=":material/delete:")
    if me.may_write and st.button(words.RESTORE, type="primary", icon=":material/restore_from_trash:", key="restore"):
        _do(lambda: intake.restore(context.ledger(), context.files(), job.id, actor=me.actor), job)


def _do(work: Callable[[], Job], job: Job) -> None:
    try:
        work()
    except TranscriberError as error:
        viewer.refused(error)
        return
    context.changed(job.id, job.owner_id)
    st.rerun()


def _heard(job: Job) -> str:
    if not job.speech_s:
        return words.LISTENING
    left = None
    if job.started_at is not None and job.progress >= 0.05:
        left = present.roughly((utc_now() - job.started_at).total_seconds() * (1 - job.progress) / job.progress)
    whole = None if job.read_s else present.length(job.speech_s)
    return words.heard(present.length(job.done_s), whole, left)


def _escaped(text: str | None) -> str:
    return html.escape(text or "")
