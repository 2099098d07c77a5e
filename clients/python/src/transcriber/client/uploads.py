"""Resumable uploads (tus 1.0), which continue at the offset that the server has.

The creation carries an idempotency key, so that the same key finds the same upload after a lost answer, a restart of
the server, or a restart of this program.
"""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from transcriber.client.errors import Conflict, ConnectionFailed, NotFoundError, ProblemError, RecordingChanged
from transcriber.client.errors import UnexpectedAnswer as Unexpected
from transcriber.client.retries import Retries, answer_of, attempt_of, pause_before_next
from transcriber.client.steps import Answer, Call, Pause, ReadPart, Steps

PART_BYTES = 8 << 20
TUS = {"Tus-Resumable": "1.0.0"}
BYTES = TUS | {"Content-Type": "application/offset+octet-stream"}
LAST_PART_S = 600.0
"""The answer to the last part comes when the server has hashed, opened and stored the recording."""
MOST_CREATIONS = 3

OnProgress = Callable[[int, int], None]
"""Called with the bytes that the server has, and all bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A file on this machine, or bytes in memory."""

    name: str
    size_bytes: int
    path: Path | None = None
    content: bytes = field(default=b"", repr=False)

    @classmethod
    def of(cls, source: str | Path | bytes, name: str | None = None) -> "Recording":
        """Describe a recording; bytes need a name, whose ending helps to tell the format.

        Raises:
            ValueError: bytes have no name.
            OSError: the file cannot be read.
        """
        if isinstance(source, bytes):
            if name is None:
                raise ValueError("give the recording a name, such as talk.wav")
            return cls(name=name, size_bytes=len(source), content=source)
        path = Path(source)
        return cls(name=name or path.name, size_bytes=path.stat().st_size, path=path)

    def part(self, offset: int, most_bytes: int) -> Steps[bytes]:
        """Read a part.

        Raises:
            RecordingChanged: the file became shorter.
        """
        size = min(most_bytes, self.size_bytes - offset)
        if self.path is None or size == 0:
            return self.content[offset : offset + size]
        read: bytes = yield ReadPart(path=self.path, offset=offset, size=size)
        if len(read) < size:
            raise RecordingChanged(str(self.path))
        return read


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadOrder:
    """How a recording is to be transcribed."""

    options: Mapping[str, Any] = field(default_factory=dict)
    lane: str = "interactive"
    tags: Sequence[str] = ()
    job_metadata: Mapping[str, str] = field(default_factory=dict)
    idempotency_key: str | None = None
    on_progress: OnProgress | None = None

    def metadata(self, name: str) -> str:
        """Return the value of `Upload-Metadata`."""
        values = {"filename": name, "lane": self.lane, "tags": ",".join(self.tags)}
        if self.options:
            values["options"] = json.dumps(dict(self.options), sort_keys=True)
        if self.job_metadata:
            values["metadata"] = json.dumps(dict(self.job_metadata), sort_keys=True)
        return ",".join(f"{key} {base64.b64encode(text.encode()).decode()}" for key, text in values.items() if text)


def upload_order(
    options: Mapping[str, Any] | None,
    lane: str,
    idempotency_key: str | None,
    *,
    tags: Sequence[str] = (),
    metadata: Mapping[str, str] | None = None,
    on_progress: OnProgress | None = None,
) -> UploadOrder:
    """Return the order that a call of a client makes."""
    return UploadOrder(
        options=options or {},
        lane=str(lane),
        tags=tags,
        job_metadata=metadata or {},
        idempotency_key=idempotency_key,
        on_progress=on_progress,
    )


@dataclass(slots=True, kw_only=True)
class ResumableUpload:
    """One recording on its way."""

    recording: Recording
    order: UploadOrder
    retries: Retries
    base_url: str
    key: str = field(init=False)

    def __post_init__(self) -> None:
        self.key = self.order.idempotency_key or str(uuid4())

    def send(self) -> Steps[str]:
        """Send the recording; return the id of its job.

        Raises:
            ProblemError: the server refuses it.
            ConnectionFailed: the server stays away for longer than the attempts last.
            RecordingChanged: the file became shorter meanwhile.
        """
        for number in range(MOST_CREATIONS):
            created = yield from self._create()
            try:
                return (yield from self._send_parts(created))
            except NotFoundError:  # the server deleted it: nothing had come for a day
                if number + 1 == MOST_CREATIONS:
                    raise
        raise AssertionError

    def _create(self) -> Steps[Answer]:
        headers = TUS | {
            "Upload-Length": str(self.recording.size_bytes),
            "Upload-Metadata": self.order.metadata(self.recording.name),
            "Idempotency-Key": self.key,
        }
        content = None
        if self.recording.size_bytes <= PART_BYTES:  # a short recording needs one request
            content = yield from self.recording.part(0, PART_BYTES)
            headers |= BYTES
        call = Call(method="POST", path="uploads", headers=headers, content=content, read_s=LAST_PART_S)
        return (yield from answer_of(call, self.retries, self.base_url))

    def _send_parts(self, answer: Answer) -> Steps[str]:
        place = f"uploads/{self._header(answer, 'location').rstrip('/').rsplit('/', 1)[-1]}"
        offset, pauses_s = -1, self.retries.pauses_s()
        while (job_id := answer.headers.get("x-job-id")) is None:
            before, offset = offset, int(self._header(answer, "upload-offset"))
            if offset > before:
                pauses_s = self.retries.pauses_s()
                self._progressed(offset)
            outcome = yield from self._send_part(place, offset)
            if isinstance(outcome, Answer):
                answer = outcome
                continue
            if (pause_s := next(pauses_s, None)) is None:
                raise outcome
            yield Pause(seconds=0.0 if isinstance(outcome, Conflict) else self._pause_s(outcome, pause_s))
            answer = yield from self._look(place)
        self._progressed(self.recording.size_bytes)
        return job_id

    def _send_part(self, place: str, offset: int) -> Steps[Answer | ProblemError | ConnectionFailed]:
        """Send what follows the offset; nothing does if only the outcome is not known yet."""
        content = yield from self.recording.part(offset, PART_BYTES)
        headers = BYTES | {"Upload-Offset": str(offset)}
        call = Call(method="PATCH", path=place, headers=headers, content=content, read_s=LAST_PART_S)
        return (yield from attempt_of(call, self.base_url))

    def _pause_s(self, failed: ProblemError | ConnectionFailed, pause_s: float) -> float:
        return pause_before_next(Call(method="PATCH", path=""), failed, pause_s, self.retries)

    def _look(self, place: str) -> Steps[Answer]:
        """Ask for the offset.

        A refusal has its reason only in the answer to a part.
        """
        try:
            return (yield from answer_of(Call(method="HEAD", path=place, headers=TUS), self.retries, self.base_url))
        except NotFoundError:
            raise
        except ProblemError as refused:
            outcome = yield from self._send_part(place, self.recording.size_bytes)
            if isinstance(outcome, Answer):
                return outcome
            raise outcome from refused

    def _header(self, answer: Answer, name: str) -> str:
        if (value := answer.headers.get(name)) is None:
            raise Unexpected(self.base_url, f"no {name.title()}")
        return value

    def _progressed(self, offset: int) -> None:
        if self.order.on_progress:
            self.order.on_progress(offset, self.recording.size_bytes)
