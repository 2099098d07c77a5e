"""The sections of a recording's page: progress, next step, files and provenance."""

import html
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from pathlib import PurePath
from typing import Literal, cast

import streamlit as st

from dashboards import components, strings
from dashboards.components.contracts import CueSettings, DownloadFile, PlayedMedia, PlayerData
from dashboards.pages import registry, viewer
from dashboards.pages.viewer import Viewer
from dashboards.presenters import formatting, job_row, player_data
from dashboards.runtime import context, db
from dashboards.runtime.site_paths import site_path
from dashboards.services import job_access, jobs, playback_copies
from dashboards.strings import recordings as words
from storage.domain.clock import utc_now
from storage.domain.errors import TranscriberError
from storage.domain.job_actions import JobAction
from storage.domain.job_messages import text_of, texts_of
from storage.domain.recording_names import MAX_NAME_CHARS
from storage.domain.records import NOT_TIMED, ExportFormat, Job, JobState, Transcript
from storage.domain.tags import MAX_TAGS, split_tags
from storage.domain.translation import gettext as _
from storage.jobs.annotations import comments, notes, summaries, tagging
from storage.transcripts import versions

FILES = "files"
"""The address of the downloads on the page, which stand below the transcript on a phone."""
SURE = 0.8
"""Below this probability, alternative languages are shown."""


def heading(job: Job, me: Viewer, owner: str | None) -> None:
    """Show name, state and basic facts."""
    colour = {"completed": "green", "failed": "red", "active": "blue", "quiet": "gray"}[job_row.kind(job.state)]
    facts = [
        owner,
        formatting.exactly(job.created_at, me.zone).rsplit(":", 1)[0],
        formatting.length(job.duration_s),
        formatting.language(job.language),
        formatting.size(job.media_bytes),
        words.audio_track(job.options.audio_track + 1) if job.options.audio_track is not None else "",
    ]
    with st.container(key="heading"):
        with st.container(key="headline", horizontal=True, vertical_alignment="center"):
            back = registry.page("jobs")
            st.page_link(back, label=strings.PAGE["jobs"], icon=":material/arrow_back:", width="content")
            st.html(f'<h1 title="{_escaped(job.name)}">{_escaped(job.name)}</h1>', width="content")
            st.badge(strings.STATE[job.state], color=colour)  # type: ignore[arg-type]
            _rename(job, me)
            _tags(job, me)
        st.caption(" · ".join(viewer.plain(fact) for fact in facts if fact))
        if job.tags:
            with st.container(key="tags", horizontal=True):
                for tag in job.tags:
                    st.badge(viewer.plain(tag), color="gray", icon=":material/label:")
        if job.state is JobState.COMPLETED and not job.deleted_at:
            with st.container(key="jump"):
                st.html(f'<a class="jump" href="#{FILES}">{words.TO_FILES}</a>')


def _rename(job: Job, me: Viewer) -> None:
    """Let whoever may rename the recording do so, beside its name."""
    if not job_access.may(me.user, JobAction.RENAME, job):
        return
    with (
        st.popover(_(JobAction.RENAME.spec.label), icon=":material/edit:", type="tertiary"),
        st.form("rename", border=False),
    ):
        name = st.text_input(
            words.NAME, PurePath(job.name).stem, max_chars=MAX_NAME_CHARS, key=f"name-{job.id}-{job.name}"
        )
        if st.form_submit_button(_(JobAction.RENAME.spec.label), type="primary"):
            _apply(lambda: jobs.change(me.user, job.id, name=name))


def _tags(job: Job, me: Viewer) -> None:
    """Let whoever may change the recording's tags do so, beside its name."""
    if not job_access.may(me.user, JobAction.TAG, job):
        return
    with (
        st.popover(_(JobAction.TAG.spec.label), icon=":material/label:", type="tertiary"),
        st.form("tags", border=False),
    ):
        known = sorted({*job.tags, *db.look(tagging.used, job.owner_id)})
        # The list covers what is below the field; Save is beside it.
        with st.container(horizontal=True, vertical_alignment="bottom"):
            chosen = st.multiselect(
                words.TAGS,
                known,
                default=job.tags,
                accept_new_options=True,
                max_selections=MAX_TAGS,
                help=words.TAGS_HELP,
                placeholder=words.TAGS_NEW,
                key=f"tags-{job.id}-{','.join(job.tags)}",
                width=230,
            )
            is_sent = st.form_submit_button(words.SAVE, type="primary")
        if is_sent:
            _apply(lambda: jobs.change(me.user, job.id, tags=split_tags(",".join(chosen))))


