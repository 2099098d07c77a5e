"""Trials: jobs of the platform's own that transcribe a campaign's recordings again.

A trial is accepted in the transaction that moves its item on, so that none is begun twice. When it has ended, its
transcript is stored as a proposal beside those of the recording, and the trial is purged.
"""

import dataclasses
import json
from contextlib import suppress
from datetime import datetime
from typing import Any

from duckdb import DuckDBPyConnection

from storage.accounts import canary_account
from storage.accounts.canary_account import CANARY_ID
from storage.campaigns import campaign_rows, comparison, corrections
from storage.campaigns.campaign_budget import CampaignBudget
from storage.campaigns.campaign_rows import Campaign, CampaignItem, CampaignState, TrialState
from storage.domain import names
from storage.domain.errors import JobHeld, JobMoved, NotFound, NotStored
from storage.domain.job_messages import text_of
from storage.domain.languages import UNDETERMINED
from storage.domain.model_names import display_name
from storage.domain.records import Job, JobState, Lane, Options, Transcript, from_json, to_json
from storage.files.file_store import Files
from storage.jobs import intake, job_store
from storage.jobs.kept_parts import KeptPart
from storage.ledger import audit
from storage.ledger.database import Ledger
from storage.transcripts import transcript_store, versions

ACTOR = "system:campaigns"
GONE = "the recording was deleted"
OPEN = "SELECT count(*) FROM campaign_items WHERE campaign_id = $id AND state = 'transcribing'"
BEGIN = """
UPDATE campaign_items SET state = 'transcribing', trial_id = $trial_id WHERE campaign_id = $id AND number = $number
"""
END = """
UPDATE campaign_items SET state = $state, error_code = $error_code, error = $error,
    device_s = device_s + $device_s, heard_s = heard_s + $heard_s
WHERE campaign_id = $id AND number = $number
"""


def begin(con: DuckDBPyConnection, campaign_id: str, *, most: int, now: datetime) -> Job | None:
    """Begin the next trial, if the state, the hours and the budget allow it."""
    campaign = campaign_rows.get(con, campaign_id)
    if campaign.state is not CampaignState.RUNNING or not campaign.is_within_hours(now):
        return None
    if con.execute(OPEN, {"id": campaign_id}).fetchall()[0][0] >= most:
        return None
    budget = CampaignBudget(con, campaign)
    while turn := budget.next_turn():
        original = _original(con, turn.job_id)
        if original is None:
            _end(con, campaign_id, turn.number, TrialState.SKIPPED, error_code="not_found", error=GONE)
            continue
        if not budget.is_enough(turn):
            return None
        trial = _accept(con, campaign, original)
        con.execute(BEGIN, {"id": campaign_id, "number": turn.number, "trial_id": trial.id})
        return trial
    return None


def _original(con: DuckDBPyConnection, job_id: str) -> Job | None:
    """Return the recording if it is still there to be transcribed again."""
    try:
        job = job_store.get(con, job_id)
    except NotFound:
        return None
    return job if job.state is JobState.COMPLETED and job.deleted_at is None else None


def _accept(con: DuckDBPyConnection, campaign: Campaign, original: Job) -> Job:
    canary_account.ensure(con)
    return job_store.accept(
        con,
        owner_id=CANARY_ID,
        name=original.name,
        media_sha256=original.media_sha256,
        media_bytes=original.media_bytes,
        options=changed_options(original.options, campaign.changes),
        lane=Lane.BACKFILL,
        actor=ACTOR,
        duration_s=original.duration_s,
    )


def changed_options(options: Options, changes: dict[str, Any]) -> Options:
    """Return a recording's options with those of the campaign; no files are written."""
    values = json.loads(to_json(options)) | changes | {"formats": []}
    return from_json(Options, json.dumps(values))


def withdraw(con: DuckDBPyConnection, campaign_id: str) -> list[Job]:
    """Take back the trials that no worker has begun; their recordings wait again."""
    campaign = campaign_rows.get(con, campaign_id)
    is_cancelled = campaign.state is CampaignState.CANCELLED
    withdrawn = []
    for item in campaign_rows.in_states(con, campaign_id, TrialState.TRANSCRIBING, limit=1000):
        trial = _trial_of(con, item)
        if trial is None or trial.state.finished or not (is_cancelled or _is_waiting(trial)):
            continue
        state = TrialState.CANCELLED if is_cancelled else TrialState.WAITING
        withdrawn.append(job_store.cancel(con, trial.id, actor=ACTOR))
        _end(con, campaign_id, item.number, state)
    return withdrawn


