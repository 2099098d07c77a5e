"""Decides on proposals: accept, keep or roll back, by recording or by a rule."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial

from duckdb import DuckDBPyConnection

from storage.campaigns import campaign_rows, corrections, trials
from storage.campaigns.campaign_rows import CampaignItem, TrialState
from storage.domain.clock import utc_now
from storage.domain.errors import (
    BadRequest,
    ProposalDecided,
    ProposalOutdated,
    TranscriberError,
    TranscriptCorrected,
    TranscriptMoved,
)
from storage.domain.records import Version
from storage.files.file_store import Files
from storage.jobs import job_store, save_edit
from storage.ledger import audit
from storage.ledger.database import Ledger

DECIDE = """
UPDATE campaign_items SET state = $state, intent = NULL, error_code = NULL, error = NULL, decided_by = $actor,
    decided_at = $now, version = coalesce($version, version), restored = coalesce($restored, restored)
WHERE campaign_id = $id AND number = $number
"""


def accept(ledger: Ledger, files: Files, campaign_id: str, number: int, *, actor: str) -> Version:
    """Make a proposal the current version of its recording's transcript.

    Raises:
        ProposalDecided: there is no undecided or kept proposal.
        TranscriptCorrected: a person corrected the transcript, before or after.
        ProposalOutdated: another campaign, or a roll-back, changed it since; nothing is written.
        NotFound, NotStored, JobMoved: the recording or the proposal is gone.
    """
    with ledger.read() as con:
        item = campaign_rows.item(con, campaign_id, number)
        campaign = campaign_rows.get(con, campaign_id)
        _require(item, TrialState.PROPOSED, TrialState.KEPT)
        job_store.get(con, item.job_id)
        if item.corrected or corrections.is_corrected(con, item.job_id):
            raise TranscriptCorrected(item.job_id)
    proposed = trials.read_proposal(files, item)
    also = partial(_accepted, item, actor)
    note = f"Campaign {campaign.name}"
    with _unless_changed(item):
        return save_edit.adopt(ledger, files, proposed, base=item.base or 1, note=note, actor=actor, also=also)


def _accepted(item: CampaignItem, actor: str, con: DuckDBPyConnection, version: Version) -> None:
    _require(campaign_rows.item(con, item.campaign_id, item.number), TrialState.PROPOSED, TrialState.KEPT)
    _decide(con, item, TrialState.ACCEPTED, actor=actor, version=version.number)


def keep(con: DuckDBPyConnection, campaign_id: str, number: int, *, actor: str) -> CampaignItem:
    """Keep the transcript as it is; one that is kept already is not changed.

    Raises:
        ProposalDecided: there is no undecided proposal.
    """
    item = campaign_rows.item(con, campaign_id, number)
    if item.state is TrialState.KEPT:
        return item
    _require(item, TrialState.PROPOSED)
    _decide(con, item, TrialState.KEPT, actor=actor)
    told = {"campaign": campaign_id}
    audit.record(con, actor=actor, action="campaign.keep", subject=item.job_id, detail=told)
    return campaign_rows.item(con, campaign_id, number)


def roll_back(ledger: Ledger, files: Files, campaign_id: str, number: int, *, actor: str) -> Version:
    """Make the transcript from before an accepted proposal current again.

    Raises:
        ProposalDecided: the proposal is not accepted.
        ProposalOutdated: somebody changed the transcript since; nothing is written.
        NotFound, NotStored, JobMoved: the recording or its old transcript is gone.
    """
    with ledger.read() as con:
        item = campaign_rows.item(con, campaign_id, number)
        _require(item, TrialState.ACCEPTED)
    also = partial(_rolled_back, item, actor)
    base = item.version or 1
    with _unless_changed(item):
        return save_edit.restore(ledger, files, item.job_id, item.base or 1, base=base, actor=actor, also=also)


@contextmanager
def _unless_changed(item: CampaignItem) -> Iterator[None]:
    try:
        yield
    except TranscriptMoved as error:
        raise ProposalOutdated(item.number) from error


def _rolled_back(item: CampaignItem, actor: str, con: DuckDBPyConnection, version: Version) -> None:
    _require(campaign_rows.item(con, item.campaign_id, item.number), TrialState.ACCEPTED)
    _decide(con, item, TrialState.ROLLED_BACK, actor=actor, restored=version.number)


def _require(item: CampaignItem, *states: TrialState) -> None:
    if item.state not in states:
        raise ProposalDecided(item.number, item.state)


def _decide(
    con: DuckDBPyConnection,
    item: CampaignItem,
    state: TrialState,
    *,
    actor: str,
    version: int | None = None,
    restored: int | None = None,
) -> None:
    values = {"id": item.campaign_id, "number": item.number, "state": state.value, "actor": actor, "now": utc_now()}
    con.execute(DECIDE, values | {"version": version, "restored": restored})


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRule:
    """Which undecided proposals a decision is about; None is any.

    `change_below` and `change_from` are shares of the old words, 0 for equal ones.
    """

    change_below: float | None = None
    change_from: float | None = None
    confidence_rose: bool = False
    language: str | None = None

    def check(self) -> None:
        """Check the values.

        Raises:
            BadRequest: one is out of range; the message names it.
        """
        for name in ("change_below", "change_from"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1000:
                raise BadRequest(name, "give a share from 0; 0.1 is a tenth of the words")


FITS = """
WHERE campaign_id = $id AND state = 'proposed' AND intent IS NULL
  AND ($change_below IS NULL OR change < $change_below) AND ($change_from IS NULL OR change >= $change_from)
  AND (NOT $confidence_rose OR new_confidence > old_confidence) AND ($language IS NULL OR language = $language)
