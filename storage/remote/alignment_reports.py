"""What a worker reports of a corrected text, and how it sends that."""

from dataclasses import dataclass
from typing import Self

from pydantic import TypeAdapter

from storage.domain.errors import BadRequest
from storage.domain.records import AlignmentState, TextAlignment, from_json, to_json
from storage.domain.settings import Settings
from storage.remote.service_tokens import worker_secret
from storage.remote.web_client import AGAIN_FOR_WORK, WebClient


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignmentReport:
    """How far a text is, or how it ended; `done` has a stored result."""

    worker: str
    state: AlignmentState
    progress: float = 0.0
    detail: str = ""


_REPORT: TypeAdapter[AlignmentReport] = TypeAdapter(AlignmentReport)


def read(body: bytes) -> AlignmentReport:
    """Parse a report received over HTTP.

    Raises:
        BadRequest: the body is not a report.
    """
    try:
        return _REPORT.validate_json(body)
    except ValueError as error:
        raise BadRequest("report", f"not understood ({str(error).splitlines()[0]})") from error


class AlignmentReporter:
    """Sends reports on one text to the web process; a context manager."""

    def __init__(self, client: WebClient, alignment_id: str, worker: str) -> None:
        self._client, self._id, self._worker = client, alignment_id, worker

    @classmethod
    def from_settings(cls, settings: Settings, alignment_id: str, worker: str) -> Self:
        client = WebClient(settings.web.base_url, worker_secret(settings).current, again=AGAIN_FOR_WORK)
        return cls(client, alignment_id, worker)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def send(self, state: AlignmentState, *, progress: float = 0.0, detail: str = "") -> TextAlignment:
        """Send a report; the answer says whether the text is still wanted.

        Raises:
            LedgerUnreachable: no answer within the patience.
            RemoteError: the web process knows no such text.
        """
        report = AlignmentReport(worker=self._worker, state=state, progress=progress, detail=detail)
        answer = self._client.call("POST", f"/internal/v1/alignments/{self._id}", to_json(report))
        return from_json(TextAlignment, answer)