def under_way(job: Job, me: Viewer) -> None:
    """Show the progress of an unfinished job, with a cancel button for its owner."""
    with st.container(border=True, key="progress"):
        doing = _heard(job) if job.state is JobState.TRANSCRIBING else words.UNDER_WAY[job.state]
        st.progress(job.progress, text=doing)
        if job.detail:
            st.caption(viewer.plain(formatting.sentence(text_of(job.detail))))
        if job.attempt > 1:
            st.caption(words.attempt(job.attempt))
        with st.container(horizontal=True):
            _offer(JobAction.PAUSE, job, me, ":material/pause:", "secondary")
            _offer(JobAction.RESUME, job, me, ":material/play_arrow:")
            if not job.flow_run_id:
                _offer(JobAction.FIRST, job, me, ":material/vertical_align_top:", "secondary")
            _offer(JobAction.CANCEL, job, me, ":material/close:", "secondary")
        _lane(job, me)


def _lane(job: Job, me: Viewer) -> None:
    """Let the owner choose another lane for an unfinished job."""
    if not job_access.may(me.user, JobAction.LANE, job):
        return
    chosen = st.selectbox(
        words.PRIORITY,
        list(words.PRIORITIES),
        index=list(words.PRIORITIES).index(job.lane),
        format_func=words.PRIORITIES.__getitem__,
        help=words.PRIORITY_HELP,
        key=f"lane-{job.id}-{job.lane}",
    )
    if chosen is None or chosen == job.lane:
        return
    _apply(lambda: jobs.change(me.user, job.id, lane=chosen))


def _apply(change: Callable[[], object]) -> None:
    """Make a change and show the page anew, or say why it is refused."""
    try:
        change()
    except TranscriberError as error:
        viewer.refused(error)
        return
    st.rerun()


def broken_off(job: Job, me: Viewer) -> None:
    """Show why a job failed or that it was cancelled, with the next step."""
    if job.state is JobState.FAILED:
        st.error(viewer.plain(formatting.sentence(text_of(job.error) or words.NO_REASON)), icon=":material/error:")
        st.caption(words.id_for_help(job.id))
    else:
        st.info(words.CANCELLED, icon=":material/block:")
    _offer(JobAction.RETRY, job, me, ":material/replay:")


def player(job: Job, me: Viewer, transcript: Transcript | None) -> None:
    """Show player and transcript, editable for users with the right."""
    sheets = ["script", "cues", "review", "notes", "comments", "versions"]
    if transcript is not None and not transcript.timed:
        sheets.remove("cues")
    if context.settings().summary.is_on or db.look(summaries.list_of, job.id):
        sheets.append("summary")
    data: PlayerData = {
        **player_data.of(job, transcript, base=site_path(f"/api/v1/jobs/{job.id}"), media=_media(job)),
        "peaks": site_path(f"/recordings/{job.id}/peaks"),
        "captions": site_path(f"/downloads/{job.id}/vtt"),
        "version": db.look(versions.current, job.id).number if transcript else 1,
        "notes": len(db.look(notes.list_of, job.id)),
        "passages": db.look(comments.count, job.id),
        "owns": job.owner_id == me.user.id,
        "revision": job.version,
        "may_edit": job_access.may(me.user, JobAction.EDIT, job),
        "may_comment": me.user.role.may_write,
        "sheets": sheets,
        "partial": None,
    }
    components.player(data, key=f"player-{job.id}")


def _media(job: Job) -> PlayedMedia:
    source = site_path(f"/recordings/{job.id}")
    found = playback_copies.playback_for(context.files(), job)
    return player_data.media(job, found, source=source, copy=f"{source}/playback")