"""
UNCORRECTED = FITS + " AND NOT corrected "
COUNT = "SELECT count(*) FILTER (WHERE NOT corrected), count(*) FROM campaign_items "
LANGUAGES = """
SELECT DISTINCT language FROM campaign_items
WHERE campaign_id = $id AND stored_as IS NOT NULL AND language IS NOT NULL ORDER BY language
"""
ACCEPT_ALL = "UPDATE campaign_items SET intent = 'accept', decided_by = $actor "
KEEP_ALL = "UPDATE campaign_items SET state = 'kept', decided_by = $actor, decided_at = $now "
RETURNING = " RETURNING number"
ROLL_BACK_ALL = """
UPDATE campaign_items SET intent = 'roll_back', decided_by = $actor
WHERE state = 'accepted' AND intent IS NULL AND campaign_id = $id RETURNING number
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitting:
    """How many proposals a rule is about.

    Corrected transcripts can be kept, and are never replaced.
    """

    accepted: int
    kept: int


def count_fitting(con: DuckDBPyConnection, campaign_id: str, rule: DecisionRule) -> Fitting:
    """Return how many proposals a rule would accept, or keep the old transcripts of.

    Raises:
        BadRequest: the rule is out of range.
    """
    rule.check()
    accepted, kept = con.execute(COUNT + FITS, {"id": campaign_id} | asdict(rule)).fetchall()[0]
    return Fitting(accepted=int(accepted), kept=int(kept))


def languages(con: DuckDBPyConnection, campaign_id: str) -> tuple[str, ...]:
    """Return the languages of all recordings that have a proposal, decided on or not."""
    return tuple(row[0] for row in con.execute(LANGUAGES, {"id": campaign_id}).fetchall())


def accept_by_rule(con: DuckDBPyConnection, campaign_id: str, rule: DecisionRule, *, actor: str) -> int:
    """Note that all fitting proposals are accepted, and return their number; `carry_out` does it.

    Raises:
        NotFound: there is no such campaign.
        BadRequest: the rule is out of range.
    """
    return _by_rule(
        con, ACCEPT_ALL + UNCORRECTED + RETURNING, campaign_id, rule, actor=actor, action="campaign.accept_all"
    )


def keep_by_rule(con: DuckDBPyConnection, campaign_id: str, rule: DecisionRule, *, actor: str) -> int:
    """Keep the transcripts of all fitting proposals, and return their number; see `accept_by_rule`."""
    return _by_rule(con, KEEP_ALL + FITS + RETURNING, campaign_id, rule, actor=actor, action="campaign.keep_all")


def _by_rule(
    con: DuckDBPyConnection, statement: str, campaign_id: str, rule: DecisionRule, *, actor: str, action: str
) -> int:
    rule.check()
    name = campaign_rows.get(con, campaign_id).name
    values = {"id": campaign_id, "actor": actor} | asdict(rule) | ({"now": utc_now()} if "$now" in statement else {})
    count = len(con.execute(statement, values).fetchall())
    detail = {"name": name, "recordings": count} | asdict(rule)
    audit.record(con, actor=actor, action=action, subject=campaign_id, detail=detail)
    return count


def roll_back_all(con: DuckDBPyConnection, campaign_id: str, *, actor: str) -> int:
    """Note that all accepted proposals are rolled back, and return their number; `carry_out` does it.

    Raises:
        NotFound: there is no such campaign.
    """
    name = campaign_rows.get(con, campaign_id).name
    count = len(con.execute(ROLL_BACK_ALL, {"id": campaign_id, "actor": actor}).fetchall())
    detail = {"name": name, "recordings": count}
    audit.record(con, actor=actor, action="campaign.roll_back_all", subject=campaign_id, detail=detail)
    return count


GIVE_UP = """
UPDATE campaign_items SET intent = NULL, error_code = $error_code, error = $error
WHERE campaign_id = $id AND number = $number
"""


def carry_out(ledger: Ledger, files: Files, item: CampaignItem) -> Version | None:
    """Carry out what a rule decided on an item.

    Return None if that was refused, which the item says then.

    Raises:
        TranscriberError: it may be possible later.
    """
    change = accept if item.intent == "accept" else roll_back
    try:
        return change(ledger, files, item.campaign_id, item.number, actor=item.decided_by or trials.ACTOR)
    except TranscriberError as error:
        if error.transient:
            raise
        ledger.run(_give_up, item, error)
        return None


def _give_up(con: DuckDBPyConnection, item: CampaignItem, error: TranscriberError) -> None:
    values = {"id": item.campaign_id, "number": item.number}
    con.execute(GIVE_UP, values | {"error_code": error.code, "error": str(error)})
