"""Errors about requests, processes and ports."""

from storage.domain.errors.base_error import TranscriberError


class BadRequest(TranscriberError):
    """Invalid input; the message names the field."""

    status, code = 400, "bad_request"

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(field, problem)
        self.field, self.problem = field, problem

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}"


class BadSetting(BadRequest):
    """An export setting that is out of range."""

    status, code = 422, "bad_setting"


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
        return f"{self.host} gave no answer ({self.reason}); check the address and try again later"


class SummaryFailed(TranscriberError):
    """The server that an administrator named for summaries gave none."""

    status, code, transient = 502, "summary_failed", True

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(host, reason)
        self.host, self.reason = host, reason

    def __str__(self) -> str:
        return f"{self.host} made no summary: {self.reason}"


class SummariesOff(TranscriberError):
    """No server for summaries is set."""

    status, code = 409, "summaries_off"

    def __str__(self) -> str:
        return (
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
        return (
            f"{self.data_dir} is in use by process {self.pid}, which has served {self.url} since {self.since}; stop "
            f"it with `kill {self.pid}`, or use another folder (TRANSCRIBER_DATA_DIR)"
        )


class PortTaken(TranscriberError):
    """A port that one of our processes needs is in use."""

    status, code = 409, "port_taken"

    def __init__(self, port: int, holder: str, setting: str) -> None:
        super().__init__(port, holder, setting)
        self.port, self.holder, self.setting = port, holder, setting

    def __str__(self) -> str:
        return f"port {self.port} is in use by {self.holder}; stop it, or choose another port with {self.setting}"


class NotStarted(TranscriberError):
    """One of the processes of `transcriber up` did not start."""

    def __init__(self, service: str, reason: str, log: str) -> None:
        super().__init__(service, reason, log)
        self.service, self.reason, self.log = service, reason, log

    def __str__(self) -> str:
        return f"{self.service} did not start ({self.reason}); its log is {self.log}, and `transcriber doctor` may help"


class VersionMismatch(TranscriberError):
    """A worker is of another version than the web process."""

    status, code = 409, "version_mismatch"

    def __init__(self, worker: str, worker_version: str, web_version: str) -> None:
        super().__init__(worker, worker_version, web_version)
        self.worker, self.worker_version, self.web_version = worker, worker_version, web_version

    def __str__(self) -> str:
        return (
            f"worker {self.worker} is version {self.worker_version or 'unknown'}, and the platform is version "
            f"{self.web_version}; install version {self.web_version} on the worker's machine, then start it again"
        )


class PrefectAway(TranscriberError):
    """The Prefect server does not answer, or refuses the request."""

    status, code, transient = 503, "prefect_away", True

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url, self.reason = url, reason

    def __str__(self) -> str:
        return f"the Prefect server at {self.url} does not answer ({self.reason}); see `transcriber doctor`"


class RemoteError(TranscriberError):
    """An error returned by another of our processes, with its own message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(status, code, message)
        self.status, self.code, self.message = status, code, message  # type: ignore[misc]

    def __str__(self) -> str:
        return self.message
