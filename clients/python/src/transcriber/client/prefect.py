"""Prefect tasks and a block: flows of other people send recordings to the platform.

Install the extra: `pip install "whisper-transcriber-client[prefect]"`. Results of tasks have no text of a recording,
so that none is stored at the Prefect server; get it with `TranscriberCredentials.client`.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect import task
from prefect.blocks.core import Block
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State as RunState
from prefect.client.schemas.objects import TaskRun
from prefect.events import DeploymentEventTrigger
from prefect.runtime import flow_run
from prefect.tasks import Task, exponential_backoff
from pydantic import Field, SecretStr

from transcriber.client.asynchronous import AsyncTranscriber
from transcriber.client.blocking import Transcriber
from transcriber.client.errors import JobFailed, TranscriberClientError
from transcriber.client.models import Batch, BatchItem, Body, Job, Priority, State

JOB_ENDS = ("transcriber.job.completed", "transcriber.job.failed", "transcriber.job.cancelled")
BATCH_ENDS = tuple(f"transcriber.batch.{how}" for how in ("completed", "partly_completed", "failed", "cancelled"))


class TranscriberCredentials(Block):
    """The address of a platform, and an API key for it."""

    _block_type_name = "Transcriber Credentials"
    _block_type_slug = "transcriber-credentials"
    _description = "The address of a Whisper Transcriber platform, and an API key for it."

    url: str = Field(description="Address of the platform, such as https://transcriber.example.org.")
    api_key: SecretStr = Field(description="API key, with the scopes read, write and, for batches, batch.")

    def client(self) -> Transcriber:
        """Return a client; use it in a `with` statement."""
        return Transcriber(self.url, self.api_key)

    def async_client(self) -> AsyncTranscriber:
        """Return an asynchronous client; use it in an `async with` statement."""
        return AsyncTranscriber(self.url, self.api_key)


class TranscribedFile(Body):
    """A completed job, and the files that were saved, by format."""

    job: Job
    files: Mapping[str, Path]


class TranscribedPrefix(Body):
    """A finished batch, and its recordings with their jobs or errors."""

    batch: Batch
    items: tuple[BatchItem, ...]


def may_pass(_: Task[Any, Any], __: TaskRun, state: RunState[Any]) -> bool:
    """Return whether a failure may pass by itself, so that the task is tried again."""
    error = getattr(state.data, "result", state.data)
    return not isinstance(error, TranscriberClientError) or error.transient


RETRIED: dict[str, Any] = {
    "retries": 4,
    "retry_delay_seconds": exponential_backoff(5),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": may_pass,
    "cache_policy": NO_CACHE,
}


@task(name="transcribe-file", **RETRIED)
def transcribe_file(
    path: str | Path,
    credentials: TranscriberCredentials,
    *,
    options: Mapping[str, Any] | None = None,
    lane: Priority = Priority.BATCH,
    tags: Sequence[str] = (),
    formats: Sequence[str] = (),
    save_to: str | Path | None = None,
    timeout_s: float | None = None,
) -> TranscribedFile:
    """Send a recording, wait for its transcript, and save it in some formats.

    The same recording with the same options is transcribed once: a retry, another run or another flow finds the job.
    A job that has failed or was cancelled when its recording is sent is tried again. Files go to `save_to`, by default
    to the recording's folder, and replace those of earlier runs.

    Raises:
        JobFailed: there is no transcript; the job says why.
    """
    recording, asked = Path(path), options or {}
    with credentials.client() as client:
        key = client.content_key(recording, asked)
        job = client.upload(recording, options=asked, lane=lane, tags=tags, idempotency_key=key)
        if job.state in {State.FAILED, State.CANCELLED}:
            job = client.retry(job.id)
        job = client.wait(job.id, timeout_s=timeout_s)
        if job.state is not State.COMPLETED:
            raise JobFailed(job)
        folder = Path(save_to) if save_to is not None else recording.parent
        folder.mkdir(parents=True, exist_ok=True)
        files = {fmt: folder / f"{recording.stem}.{fmt}" for fmt in formats}
        for fmt, target in files.items():
            client.save_export(job.id, fmt, target, overwrite=True)
    return TranscribedFile(job=job, files=files)


@task(name="transcribe-prefix", **RETRIED)
def transcribe_prefix(
    prefix: str,
    credentials: TranscriberCredentials,
    *,
    name: str = "",
    options: Mapping[str, Any] | None = None,
    tags: Sequence[str] = (),
    recursive: bool = False,
    timeout_s: float | None = None,
) -> TranscribedPrefix:
    """Let the platform transcribe all recordings of a folder or a bucket's prefix.

    An administrator lists it for the key's account (TRANSCRIBER_BATCH_SOURCES). A flow run orders a batch once, and
    finds it if the task is tried again.

    Raises:
        StillWorking: `timeout_s` is over; the batch goes on.
    """
    asked = options or {}
    wanted = json.dumps([prefix, name, dict(asked), recursive, *([list(tags)] if tags else [])], sort_keys=True)
    key = f"flow-run:{flow_run.get_id()}:{hashlib.sha256(wanted.encode()).hexdigest()}"
    source = prefix if prefix.endswith("/") else f"{prefix}/"
    with credentials.client() as client:
        batch = client.order_batch(
            [source], name=name, options=asked, tags=tags, recursive=recursive, idempotency_key=key
        )
        batch = client.wait_for_batch(batch.id, timeout_s=timeout_s)
        return TranscribedPrefix(batch=batch, items=tuple(client.batch_items(batch.id)))


def trigger_of(
    event: str, parameters: Mapping[str, Any], *, tag: str | None = None, name: str | None = None
) -> DeploymentEventTrigger:
    """Return a trigger that starts a deployment at each of the platform's events.

    It is an automation as code: give it to `flow.serve(triggers=[…])` or `flow.deploy(triggers=[…])`. Parameters may be
    templates of the event: `{{ event.payload.job_id }}`. With a `tag`, only recordings with it count.

    Raises:
        ValueError: there is no such event.
    """
    if event not in {*JOB_ENDS, *BATCH_ENDS}:
        raise ValueError(f"there is no event {event!r}; there are {', '.join((*JOB_ENDS, *BATCH_ENDS))}")
    related = {"prefect.resource.id": f"prefect.tag.{tag}"} if tag else {}
    templates = {field: _template(value) for field, value in parameters.items()}
    return DeploymentEventTrigger(
        name=name or event, expect={event}, match_related=related, parameters=templates, enabled=True
    )


def _template(value: Any) -> Any:
    if isinstance(value, str) and "{{" in value:
        return {"__prefect_kind": "jinja", "template": value}
    return value
