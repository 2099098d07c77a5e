"""Errors about jobs, transcripts and exports."""

from storage.domain.errors.base_error import TranscriberError
from storage.domain.errors.platform_errors import ClusterUnreachable
from storage.domain.errors.storage_errors import LedgerUnreachable, StorageFull, StorageUnreachable
from storage.domain.translation import gettext as _
from storage.domain.translation import marked

STATES = (
    marked("queued"),
    marked("ingesting"),
    marked("transcribing"),
    marked("exporting"),
    marked("completed"),
    marked("failed"),
    marked("cancelled"),
    marked("crashed"),
    marked("deleted"),
    marked("draft"),
    marked("running"),
    marked("paused"),
    marked("waiting"),
    marked("proposed"),
    marked("accepted"),
    marked("kept"),
    marked("rolled_back"),
    marked("skipped"),
)
"""The states of jobs, flow runs and campaigns, as messages name them."""
WANTED = (marked("queued again"), marked("read along"))
"""What cannot be done in a state, beside the actions on jobs."""


class JobHeld(TranscriberError):
    """A legal hold covers the recording."""

    status, code = 409, "job_held"

    def __init__(self, job_id: str, reason: str) -> None:
        super().__init__(job_id, reason)
        self.job_id, self.reason = job_id, reason

    def __str__(self) -> str:
        return _(
            "job {job_id} is under a legal hold ({reason}); ask an administrator to release it first",
            job_id=self.job_id,
            reason=self.reason,
        )


class NotFound(TranscriberError):
    """No such job, user, key, session or upload, or the caller may not see it."""

    status, code = 404, "not_found"

    def __init__(self, what: str, ident: str) -> None:
        super().__init__(what, ident)
        self.what, self.ident = what, ident

    def __str__(self) -> str:
        return _(
            "there is no {what} {ident}; check the id, or find it in the list", what=_(self.what), ident=self.ident
        )


class NotYours(NotFound):
    """The job is somebody else's; the caller reads that there is none."""


class NoSuchPerson(NotFound):
    """Nobody has the name that somebody wrote."""

    def __init__(self, name: str) -> None:
        super().__init__("account", name)

    def __str__(self) -> str:
        return _("nobody here is called {name}; check the spelling of the user name", name=self.ident)


class JobMoved(TranscriberError):
    """The job's state or attempt does not allow this change."""

    status, code = 409, "job_moved"

    def __init__(self, job_id: str, state: str, wanted: str) -> None:
        super().__init__(job_id, state, wanted)
        self.job_id, self.state, self.wanted = job_id, state, wanted

    def __str__(self) -> str:
        return _(
            "job {job_id} is {state}, so it cannot be {wanted}; reload to see its current state",
            job_id=self.job_id,
            state=_(self.state),
            wanted=_(self.wanted),
        )


class ShareOver(TranscriberError):
    """A share link that is no longer valid."""

    status, code = 410, "share_over"

    def __init__(self) -> None:
        super().__init__()

    def __str__(self) -> str:
        return _("this link has expired or was revoked; ask the sender for a new one")


class TranscriptMoved(TranscriberError):
    """Another version of the transcript was saved since this edit began."""

    status, code = 409, "transcript_moved"

    def __init__(self, job_id: str, base: int, current: int) -> None:
        super().__init__(job_id, base, current)
        self.job_id, self.base, self.current = job_id, base, current

    def __str__(self) -> str:
        return _(
            "the transcript of job {job_id} is at version {current} and this edit began at version {base}; fetch the "
            "current version, reapply your changes, and save again",
            job_id=self.job_id,
            current=self.current,
            base=self.base,
        )


class AlignmentsBusy(TranscriberError):
    """A corrected text has to wait for another one, or for too many of them."""

    status, code, transient = 409, "alignments_busy", True

    def __init__(self, same_job: bool) -> None:
        super().__init__(same_job)
        self.same_job = same_job

    def __str__(self) -> str:
        if self.same_job:
            return _("another text of this recording is getting its times; wait until it is done, or cancel it")
        return _("too many texts are getting their times at the moment; try again in a minute")


class TextDoesNotMatch(TranscriberError):
    """A text that was to get times is not what the recording says."""

    status, code = 422, "text_does_not_match"

    def __init__(self, share: float) -> None:
        super().__init__(share)
        self.share = share

    def __str__(self) -> str:
        return _(
            "only {share:.0%} of the text's words are in the recording in this order, so it is not what is said there, "
            "and nothing was changed; check that it is the right text",
            share=self.share,
        )