def _is_waiting(trial: Job) -> bool:
    return trial.state is JobState.QUEUED and trial.flow_run_id is None


def settle(ledger: Ledger, files: Files, item: CampaignItem) -> bool:
    """Note how a trial ended; return False while it has not."""
    with ledger.read() as con:
        trial = _trial_of(con, item)
        if trial is not None and not trial.state.finished:
            return False
        original = _original(con, item.job_id)
    if trial is None:
        ledger.run(_again, item)
    elif original is None:
        ledger.run(_ended, item, trial, TrialState.SKIPPED, error_code="not_found", error=GONE)
    elif trial.state is JobState.COMPLETED:
        _propose(ledger, files, item, trial)
    else:
        error = text_of(trial.error) or trial.state.value
        ledger.run(
            _ended, item, trial, TrialState.FAILED, error_code=trial.error_code or trial.state.value, error=error
        )
    return True


def _propose(ledger: Ledger, files: Files, item: CampaignItem, trial: Job) -> None:
    """Store the trial's transcript as a proposal, and how it differs from the current one."""
    with ledger.read() as con:
        base = versions.current(con, item.job_id)
        current, new = transcript_store.get(con, item.job_id), transcript_store.get(con, trial.id)
        corrected = corrections.is_corrected(con, item.job_id)
        first = versions.one_of(con, item.job_id, 1)
    if current is None or new is None:
        ledger.run(_ended, item, trial, TrialState.FAILED, error_code="not_found", error=GONE)
        return
    try:
        engines = versions.read(files, first) if corrected and first.made_by == versions.ENGINE else None
    except (NotStored, ValueError):  # it is gone or damaged: there is nothing to measure against
        engines = None
    new = dataclasses.replace(new, job_id=item.job_id, name=current.name)
    stored_as = names.proposal_name(item.job_id, item.campaign_id)
    files.write(stored_as, to_json(new))
    found = comparison.compare(current, new, corrected=corrected, engines=engines)
    facts = {
        "base": base.number,
        "stored_as": stored_as,
        "language": new.language if current.language in {"", UNDETERMINED} else current.language,
        "new_model": display_name(new.model),
        "old_model": display_name((engines or current).model),
        "corrected": corrected,
    }
    ledger.run(_proposed, item, trial, facts | dataclasses.asdict(found))


PROPOSE = """
UPDATE campaign_items SET base = $base, stored_as = $stored_as, language = $language, new_model = $new_model,
    old_model = $old_model, corrected = $corrected, old_words = $old_words, changed_words = $changed_words,
    change = $change, old_confidence = $old_confidence, new_confidence = $new_confidence, said_words = $said_words,
    old_errors = $old_errors, new_errors = $new_errors
WHERE campaign_id = $id AND number = $number
"""


def _proposed(con: DuckDBPyConnection, item: CampaignItem, trial: Job, facts: dict[str, Any]) -> None:
    if campaign_rows.item(con, item.campaign_id, item.number).state is not TrialState.TRANSCRIBING:
        return
    con.execute(PROPOSE, {"id": item.campaign_id, "number": item.number, **facts})
    _ended(con, item, trial, TrialState.PROPOSED)
    told = {"campaign": item.campaign_id, "change": round(facts["change"], 4), "model": facts["new_model"]}
    audit.record(con, actor=ACTOR, action="campaign.propose", subject=item.job_id, detail=told)


HEARD = """
SELECT coalesce(sum(engine_s) FILTER (WHERE NOT reused), 0),
    coalesce(sum(end_s - start_s) FILTER (WHERE NOT reused AND engine_s > 0), 0)
FROM spans WHERE job_id = $id
"""


def _ended(
    con: DuckDBPyConnection,
    item: CampaignItem,
    trial: Job,
    state: TrialState,
    *,
    error_code: str | None = None,
    error: str | None = None,
) -> None:
    if campaign_rows.item(con, item.campaign_id, item.number).state is not TrialState.TRANSCRIBING:
        return
    device_s, heard_s = con.execute(HEARD, {"id": trial.id}).fetchall()[0]
    spent = {"device_s": float(device_s), "heard_s": float(heard_s)}
    _end(con, item.campaign_id, item.number, state, error_code=error_code, error=error, **spent)


