"""The actions of the audit log: one `AuditSpec` each, with its label and kind.

A row that an older version wrote may have an action that is no longer here; it is shown by its name.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from storage.domain.job_actions import JobAction
from storage.domain.translation import gettext


class AuditKind(StrEnum):
    """What an action is about; all kinds but recordings are security events."""

    SIGN_IN = "sign-in"
    REFUSAL = "refusal"
    READING = "reading"
    DOWNLOAD = "download"
    SHARING = "sharing"
    ACCOUNT = "account"
    KEY = "key"
    PLATFORM = "platform"
    RECORDING = "recording"


SECURITY_KINDS = tuple(kind for kind in AuditKind if kind is not AuditKind.RECORDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSpec:
    """The facts of an action; `label` says what was done."""

    name: str
    label: str
    kind: AuditKind


def _spec(name: str, label: str, kind: AuditKind = AuditKind.RECORDING) -> AuditSpec:
    return AuditSpec(name=name, label=label, kind=kind)


class AuditAction(StrEnum):
    """The actions of the audit log; values are their names in it."""

    spec: AuditSpec
    _value_: str

    def __new__(cls, spec: Any) -> Self:  # an AuditSpec here; `AuditAction("job.accept")` looks up a member
        member = str.__new__(cls, spec.name)
        member._value_ = spec.name
        member.spec = spec
        return member

    LOGGED_IN = _spec("session.start", "logged in", AuditKind.SIGN_IN)
    LOGIN_FAILED = _spec("login.fail", "log-in failed", AuditKind.SIGN_IN)
    LOGIN_LOCKED = _spec("login.lock", "log-in locked after too many tries", AuditKind.SIGN_IN)
    LOGGED_OUT = _spec("session.end", "logged out", AuditKind.SIGN_IN)
    LOGGED_OUT_EVERYWHERE = _spec("session.end_all", "logged out everywhere", AuditKind.SIGN_IN)
    DEVICE_REMEMBERED = _spec("device.remember", "browser is known from now on", AuditKind.SIGN_IN)
    DEVICES_FORGOTTEN = _spec("device.forget_all", "known browsers forgotten", AuditKind.SIGN_IN)
    DEVICE_CONFIRMED = _spec("device.dismiss", "notice of a new browser dismissed", AuditKind.SIGN_IN)
    STAYED_LOGGED_IN = _spec("session.renew", "stayed logged in", AuditKind.SIGN_IN)

    REFUSED = _spec("access.refuse", "refused", AuditKind.REFUSAL)
    OTHERS_READ = _spec("job.read", "somebody else's recording read", AuditKind.READING)
    OTHERS_SEARCHED = _spec("search.everybody", "everybody's transcripts searched", AuditKind.READING)

    MEDIA_SENT = _spec("media.download", "recording played or downloaded", AuditKind.DOWNLOAD)
    EXPORT_SENT = _spec("export.download", "transcript downloaded", AuditKind.DOWNLOAD)
    ARCHIVE_SENT = _spec("archive.download", "several transcripts downloaded", AuditKind.DOWNLOAD)
    DATA_EXPORTED = _spec("user.export", "data exported", AuditKind.DOWNLOAD)
    AUDIT_EXPORTED = _spec("audit.export", "log exported", AuditKind.DOWNLOAD)

    SHARED = _spec("share.create", "share link created", AuditKind.SHARING)
    SHARE_OPENED = _spec("share.open", "share link opened", AuditKind.SHARING)
    SHARE_REVOKED = _spec("share.revoke", "share link revoked", AuditKind.SHARING)

    WEBHOOK_CREATED = _spec("webhook.create", "webhook created", AuditKind.SHARING)
    WEBHOOK_CHANGED = _spec("webhook.change", "webhook changed", AuditKind.SHARING)
    WEBHOOK_DELETED = _spec("webhook.delete", "webhook deleted", AuditKind.SHARING)
    WEBHOOK_DISABLED = _spec("webhook.disable", "webhook disabled, since nothing arrived", AuditKind.SHARING)
    WEBHOOK_REPLAYED = _spec("webhook.replay", "webhook message sent again", AuditKind.SHARING)
    COLLABORATOR_SET = _spec("collaborator.set", "shared with a colleague", AuditKind.SHARING)
    COLLABORATOR_REMOVED = _spec("collaborator.remove", "no longer shared with a colleague", AuditKind.SHARING)

    USER_CREATED = _spec("user.create", "user created", AuditKind.ACCOUNT)
    USER_RESTORED = _spec("user.restore", "user restored from storage", AuditKind.ACCOUNT)
    PASSWORD_SET = _spec("user.password", "password set", AuditKind.ACCOUNT)
    ROLE_CHANGED = _spec("user.role", "role changed", AuditKind.ACCOUNT)
    USER_DISABLED = _spec("user.disable", "disabled", AuditKind.ACCOUNT)
    USER_ENABLED = _spec("user.enable", "enabled", AuditKind.ACCOUNT)
    PREFERENCES_CHANGED = _spec("user.preferences", "settings changed", AuditKind.ACCOUNT)
    PROFILE_CHANGED = _spec("user.profile", "profile changed", AuditKind.ACCOUNT)
    QUOTA_CHANGED = _spec("user.quota", "limits changed", AuditKind.ACCOUNT)
    RESET_LINK_MADE = _spec("user.reset_link", "password link created", AuditKind.ACCOUNT)
    IDENTITY_LINKED = _spec("user.link", "provider's account linked", AuditKind.ACCOUNT)
    ACCOUNT_CLOSED = _spec("user.leave", "account closed", AuditKind.ACCOUNT)
    ACCOUNT_DELETED = _spec("user.delete", "account deleted", AuditKind.ACCOUNT)
    VOCABULARY_SET = _spec("vocabulary.set", "vocabulary changed", AuditKind.ACCOUNT)
    INVITED = _spec("invitation.create", "invitation created", AuditKind.ACCOUNT)
    INVITATION_USED = _spec("invitation.use", "invitation used", AuditKind.ACCOUNT)
    INVITATION_REVOKED = _spec("invitation.revoke", "invitation withdrawn", AuditKind.ACCOUNT)

    KEY_CREATED = _spec("key.create", "key created", AuditKind.KEY)
    KEY_ROTATED = _spec("key.rotate", "key rotated", AuditKind.KEY)
    KEY_REVOKED = _spec("key.revoke", "key revoked", AuditKind.KEY)
    WEBHOOK_ROTATED = _spec("webhook.rotate", "webhook's secret rotated", AuditKind.KEY)
    WORKER_TOKEN_CREATED = _spec("worker_token.create", "worker token created", AuditKind.KEY)
    WORKER_TOKEN_REVOKED = _spec("worker_token.revoke", "worker token revoked", AuditKind.KEY)
    SECRET_ROTATED = _spec("secret.rotate", "secret rotated", AuditKind.KEY)

    ACCESS_SETTINGS_CHANGED = _spec("settings.change", "access settings changed", AuditKind.PLATFORM)
    SETTING_CHANGED = _spec("setting.change", "setting changed", AuditKind.PLATFORM)
    PREFECT_OPENED = _spec("prefect.open", "Prefect opened", AuditKind.PLATFORM)
    POOL_PAUSED = _spec("pool.pause", "work pool paused", AuditKind.PLATFORM)
    POOL_RESUMED = _spec("pool.resume", "work pool resumed", AuditKind.PLATFORM)
    PLATFORM_PAUSED = _spec("platform.pause", "platform paused for maintenance", AuditKind.PLATFORM)
    PLATFORM_RESUMED = _spec("platform.resume", "platform resumed", AuditKind.PLATFORM)
    UPLOAD_DELETED = _spec("upload.delete", "upload deleted", AuditKind.PLATFORM)
    CACHES_CLEARED = _spec("cache.clear", "caches cleared", AuditKind.PLATFORM)
    BACKED_UP = _spec("ledger.backup", "ledger backed up", AuditKind.PLATFORM)
    DRILLED = _spec("ledger.drill", "backup restored on trial", AuditKind.PLATFORM)
    HELD = _spec("hold.put", "legal hold placed", AuditKind.PLATFORM)
    RELEASED = _spec("hold.release", "legal hold released", AuditKind.PLATFORM)
    RULE_PUT = _spec("retention.put", "retention rule set", AuditKind.PLATFORM)
    RULE_REMOVED = _spec("retention.remove", "retention rule removed", AuditKind.PLATFORM)
    DATASETS_EXPORTED = _spec("datasets.export", "datasets exported", AuditKind.PLATFORM)
    DATASETS_QUERIED = _spec("datasets.query", "datasets queried with SQL", AuditKind.READING)
    QUERY_SAVED = _spec("query.save", "query saved", AuditKind.PLATFORM)
    QUERY_DELETED = _spec("query.delete", "saved query deleted", AuditKind.PLATFORM)
    REBUILT = _spec("ledger.rebuild", "ledger rebuilt from storage", AuditKind.PLATFORM)

    BATCH_CREATED = _spec("batch.create", "batch of recordings ordered")
    BATCH_CANCELLED = _spec("batch.cancel", "batch cancelled")
    BATCH_RETRIED = _spec("batch.retry", "batch's failed recordings queued again")
    CAMPAIGN_CREATED = _spec("campaign.create", "campaign planned", AuditKind.PLATFORM)
    CAMPAIGN_STARTED = _spec("campaign.start", "campaign started", AuditKind.PLATFORM)
    CAMPAIGN_PAUSED = _spec("campaign.pause", "campaign paused", AuditKind.PLATFORM)
    CAMPAIGN_COMPLETED = _spec("campaign.complete", "campaign completed", AuditKind.PLATFORM)
    CAMPAIGN_CANCELLED = _spec("campaign.cancel", "campaign cancelled", AuditKind.PLATFORM)
    CAMPAIGN_BUDGETED = _spec("campaign.budget", "campaign's budget changed", AuditKind.PLATFORM)
    CAMPAIGN_ACCEPTED = _spec("campaign.accept_all", "campaign's transcripts accepted by a rule", AuditKind.PLATFORM)
    CAMPAIGN_KEPT = _spec("campaign.keep_all", "old transcripts kept by a rule", AuditKind.PLATFORM)
    CAMPAIGN_ROLLED_BACK = _spec("campaign.roll_back_all", "campaign rolled back", AuditKind.PLATFORM)
    PROPOSED = _spec("campaign.propose", "transcript proposed by a campaign")
    PROPOSAL_KEPT = _spec("campaign.keep", "old transcript kept, not a campaign's")
    ADOPTED = _spec("transcript.adopt", "campaign's transcript taken over")
    ACCEPTED = _spec("job.accept", "recording accepted")
    SUBMITTED = _spec("job.submit", "sent to the workers")
    STARTED = _spec("job.start", "work started")
    PLANNED = _spec("job.plan", "cut into spans")
    STATE_CHANGED = _spec("job.state", "state changed")
    SPAN_TRANSCRIBED = _spec("span.heard", "span transcribed")
    COMPLETED = _spec("job.complete", "transcript ready")
    FAILED = _spec("job.fail", "failed")
    REQUEUED = _spec("job.requeue", "requeued")
    CANCELLED = _spec("job.cancel", JobAction.CANCEL.spec.done)
    RETRIED = _spec("job.retry", JobAction.RETRY.spec.done)
    JOB_PAUSED = _spec("job.pause", JobAction.PAUSE.spec.done)
    JOB_RESUMED = _spec("job.resume", JobAction.RESUME.spec.done)
    MOVED_UP = _spec("job.first", JobAction.FIRST.spec.done)
    LANE_CHANGED = _spec("job.lane", JobAction.LANE.spec.done)
    RENAMED = _spec("job.rename", JobAction.RENAME.spec.done)
    TAGGED = _spec("job.tag", JobAction.TAG.spec.done)
    DELETED = _spec("job.delete", JobAction.DELETE.spec.done)
    RESTORED = _spec("job.restore", JobAction.RESTORE.spec.done)
    PART_DROPPED = _spec("job.drop", "part no longer kept")
    PURGED = _spec("job.purge", JobAction.PURGE.spec.done)
    JOB_REBUILT = _spec("job.rebuild", "restored from storage")
    JOB_IMPORTED = _spec("job.import", "taken over from the older application")
    EDITED = _spec("transcript.edit", "transcript edited")
    VERSION_RESTORED = _spec("transcript.restore", "earlier version restored")
    VERSION_RECOVERED = _spec("transcript.recover", "version brought in from storage")
    TEXT_ALIGNED = _spec("transcript.align", "corrected text taken over")
    ALIGNMENT_ASKED = _spec("alignment.ask", "corrected text sent for times")
    ALIGNMENT_ENDED = _spec("alignment.end", "corrected text not taken over")
    NOTE_ADDED = _spec("note.add", "note added")
    NOTE_CHANGED = _spec("note.change", "note changed")
    NOTE_REMOVED = _spec("note.remove", "note removed")
    COMMENT_ADDED = _spec("comment.add", "comment added")
    COMMENT_CHANGED = _spec("comment.change", "comment changed")
    COMMENT_REMOVED = _spec("comment.remove", "comment removed")
    COMMENT_RESOLVED = _spec("comment.resolve", "comment resolved")
    COMMENT_REOPENED = _spec("comment.reopen", "comment reopened")
    HIGHLIGHT_ADDED = _spec("highlight.add", "highlight added")
    HIGHLIGHT_CHANGED = _spec("highlight.change", "highlight changed")
    HIGHLIGHT_REMOVED = _spec("highlight.remove", "highlight removed")
    SUMMARY_SENT = _spec("summary.send", "text sent for a summary", AuditKind.SHARING)
    SUMMARIZED = _spec("summary.store", "summary made")


def described(name: str) -> str:
    """Return an action's name with its label, or the name alone if it is unknown."""
    return f"{name}: {gettext(AuditAction(name).spec.label)}" if name in set(AuditAction) else name


def of_kinds(kinds: Collection[AuditKind]) -> list[str]:
    """Return the names of the actions of these kinds."""
    return [action.value for action in AuditAction if action.spec.kind in kinds]
