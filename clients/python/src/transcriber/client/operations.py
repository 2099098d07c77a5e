"""What the clients can do, as steps that either of them performs."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote
from uuid import uuid4

from pydantic import ValidationError

from transcriber.client.errors import JobFailed, RecordingRefused, UnexpectedAnswer
from transcriber.client.following import Following, Waiting, listened
from transcriber.client.models import (
    Batch,
    BatchItem,
    BatchSource,
    Body,
    Download,
    Job,
    Me,
    SavedFile,
    State,
    Transcript,
)
from transcriber.client.retries import Retries, answer_of
from transcriber.client.steps import Answer, Call, Digest, Fetch, Found, Steps
from transcriber.client.uploads import Recording, ResumableUpload, UploadOrder

B = TypeVar("B", bound=Body)
Options = Mapping[str, Any]
Source = str | Path | bytes
JOBS: Final = "api/v1/jobs"
BATCHES: Final = "api/v1/batches"
PAGE = 200
EXPORT_S = 60.0
"""A file that does not exist yet is made; the server answers after half a minute at latest."""
BATCH_POLL_S = (0.5, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """The operations against one server."""

    base_url: str
    retries: Retries = field(default_factory=Retries)

    def answered(self, method: str, path: str, **asked: Any) -> Steps[Answer]:
        """Send a call, with retries."""
        return (yield from answer_of(Call(method=method, path=path, **asked), self.retries, self.base_url))

    def _body(self, kind: type[B], method: str, path: str, **asked: Any) -> Steps[B]:
        answer = yield from self.answered(method, path, **asked)
        return self._read(kind, answer.body)

    def _read(self, kind: type[B], body: bytes | Mapping[str, Any]) -> B:
        try:
            return kind.model_validate_json(body) if isinstance(body, bytes) else kind.model_validate(body)
        except ValidationError as error:
            raise UnexpectedAnswer(self.base_url, _first_fault(error)) from None

    def _json(self, body: bytes) -> Mapping[str, Any]:
        try:
            told = json.loads(body)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise UnexpectedAnswer(self.base_url, "no JSON object")
        return told

    def me(self) -> Steps[Me]:
        """Return the account of the key."""
        return (yield from self._body(Me, "GET", "api/v1/me"))

    def upload(self, source: Source, name: str | None, order: UploadOrder) -> Steps[Job]:
        """Send a recording; return its job."""
        recording = Recording.of(source, name)
        sending = ResumableUpload(recording=recording, order=order, retries=self.retries, base_url=self.base_url)
        job_id = yield from sending.send()
        return (yield from self.job(job_id))

    def content_key(self, source: Source, options: Options) -> Steps[str]:
        """Return an idempotency key of a recording's bytes and the options."""
        if isinstance(source, bytes):
            digest = hashlib.sha256(source).hexdigest()
        else:
            digest = yield Digest(path=Path(source))
        return f"content:{digest}:{json.dumps(dict(options), sort_keys=True, separators=(',', ':'))}"

    def fetch(self, source: str, *, name: str | None, order: UploadOrder) -> Steps[Job]:
        """Let the server get a recording from an address or listed path; return its job."""
        place = "path" if source.startswith(("/", "s3://")) else "url"
        asked: dict[str, Any] = {place: source, "name": name, "options": dict(order.options), "lane": order.lane}
        asked |= {"tags": ",".join(order.tags) or None, "metadata": dict(order.job_metadata) or None}
        asked = {field: value for field, value in asked.items() if value is not None}
        headers = {"Idempotency-Key": order.idempotency_key or str(uuid4())}
        download = yield from self._body(Download, "POST", JOBS, json=asked, headers=headers)
        patience = Following(retries=self.retries, timeout_s=None, what=f"the download of {download.name}")
        pause_s = BATCH_POLL_S[0]
        while download.job_id is None:
            if download.state == "failed":
                error = download.error
                raise RecordingRefused(source, error.code if error else "failed", error.message if error else "")
            yield from patience.pause(pause_s)
            pause_s = min(BATCH_POLL_S[1], pause_s * 1.5)
            download = yield from self._body(Download, "GET", f"api/v1/downloads/{quote(download.id, safe='')}")
        return (yield from self.job(download.job_id))

    def job(self, job_id: str) -> Steps[Job]:
        """Return a job."""
        return (yield from self._body(Job, "GET", _job(job_id)))

    def jobs(self, states: Iterable[State | str], tag: str | None, page: int, *, everybody: bool) -> Steps[None]:
        """Find all jobs, newest first."""
        params = [("state", str(state)) for state in states] + [("limit", str(page))]
        params += [("tag", tag)] if tag else []
        params += [("everybody", "true")] if everybody else []
        before: str | None = None
        while True:
            asked = tuple(params + ([("before", before)] if before else []))
            answer = yield from self.answered("GET", JOBS, params=asked)
            told = self._json(answer.body)
            for one in told.get("jobs", ()):
                yield Found(item=self._read(Job, one))
            before = told.get("next")
            if before is None:
                return

    def act(self, job_id: str, action: str) -> Steps[Job]:
        """Cancel, retry, pause, resume or restore a job, or put it first."""
        return (yield from self._body(Job, "POST", f"{_job(job_id)}/{action}", repeatable=False))

    def change(self, job_id: str, changes: Mapping[str, Any]) -> Steps[Job]:
        """Rename a job, set its tags or its lane."""
        asked = {field: value for field, value in changes.items() if value is not None}
        return (yield from self._body(Job, "PATCH", _job(job_id), json=asked))

    def delete(self, job_id: str) -> Steps[None]:
        """Delete a finished job."""
        yield from self.answered("DELETE", _job(job_id), repeatable=False)

    def transcript(self, job_id: str) -> Steps[Transcript]:
        """Return the current transcript."""
        return (yield from self._body(Transcript, "GET", f"{_job(job_id)}/transcript"))

    def export(self, job_id: str, fmt: str, settings: Mapping[str, Any]) -> Steps[bytes]:
        """Return the transcript as a file's bytes."""
        answer = yield from answer_of(_export(job_id, fmt, settings), self.retries, self.base_url)
        return answer.body

    def save_export(
        self, job_id: str, fmt: str, target: Path, settings: Mapping[str, Any], *, overwrite: bool
    ) -> Steps[SavedFile]:
        """Save the transcript as a file."""
        return (yield from self._save(_export(job_id, fmt, settings), target, overwrite=overwrite))

    def save_recording(self, job_id: str, target: Path, *, overwrite: bool) -> Steps[SavedFile]:
        """Save the recording as a file."""
        call = Call(method="GET", path=f"{_job(job_id)}/recording")
        return (yield from self._save(call, target, overwrite=overwrite))

    def _save(self, call: Call, target: Path, *, overwrite: bool) -> Steps[SavedFile]:
        """Fetch into a file that gets its name when it is whole."""
        if target.exists() and not overwrite:
            raise FileExistsError(f"{target} exists; ask with overwrite=True to replace it")
        fresh = target.with_name(f".{target.name[:100]}.{uuid4().hex[:8]}.part")
        try:
            yield from answer_of(Fetch(call=call, target=fresh), self.retries, self.base_url)
            size_bytes = fresh.stat().st_size
            fresh.replace(target)
        finally:
            fresh.unlink(missing_ok=True)
        return SavedFile(path=target, size_bytes=size_bytes)

    def events(self, last_id: str | None) -> Steps[None]:
        """Find all events of the caller's jobs, forever."""
        following = Following(retries=self.retries, timeout_s=None, what="the stream")
        following.parser.last_id = last_id
        yield from listened(following, self.base_url)

    def as_completed(self, job_ids: Sequence[str], timeout_s: float | None) -> Steps[None]:
        """Find each job when it is in its final state."""
        what = f"job {job_ids[0]}" if len(job_ids) == 1 else f"one of {len(job_ids)} jobs"
        following = Following(retries=self.retries, timeout_s=timeout_s, what=what)
        waiting = Waiting(following=following, look=self.job, job_ids=job_ids)
        while waiting.job_ids:
            for job in (yield from waiting.next_ended()):
                yield Found(item=job)

    def wait(self, job_id: str, timeout_s: float | None) -> Steps[Job]:
        """Wait for a job's final state; return the job."""
        following = Following(retries=self.retries, timeout_s=timeout_s, what=f"job {job_id}")
        (job,) = yield from Waiting(following=following, look=self.job, job_ids=[job_id]).next_ended()
        return job

    def wait_completed(self, job_id: str, timeout_s: float | None) -> Steps[Job]:
        """Wait for a job's end; raises JobFailed unless it is completed."""
        job = yield from self.wait(job_id, timeout_s)
        if job.state is not State.COMPLETED:
            raise JobFailed(job)
        return job

    def transcribe(self, source: Source, name: str | None, order: UploadOrder, timeout_s: float | None) -> Steps[Job]:
        """Send a recording and wait for its transcript; return the completed job."""
        job = yield from self.upload(source, name, order)
        return (yield from self.wait_completed(job.id, timeout_s))

    def order_batch(
        self, sources: Iterable[BatchSource | str], *, name: str, order: UploadOrder, recursive: bool
    ) -> Steps[Batch]:
        """Let the server get and transcribe many recordings; return the batch."""
        asked = {"items": [_item(one) for one in sources], "name": name, "options": dict(order.options)}
        headers = {"Idempotency-Key": order.idempotency_key or str(uuid4())}
        told = asked | {"lane": order.lane, "recursive": recursive}
        if order.tags:
            told["tags"] = ",".join(order.tags)
        if order.job_metadata:
            told["metadata"] = dict(order.job_metadata)
        return (yield from self._body(Batch, "POST", BATCHES, json=told, headers=headers))

    def batch(self, batch_id: str) -> Steps[Batch]:
        """Return a batch."""
        return (yield from self._body(Batch, "GET", _batch(batch_id)))

    def act_on_batch(self, batch_id: str, action: str) -> Steps[Batch]:
        """Cancel or retry a batch."""
        return (yield from self._body(Batch, "POST", f"{_batch(batch_id)}/{action}", repeatable=False))

    def batch_items(self, batch_id: str, states: Iterable[str]) -> Steps[None]:
        """Find all recordings of a batch, in their order."""
        params, after = [("state", state) for state in states] + [("limit", str(PAGE))], 0
        while True:
            asked = (*params, ("after", str(after)))
            answer = yield from self.answered("GET", f"{_batch(batch_id)}/items", params=asked)
            told = self._json(answer.body)
            for one in told.get("items", ()):
                yield Found(item=self._read(BatchItem, one))
            if told.get("next") is None:
                return
            after = int(told["next"])

    def wait_for_batch(self, batch_id: str, timeout_s: float | None) -> Steps[Batch]:
        """Wait for a batch's final state; return the batch."""
        following = Following(retries=self.retries, timeout_s=timeout_s, what=f"batch {batch_id}")
        pause_s = BATCH_POLL_S[0]
        while not (batch := (yield from self.batch(batch_id))).state.is_final:
            yield from following.pause(pause_s)
            pause_s = min(BATCH_POLL_S[1], pause_s * 1.5)
        return batch


def changes_of(name: str | None, tags: Sequence[str] | None, lane: str | None) -> dict[str, Any]:
    """Return the body of a change of a job."""
    return {"name": name, "tags": None if tags is None else list(tags), "lane": lane}


def _job(job_id: str) -> str:
    return f"{JOBS}/{quote(job_id, safe='')}"


def _batch(batch_id: str) -> str:
    return f"{BATCHES}/{quote(batch_id, safe='')}"


def _export(job_id: str, fmt: str, settings: Mapping[str, Any]) -> Call:
    params = tuple((name, _as_text(value)) for name, value in settings.items())
    return Call(method="GET", path=f"{_job(job_id)}/exports/{quote(fmt, safe='')}", params=params, read_s=EXPORT_S)


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _item(one: BatchSource | str) -> dict[str, Any]:
    """Return a recording of a batch as the API takes it."""
    told = _source(one).model_dump(mode="json", exclude_none=True)
    return told | {"tags": ",".join(told["tags"])} if "tags" in told else told


def _source(one: BatchSource | str) -> BatchSource:
    if isinstance(one, BatchSource):
        return one
    return BatchSource(path=one) if one.startswith(("/", "s3://")) else BatchSource(url=one)


def _first_fault(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'body'}: {first['msg']}"