def _end(
    con: DuckDBPyConnection,
    campaign_id: str,
    number: int,
    state: TrialState,
    *,
    error_code: str | None = None,
    error: str | None = None,
    device_s: float = 0.0,
    heard_s: float = 0.0,
) -> None:
    values: dict[str, Any] = {"id": campaign_id, "number": number, "state": state.value}
    values |= {"error_code": error_code, "error": error, "device_s": device_s, "heard_s": heard_s}
    con.execute(END, values)


FORGET = "UPDATE campaign_items SET trial_id = NULL WHERE campaign_id = $id AND number = $number"
DROPPED = "SELECT part FROM dropped_parts WHERE job_id = $id AND part IN ('source', 'spans') ORDER BY part"
ENDED = """
SELECT number, trial_id, job_id FROM campaign_items
WHERE campaign_id = $id AND trial_id IS NOT NULL AND state <> 'transcribing' ORDER BY number LIMIT 100
"""


def _again(con: DuckDBPyConnection, item: CampaignItem) -> None:
    """Let the recording wait again: its trial is gone."""
    con.execute(FORGET, {"id": item.campaign_id, "number": item.number})
    _end(con, item.campaign_id, item.number, TrialState.WAITING)


def clear(ledger: Ledger, files: Files, campaign_id: str) -> list[str]:
    """Purge the trials that have ended and are noted, with their files; return their ids."""
    with ledger.read() as con:
        ended = con.execute(ENDED, {"id": campaign_id}).fetchall()
    cleared = []
    for number, trial_id, job_id in ended:
        try:
            intake.throw_out(ledger, files, trial_id, actor=ACTOR)
            cleared.append(trial_id)
        except JobMoved:  # it is still ending
            continue
        except NotFound:
            pass
        _drop_again(ledger, files, job_id)
        ledger.run(_forget, campaign_id, number)
    return cleared


def _drop_again(ledger: Ledger, files: Files, job_id: str) -> None:
    """Drop what a rule no longer keeps of the recording, which the trial still needed."""
    with ledger.read() as con:
        dropped = [KeptPart(row[0]) for row in con.execute(DROPPED, {"id": job_id}).fetchall()]
    for part in dropped:
        with suppress(JobHeld, JobMoved, NotFound):
            intake.drop_part(ledger, files, job_id, part, actor=ACTOR)


STRAYS = """
SELECT id, state IN ('completed', 'failed', 'cancelled') FROM jobs
WHERE owner_id = $owner_id AND lane = 'backfill'
    AND id NOT IN (SELECT trial_id FROM campaign_items WHERE trial_id IS NOT NULL)
ORDER BY id LIMIT 100
"""


def clear_strays(ledger: Ledger, files: Files) -> int:
    """Purge trials that no campaign knows, as after a rebuild from storage; return their number."""
    with ledger.read() as con:
        strays = con.execute(STRAYS, {"owner_id": CANARY_ID}).fetchall()
    for trial_id, is_finished in strays:
        if not is_finished:
            ledger.run(job_store.cancel, trial_id, actor=ACTOR)
        intake.throw_out(ledger, files, trial_id, actor=ACTOR)
    return len(strays)


def _forget(con: DuckDBPyConnection, campaign_id: str, number: int) -> None:
    con.execute(FORGET, {"id": campaign_id, "number": number})


def _trial_of(con: DuckDBPyConnection, item: CampaignItem) -> Job | None:
    try:
        return job_store.get(con, item.trial_id or "")
    except NotFound:
        return None


def read_proposal(files: Files, item: CampaignItem) -> Transcript:
    """Return the transcript that the campaign proposes.

    Raises:
        NotFound: there is none yet, or its file is damaged.
        NotStored: its file is gone.
    """
    if item.stored_as is None:
        raise NotFound("proposal for recording", str(item.number))
    try:
        return from_json(Transcript, files.read(item.stored_as))
    except ValueError as error:
        raise NotFound("proposal for recording", str(item.number)) from error