class StaleAttempt(TranscriberError):
    """A report on an attempt that was cancelled, failed or replaced: the worker must stop."""

    status, code = 409, "stale_attempt"

    def __init__(self, job_id: str, attempt: int) -> None:
        super().__init__(job_id, attempt)
        self.job_id, self.attempt = job_id, attempt

    def __str__(self) -> str:
        return _(
            "attempt {attempt} of job {job_id} is outdated; stop working on it",
            attempt=self.attempt,
            job_id=self.job_id,
        )


class NotReady(TranscriberError):
    """Something that is still starting; the same call succeeds in a moment."""

    status, code, transient = 503, "not_ready", True

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return _("{what} is not known yet; try again in a few seconds", what=_(self.what))


class ExportPending(TranscriberError):
    """An export in progress, or waiting for a worker; retry later."""

    status, code, transient = 503, "export_pending", True
    retry_after_s = 5

    def __init__(self, fmt: str, reason: str) -> None:
        super().__init__(fmt, reason)
        self.fmt, self.reason = fmt, reason

    def __str__(self) -> str:
        return _(
            "the {fmt} file is not ready yet ({reason}); try again in a few seconds",
            fmt=self.fmt.upper(),
            reason=self.reason,
        )


class ExportFailed(TranscriberError):
    """A worker could not export a stored transcript."""

    status, code = 500, "export_failed"

    def __init__(self, fmt: str, reason: str) -> None:
        super().__init__(fmt, reason)
        self.fmt, self.reason = fmt, reason

    def __str__(self) -> str:
        return _(
            "the {fmt} file could not be made ({reason}); see the log of the cpu workers",
            fmt=self.fmt.upper(),
            reason=self.reason,
        )


class SpanFailed(TranscriberError):
    """A flow run on the gpu pool failed for good; `span_code` is its error's code."""

    status, code = 500, "span_failed"

    def __init__(self, what: str, reason: str, span_code: str) -> None:
        super().__init__(what, reason, span_code)
        self.what, self.reason, self.span_code = what, reason, span_code

    def __str__(self) -> str:
        return _("{what} could not be transcribed: {reason}", what=self.what, reason=self.reason)


class SpanPutOff(SpanFailed):
    """A gpu flow run gave up temporarily, for example without storage."""

    transient = True


class Unexpected(TranscriberError):
    """An unforeseen error, most likely a bug of ours."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(where, what)
        self.where, self.what = where, what

    def __str__(self) -> str:
        return _(
            "{where} failed with an unexpected error ({what}); retry, and report it with the workers' log",
            where=self.where,
            what=self.what,
        )


PASSING = (StorageFull, StorageUnreachable, LedgerUnreachable, ClusterUnreachable, SpanPutOff)
"""Errors that end a flow run through nobody's fault: the job waits and is retried."""


class CampaignMoved(TranscriberError):
    """A campaign cannot do this in its state."""

    status, code = 409, "campaign_moved"

    def __init__(self, name: str, state: str) -> None:
        super().__init__(name, state)
        self.name, self.state = name, state

    def __str__(self) -> str:
        return _(
            "campaign {name} is {state}, in which this cannot be done; look at the list of campaigns",
            name=self.name,
            state=_(self.state),
        )


class ProposalOutdated(TranscriberError):
    """A recording's transcript is another one than the campaign compared with or accepted."""

    status, code = 409, "proposal_outdated"

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    def __str__(self) -> str:
        return _(
            "the transcript of recording {number} of the campaign has been changed since, so it stays as it is; "
            "a new campaign compares with the current one",
            number=self.number,
        )


class ProposalDecided(TranscriberError):
    """A recording of a campaign has no proposal on which this can be decided."""

    status, code = 409, "proposal_decided"

    def __init__(self, number: int, state: str) -> None:
        super().__init__(number, state)
        self.number, self.state = number, state

    def __str__(self) -> str:
        return _(
            "recording {number} of the campaign is {state}, in which this cannot be decided; look at it again",
            number=self.number,
            state=_(self.state),
        )


class TranscriptCorrected(TranscriberError):
    """A person corrected the transcript that a campaign would replace."""

    status, code = 409, "transcript_corrected"

    def __init__(self, job_id: str) -> None:
        super().__init__(job_id)
        self.job_id = job_id

    def __str__(self) -> str:
        return _(
            "the transcript of job {job_id} has a person's corrections, which a campaign never replaces; keep it",
            job_id=self.job_id,
        )