def player_along(job: Job) -> None:
    """Show the player with the text so far, and the waveform once decoded."""
    read = job.speech_s is not None and job.read_s is None
    data: PlayerData = {
        **player_data.of(job, None, base=site_path(f"/api/v1/jobs/{job.id}"), media=_media(job)),
        "peaks": site_path(f"/recordings/{job.id}/peaks") if read else None,
        "captions": "",
        "version": 0,
        "notes": 0,
        "passages": 0,
        "owns": False,
        "revision": 0,
        "may_edit": False,
        "may_comment": False,
        "sheets": ["script"],
        "partial": {"attempt": job.attempt, "parts": job.parts, "share": round(job.progress, 3)},
    }
    components.player(data, key=f"player-{job.id}")


def warnings(job: Job) -> None:
    """Show the settings that were reduced to complete the recording."""
    if job.given_up:
        what = "; ".join(viewer.plain(one) for one in texts_of(job.given_up))
        st.info(words.made_do(what), icon=":material/memory:")


def without_times(transcript: Transcript | None) -> None:
    """Say of a text without times that it has none."""
    if transcript is not None and not transcript.timed:
        st.info(strings.FINDING[NOT_TIMED], icon=":material/timer_off:")


def files(job: Job, *, timed: bool = True) -> None:
    """Offer each format for download that the transcript can have."""
    stem = PurePath(job.name).stem or "transcript"
    st.html(f'<h2 id="{FILES}" tabindex="-1">{words.DOWNLOAD}</h2>')
    rows: list[DownloadFile] = [
        {
            "url": site_path(f"/downloads/{job.id}/{fmt}"),
            "name": f"{stem}.{fmt}",
            "format": fmt.value,
            "about": _(fmt.spec.label),
            "settings": sorted(fmt.spec.settings),
        }
        for fmt in ExportFormat
        if timed or not fmt.spec.timed
    ]
    original: DownloadFile = {
        "url": site_path(f"/recordings/{job.id}?download=1"),
        "name": job.name,
        "format": "file",
        "about": words.ORIGINAL,
        "settings": [],
    }
    captions = cast("CueSettings", asdict(job.options.cues))
    components.downloads([*rows, original], captions=captions, key=f"downloads-{job.id}")


def delete_button(job: Job, me: Viewer) -> None:
    """Let the owner delete a finished job, after confirmation."""
    if not job_access.may(me.user, JobAction.DELETE, job):
        return
    with st.popover(words.DELETE_RECORDING, icon=":material/delete:", type="tertiary"):
        days = context.settings().web.deleted_kept_days
        st.write(words.delete_sure(viewer.plain(job.name), days))
        _offer(JobAction.DELETE, job, me, ":material/delete:")


def deleted(job: Job, me: Viewer) -> None:
    """Show that the recording is deleted, and offer to restore it."""
    gone = (job.deleted_at or utc_now()) + timedelta(days=context.settings().web.deleted_kept_days)
    when = viewer.plain(formatting.when(job.deleted_at or utc_now(), me.zone))
    until = viewer.plain(formatting.exactly(gone, me.zone).rsplit(":", 1)[0])
    st.info(words.deleted(when, until), icon=":material/delete:")
    _offer(JobAction.RESTORE, job, me, ":material/restore_from_trash:")


def _offer(
    action: JobAction, job: Job, me: Viewer, icon: str, kind: Literal["primary", "secondary"] = "primary"
) -> None:
    """Show the action's button if the reader may use it, and perform it when clicked."""
    if not job_access.may(me.user, action, job):
        return
    if st.button(_(action.spec.label), type=kind, icon=icon, key=action.value):
        try:
            jobs.perform(action, me.user, job.id)
        except TranscriberError as error:
            viewer.refused(error)
            return
        st.rerun()


def _heard(job: Job) -> str:
    if not job.speech_s:
        return words.LISTENING
    left_s = context.current().paces.left_s(job)
    left = None if left_s is None else formatting.roughly(left_s)
    whole = None if job.read_s else formatting.length(job.speech_s)
    return words.heard(formatting.length(job.done_s), whole, left)


def _escaped(text: str | None) -> str:
    return html.escape(text or "")
