"""Errors about requests, processes and ports."""

from storage.domain.errors.base_error import TranscriberError
from storage.domain.translation import gettext as _
from storage.domain.translation import marked

FIELDS = (
    marked("password"),
    marked("new"),
    marked("current"),
    marked("name"),
    marked("e-mail"),
    marked("tags"),
    marked("metadata"),
    marked("tag"),
    marked("words"),
    marked("quota"),
    marked("reason"),
    marked("role"),
    marked("text"),
    marked("events"),
    marked("days"),
    marked("overlap"),
)
"""The fields that people fill in, as messages name them."""


class BadRequest(TranscriberError):
    """Invalid input; the message names the field.

    `values` are those in the `{places}` of the problem, so that it can be translated.
    """

    status, code = 400, "bad_request"

    def __init__(self, field: str, problem: str, values: dict[str, object] | None = None) -> None:
        super().__init__(field, problem, *([values] if values else []))
        self.field, self.template, self.values = field, problem, values or {}
        self.problem = problem.format(**values) if values else problem

    def __str__(self) -> str:
        return f"{_(self.field)}: {_(self.template, **self.values)}"


class BadSetting(BadRequest):
    """An export setting that is out of range."""

    status, code = 422, "bad_setting"


class NoFiles(BadRequest):
    """A batch's source holds no files now."""


class KeyReused(BadRequest):
    """An idempotency key that was used for another request."""

    status, code = 422, "idempotency_key_reused"


class OutgoingRefused(BadRequest):
    """An address that a user named, and that this server does not send requests to."""

    code = "outgoing_refused"


class HostUnreachable(TranscriberError):
    """A server that a user named does not answer, or not as it should."""

    status, code, transient = 503, "host_unreachable", True

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(host, reason)
        self.host, self.reason = host, reason

    def __str__(self) -> str:
        return _(
            "{host} gave no answer ({reason}); check the address and try again later",
            host=self.host,
            reason=self.reason,
        )


class SummaryFailed(TranscriberError):
    """The server that an administrator named for summaries gave none.

    `values` are those in the `{places}` of the reason, so that it can be translated.
    """

    status, code, transient = 502, "summary_failed", True

    def __init__(self, host: str, reason: str, values: dict[str, object] | None = None) -> None:
        super().__init__(host, reason, *([values] if values else []))
        self.host, self.reason, self.values = host, reason, values or {}

    def __str__(self) -> str:
        return _("{host} made no summary: {reason}", host=self.host, reason=_(self.reason, **self.values))


class SummariesOff(TranscriberError):
    """No server for summaries is set."""

    status, code = 409, "summaries_off"

    def __str__(self) -> str:
        return _(
            "summaries are off; an administrator can set TRANSCRIBER_SUMMARY_URL and TRANSCRIBER_SUMMARY_MODEL to an "
            "OpenAI-compatible server"
        )


class AlreadyUp(TranscriberError):
    """Another `transcriber up` is running on the same data."""

    status, code = 409, "already_up"

    def __init__(self, data_dir: str, pid: int, since: str, url: str) -> None:
        super().__init__(data_dir, pid, since, url)
        self.data_dir, self.pid, self.since, self.url = data_dir, pid, since, url

    def __str__(self) -> str:
        return _(
            "{data_dir} is in use by process {pid}, which has served {url} since {since}; stop it with `kill {pid}`, "
            "or use another folder (TRANSCRIBER_DATA_DIR)",
            data_dir=self.data_dir,
            pid=self.pid,
            url=self.url,
            since=self.since,
        )


class PortTaken(TranscriberError):
    """A port that one of our processes needs is in use."""

    status, code = 409, "port_taken"

    def __init__(self, port: int, holder: str, setting: str) -> None:
        super().__init__(port, holder, setting)
        self.port, self.holder, self.setting = port, holder, setting

    def __str__(self) -> str:
        return _(
            "port {port} is in use by {holder}; stop it, or choose another port with {setting}",
            port=self.port,
            holder=self.holder,
            setting=self.setting,
        )


class NotStarted(TranscriberError):
    """One of the processes of `transcriber up` did not start."""

    def __init__(self, service: str, reason: str, log: str) -> None:
        super().__init__(service, reason, log)
        self.service, self.reason, self.log = service, reason, log

    def __str__(self) -> str:
        return _(
            "{service} did not start ({reason}); its log is {log}, and `transcriber doctor` may help",
            service=self.service,
            reason=self.reason,
            log=self.log,
        )


class VersionMismatch(TranscriberError):
    """A worker is of another version than the web process."""

    status, code = 409, "version_mismatch"

    def __init__(self, worker: str, worker_version: str, web_version: str) -> None:
        super().__init__(worker, worker_version, web_version)
        self.worker, self.worker_version, self.web_version = worker, worker_version, web_version

    def __str__(self) -> str:
        return _(
            "worker {worker} is version {old}, and the platform is version {new}; install version {new} on the "
            "worker's machine, then start it again",
            worker=self.worker,
            old=self.worker_version or _("unknown"),
            new=self.web_version,
        )


class PrefectAway(TranscriberError):
    """The Prefect server does not answer, or refuses the request."""

    status, code, transient = 503, "prefect_away", True

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url, self.reason = url, reason

    def __str__(self) -> str:
        return _(
            "the Prefect server at {url} does not answer ({reason}); see `transcriber doctor`",
            url=self.url,
            reason=_(self.reason),
        )


class ClusterUnreachable(TranscriberError):
    """The scheduler of the Dask cluster does not answer."""

    status, code, transient = 503, "cluster_unreachable", True

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(address, reason)
        self.address, self.reason = address, reason

    def __str__(self) -> str:
        return _(
            "the Dask scheduler at {address} does not answer ({reason}); start it, or change "
            "TRANSCRIBER_DASK_SCHEDULER",
            address=self.address,
            reason=self.reason,
        )


class DaskMissing(TranscriberError):
    """A cluster is configured on a worker without the packages to reach it."""

    status, code = 503, "dask_missing"

    def __str__(self) -> str:
        return _(
            "TRANSCRIBER_DASK_SCHEDULER names a cluster, and the cpu worker lacks the packages to reach it; install "
            "the extra `dask` there, or unset the setting"
        )


class RemoteError(TranscriberError):
    """An error returned by another of our processes, with its own message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(status, code, message)
        self.status, self.code, self.message = status, code, message  # type: ignore[misc]

    def __str__(self) -> str:
        return self.message
