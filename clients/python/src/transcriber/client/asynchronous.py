"""The client for programs with an event loop (asyncio)."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from pydantic import SecretStr

from transcriber.client.local_files import digest_of, read_part, sync_to_disk
from transcriber.client.models import (
    Batch,
    BatchItem,
    BatchSource,
    Job,
    JobEvent,
    Me,
    Priority,
    SavedFile,
    State,
    Transcript,
)
from transcriber.client.operations import PAGE, Operations, Options, Source, changes_of
from transcriber.client.retries import Retries
from transcriber.client.steps import (
    Answer,
    Call,
    Digest,
    Fetch,
    Found,
    Listen,
    NextLine,
    Pause,
    ReadPart,
    Step,
    Steps,
    Walk,
)
from transcriber.client.transport import USER_AGENT, KeyAuth, answer_from, checked_key, checked_url, request_of
from transcriber.client.uploads import OnProgress, upload_order

T = TypeVar("T")


class AsyncTranscriber:
    """A client of one platform; use it in a `async with` statement, or await `close`.

    Without arguments, TRANSCRIBER_URL and TRANSCRIBER_API_KEY say where it is and who asks. Tasks may share a client.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | SecretStr | None = None,
        *,
        retries: Retries | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._operations = Operations(base_url=checked_url(url), retries=retries or Retries())
        self._http = httpx.AsyncClient(
            base_url=self._operations.base_url,
            auth=KeyAuth(checked_key(api_key)),
            headers={"User-Agent": USER_AGENT},
            transport=transport,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    @property
    def url(self) -> str:
        """The address of the platform."""
        return self._operations.base_url

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def me(self) -> Me:
        """Return the account of the key."""
        return await self._run(self._operations.me())

    async def upload(
        self,
        source: Source,
        *,
        name: str | None = None,
        options: Options | None = None,
        lane: Priority | str = Priority.INTERACTIVE,
        tags: Sequence[str] = (),
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> Job:
        """Send a recording, a file or bytes with a name; return its job.

        What breaks off continues, also after a restart of the server. With an `idempotency_key`, a repeated call finds
        the upload or the job of the first one, also from another process; without one, each call makes a job.

        Raises:
            ProblemError: the server refuses the recording; `code` says why.
            ConnectionFailed: the server stays away.
        """
        order = upload_order(options, lane, idempotency_key, tags=tags, metadata=metadata, on_progress=on_progress)
        return await self._run(self._operations.upload(source, name, order))

    async def transcribe(
        self,
        source: Source,
        *,
        name: str | None = None,
        options: Options | None = None,
        lane: Priority | str = Priority.INTERACTIVE,
        tags: Sequence[str] = (),
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        on_progress: OnProgress | None = None,
        timeout_s: float | None = None,
    ) -> Job:
        """Send a recording and wait until it is transcribed; return the completed job.

        Raises:
            JobFailed: it ended without a transcript; its job says why.
            StillWorking: `timeout_s` is over; the job goes on.
            ProblemError, ConnectionFailed: see `upload`.
        """
        return await self._run(
            self._operations.transcribe(
                source,
                name,
                upload_order(options, lane, idempotency_key, tags=tags, metadata=metadata, on_progress=on_progress),
                timeout_s,
            )
        )

    async def fetch(
        self,
        source: str,
        *,
        name: str | None = None,
        options: Options | None = None,
        lane: Priority | str = Priority.INTERACTIVE,
        tags: Sequence[str] = (),
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Let the server get a recording from an address or path.

        Returns its job, once the server has the recording. A path has to be listed for the caller by an administrator.

        Raises:
            RecordingRefused: the server cannot get it, or it is no recording.
            ProblemError: the server refuses to get it.
        """
        order = upload_order(options, lane, idempotency_key, tags=tags, metadata=metadata)
        return await self._run(self._operations.fetch(source, name=name, order=order))

    async def content_key(self, source: Source, options: Options | None = None) -> str:
        """Return an idempotency key of a recording's bytes and options.

        Equal ones are transcribed once.
        """
        return await self._run(self._operations.content_key(source, options or {}))

    async def job(self, job_id: str) -> Job:
        """Return a job."""
        return await self._run(self._operations.job(job_id))

    def jobs(
        self, *, states: Iterable[State | str] = (), tag: str | None = None, everybody: bool = False
    ) -> AsyncIterator[Job]:
        """Yield all jobs, newest first; pages are asked for as they are needed."""
        return self._each(self._operations.jobs(states, tag, PAGE, everybody=everybody))

    async def cancel(self, job_id: str) -> Job:
        """Cancel a job; what is transcribed is kept for a retry."""
        return await self._run(self._operations.act(job_id, "cancel"))

    async def retry(self, job_id: str) -> Job:
        """Queue a failed or cancelled job again."""
        return await self._run(self._operations.act(job_id, "retry"))

    async def pause(self, job_id: str) -> Job:
        """Pause a job until it is resumed."""
        return await self._run(self._operations.act(job_id, "pause"))

    async def resume(self, job_id: str) -> Job:
        """Let a paused job go on."""
        return await self._run(self._operations.act(job_id, "resume"))

    async def restore(self, job_id: str) -> Job:
        """Restore a deleted job."""
        return await self._run(self._operations.act(job_id, "restore"))

    async def change(
        self,
        job_id: str,
        *,
        name: str | None = None,
        tags: Sequence[str] | None = None,
        lane: Priority | str | None = None,
    ) -> Job:
        """Rename a job, set all of its tags, or move it to another lane."""
        return await self._run(self._operations.change(job_id, changes_of(name, tags, lane)))

    async def delete(self, job_id: str) -> None:
        """Delete a finished job; it can be restored for some days."""
        await self._run(self._operations.delete(job_id))

    async def transcript(self, job_id: str) -> Transcript:
        """Return the current transcript."""
        return await self._run(self._operations.transcript(job_id))

    async def export(self, job_id: str, fmt: str, **settings: Any) -> bytes:
        """Return the transcript as a file (`srt`, `vtt` …), with caption settings."""
        return await self._run(self._operations.export(job_id, fmt, settings))

    async def save_export(
        self, job_id: str, fmt: str, target: str | Path, *, overwrite: bool = False, **settings: Any
    ) -> SavedFile:
        """Save the transcript as a file, which appears only when it is whole.

        Raises:
            FileExistsError: the file exists, and `overwrite` is false.
        """
        return await self._run(self._operations.save_export(job_id, fmt, Path(target), settings, overwrite=overwrite))

    async def save_recording(self, job_id: str, target: str | Path, *, overwrite: bool = False) -> SavedFile:
        """Save the recording as a file; see `save_export`."""
        return await self._run(self._operations.save_recording(job_id, Path(target), overwrite=overwrite))

    def events(self, last_id: str | None = None) -> AsyncIterator[JobEvent]:
        """Yield changes of the caller's jobs as they happen, forever.

        A lost connection continues after the last event. `last_id` continues after an event of earlier.
        """
        return self._each(self._operations.events(last_id))

    async def wait(self, job_id: str, *, timeout_s: float | None = None) -> Job:
        """Wait until a job is completed, failed or cancelled; return it.

        Raises:
            StillWorking: `timeout_s` is over; the job goes on.
        """
        return await self._run(self._operations.wait(job_id, timeout_s))

    def as_completed(self, job_ids: Iterable[str], *, timeout_s: float | None = None) -> AsyncIterator[Job]:
        """Yield each job when it is completed, failed or cancelled."""
        return self._each(self._operations.as_completed(list(job_ids), timeout_s))

    async def order_batch(
        self,
        sources: Iterable[BatchSource | str],
        *,
        name: str = "",
        options: Options | None = None,
        lane: Priority | str = Priority.BATCH,
        tags: Sequence[str] = (),
        metadata: Mapping[str, str] | None = None,
        recursive: bool = False,
        idempotency_key: str | None = None,
    ) -> Batch:
        """Let the server get and transcribe many recordings.

        They are addresses, paths, folders or prefixes of buckets. A path has to be listed for the caller by an
        administrator; one that ends with "/" stands for its files. Every recording gets these tags and this metadata.
        """
        return await self._run(
            self._operations.order_batch(
                sources,
                name=name,
                order=upload_order(options, lane, idempotency_key, tags=tags, metadata=metadata),
                recursive=recursive,
            )
        )

    async def batch(self, batch_id: str) -> Batch:
        """Return a batch."""
        return await self._run(self._operations.batch(batch_id))

    def batch_items(self, batch_id: str, *, states: Iterable[str] = ()) -> AsyncIterator[BatchItem]:
        """Yield the recordings of a batch, in their order."""
        return self._each(self._operations.batch_items(batch_id, states))

    async def wait_for_batch(self, batch_id: str, *, timeout_s: float | None = None) -> Batch:
        """Wait until nothing of a batch is in progress; return it."""
        return await self._run(self._operations.wait_for_batch(batch_id, timeout_s))

    async def cancel_batch(self, batch_id: str) -> Batch:
        """Cancel a batch; what is completed stays."""
        return await self._run(self._operations.act_on_batch(batch_id, "cancel"))

    async def retry_batch(self, batch_id: str) -> Batch:
        """Try the failed recordings of a batch again."""
        return await self._run(self._operations.act_on_batch(batch_id, "retry"))

    async def _run(self, steps: Steps[T]) -> T:
        walk, stream = Walk(steps), _Stream()
        try:
            while walk.step is not None:
                await self._perform(walk, walk.step, stream)
            return walk.result
        finally:
            await stream.close()

    async def _each(self, steps: Steps[None]) -> AsyncIterator[Any]:
        walk, stream = Walk(steps), _Stream()
        try:
            while walk.step is not None:
                if isinstance(walk.step, Found):
                    yield walk.step.item
                    walk.give(None)
                else:
                    await self._perform(walk, walk.step, stream)
        finally:
            await stream.close()

    async def _perform(self, walk: Walk[T], step: Step, stream: "_Stream") -> None:
        try:
            outcome = await self._outcome(step, stream)
        except (httpx.TransportError, OSError) as error:
            walk.fail(error)
        else:
            walk.give(outcome)

    async def _outcome(self, step: Step, stream: "_Stream") -> Any:  # noqa: PLR0911 - one for each kind of step
        match step:
            case Call():
                response = await self._http.send(request_of(self._http, step))
                return answer_from(response, response.content)
            case Fetch():
                return await self._fetch(step)
            case Listen():
                return await stream.open(self._http, step.call)
            case NextLine():
                return await stream.next_line()
            case Pause():
                return await asyncio.sleep(step.seconds)
            case ReadPart():
                return await asyncio.to_thread(read_part, step)
            case Digest():
                return await asyncio.to_thread(digest_of, step.path)
            case Found():
                raise AssertionError(step)

    async def _fetch(self, step: Fetch) -> Answer:
        response = await self._http.send(request_of(self._http, step.call), stream=True)
        try:
            if not response.is_success:
                return answer_from(response, await response.aread())
            with step.target.open("wb") as file:
                async for block in response.aiter_bytes():
                    await asyncio.to_thread(file.write, block)
                await asyncio.to_thread(sync_to_disk, file)
            return answer_from(response)
        finally:
            await response.aclose()


class _Stream:
    """The open stream of events, if there is one."""

    def __init__(self) -> None:
        self._response: httpx.Response | None = None
        self._lines: AsyncIterator[str] | None = None

    async def open(self, http: httpx.AsyncClient, call: Call) -> Answer:
        await self.close()
        self._response = await http.send(request_of(http, call), stream=True)
        if not self._response.is_success:
            return answer_from(self._response, await self._response.aread())
        self._lines = self._response.aiter_lines()
        return answer_from(self._response)

    async def next_line(self) -> str | None:
        return None if self._lines is None else await anext(self._lines, None)

    async def close(self) -> None:
        if self._response is not None:
            await self._response.aclose()
        self._response, self._lines = None, None
