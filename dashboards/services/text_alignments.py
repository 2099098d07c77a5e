"""Corrected texts that get their times from the sound: asked for, followed, saved as versions."""

import logging
from typing import Any

import httpx

from dashboards.clients.prefect_runs import DeploymentMissing, PrefectRuns
from dashboards.runtime import context, db, notify
from dashboards.services import job_access
from storage.domain import job_messages, names
from storage.domain.errors import BadRequest, NotFound, PrefectAway, TimesNotMeasured, TranscriberError
from storage.domain.job_actions import JobAction
from storage.domain.records import AlignedText, AlignmentState, Job, TextAlignment, User, from_json
from storage.domain.text_timing_notes import TextNotTimed, TextTimed
from storage.jobs import alignments, job_store, save_edit
from storage.remote.alignment_reports import AlignmentReport
from storage.transcripts import transcript_store, versions

logger = logging.getLogger(__name__)

PREFECT = "PREFECT_API_URL"
MAX_TEXT_CHARS = 1_000_000


async def ask(user: User, job_id: str, text: str, *, base: int) -> TextAlignment:
    """Have a text's words timed, to become the version after `base`.

    Raises:
        NotAllowed, NotFound: as `job_access.permitted`.
        BadRequest: the text has no words or too many, or the transcript is a translation.
        TranscriptMoved, JobMoved, AlignmentsBusy: as `alignments.ask`.
        TimesNotMeasured: the transcript's own words have no times that could be anchors.
        PrefectAway: no flow run can be started now.
    """
    job = await db.read(job_access.permitted, user, JobAction.EDIT, job_id)
    if not text.strip() or len(text) > MAX_TEXT_CHARS:
        raise BadRequest("text", "send the words that are said, at most {most:,} characters", {"most": MAX_TEXT_CHARS})
    if job.options.task == "translate":
        raise BadRequest("text", "this transcript is a translation, whose words are not in the sound")
    head = await db.read(transcript_store.head, job.id)
    if head is not None and not head.timed:
        raise TimesNotMeasured(job.name)
    runs = context.current().runs
    if runs is None:
        raise PrefectAway(PREFECT, "it is not reached yet")
    await refreshed(job)
    asked = await db.write(alignments.ask, job.id, base=base, actor=user.actor)
    version = await db.read(versions.one_of, job.id, base)
    sent_as = names.corrected_text_name(job.id, asked.id)
    try:
        await db.in_thread(context.files().write, sent_as, text.encode())
        run_id = await _start(runs, job, asked, version.stored_as)
    except (TranscriberError, httpx.HTTPError, DeploymentMissing) as error:
        await _end(job, asked, AlignmentState.FAILED, job_messages.encode(TextNotTimed(sent=False)))
        if isinstance(error, TranscriberError):
            raise
        raise PrefectAway(PREFECT, str(error)) from error
    await db.write(alignments.submitted, asked.id, run_id)
    return await db.read(alignments.get, asked.id)


async def _start(runs: PrefectRuns, job: Job, asked: TextAlignment, stored_as: str) -> str:
    parameters: dict[str, Any] = {
        "alignment_id": asked.id,
        "stored_as": stored_as,
        "text": names.corrected_text_name(job.id, asked.id),
        "result": names.aligned_text_name(job.id, asked.id),
    }
    run = await runs.align(job, parameters, key=asked.id)
    return run.id


async def latest(user: User, job_id: str) -> TextAlignment | None:
    """Return the recording's last one, failed if its run ended without a report.

    Raises:
        NotFound: there is no such job for the user.
    """
    return await refreshed(await db.read(job_access.visible, user, job_id))


async def refreshed(job: Job) -> TextAlignment | None:
    """Return the job's last one, after a look at its flow run."""
    found = await db.read(alignments.latest, job.id)
    runs = context.current().runs
    if found is None or found.state.finished or not found.flow_run_id or runs is None:
        return found
    try:
        run = (await runs.by_id([found.flow_run_id])).get(found.flow_run_id)
    except httpx.HTTPError:
        return found
    if run is not None and not run.ended:
        return found
    again = await db.read(alignments.get, found.id)  # its report may have come in between
    if again.state.finished:
        return again
    return await _end(job, again, AlignmentState.FAILED, job_messages.encode(TextNotTimed()))


async def cancel(user: User, job_id: str) -> TextAlignment:
    """Cancel the recording's text that is in progress; the worker stops at its next report.

    Raises:
        NotAllowed, NotFound: as `job_access.permitted`; there is none.
    """
    job = await db.read(job_access.permitted, user, JobAction.EDIT, job_id)
    found = await db.read(alignments.latest, job.id)
    if found is None:
        raise NotFound("alignment of job", job_id)
    return await _end(job, found, AlignmentState.CANCELLED, "", actor=user.actor)


async def report(alignment_id: str, told: AlignmentReport, *, actor: str) -> TextAlignment:
    """Apply a worker's report; a text that is done is saved as a version."""
    found = await db.read(alignments.get, alignment_id)
    job = await db.read(job_store.get, found.job_id)
    if told.state is AlignmentState.RUNNING or found.state.finished:
        found = await db.write(alignments.advance, alignment_id, told.progress)
        _tell(job, found)
        return found
    if told.state is not AlignmentState.DONE:
        return await _end(job, found, told.state, told.detail, actor=actor)
    return await _save(job, found)


async def _save(job: Job, found: TextAlignment) -> TextAlignment:
    """Save the result as a version in the name of who sent the text."""
    try:
        stored = await db.in_thread(context.files().read, names.aligned_text_name(job.id, found.id))
        aligned = from_json(AlignedText, stored)
        done = TextTimed(share=aligned.share, words=aligned.words, timed=aligned.timed)
        note = job_messages.words(done)  # in English, as all that is stored
        save = (context.ledger(), context.files(), job.id, aligned)
        version = await db.in_ledger(save_edit.align, *save, base=found.base, note=note, actor=found.made_by)
    except TranscriberError as error:
        if error.transient:
            raise
        return await _end(job, found, AlignmentState.REFUSED, job_messages.encode(job_messages.raised(error)))
    ended = await _end(job, found, AlignmentState.DONE, job_messages.encode(done), version=version.number)
    notify.tell(job.id, job.owner_id, version=version.number)
    return ended


async def _end(
    job: Job,
    found: TextAlignment,
    state: AlignmentState,
    detail: str,
    *,
    actor: str = "system:alignment",
    version: int | None = None,
) -> TextAlignment:
    ended = await db.write(alignments.end, found.id, state, detail=detail, actor=actor, version=version)
    for name in (names.corrected_text_name(job.id, found.id), names.aligned_text_name(job.id, found.id)):
        try:
            await db.in_thread(context.files().delete, name)
        except TranscriberError as error:  # it goes with the recording
            logger.warning("%s could not be deleted: %s", name, error)
    _tell(job, ended)
    return ended


def _tell(job: Job, found: TextAlignment) -> None:
    notify.tell(job.id, job.owner_id, alignment=found.state.value, aligned=round(found.progress, 3))
