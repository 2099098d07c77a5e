"""Upload many recordings as jobs of the batch lane (`transcriber batch`, `ingest-batch`)."""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import typer
from pydantic import SecretStr
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from flows.platform.api_upload import known_recording, send_file
from flows.platform.os_user import operator
from flows.platform.settled_files import SETTLED_AFTER_S, FileState, Settling
from storage.domain.batch_outcomes import BatchOutcome, Outcome, exit_status, printable, summary
from storage.domain.errors import (
    AudioUnreadable,
    BadRequest,
    CodecUnknown,
    EmptyUpload,
    HeaderMissing,
    IndexMissing,
    LedgerUnreachable,
    NoAudioTrack,
    NotStored,
    RecordingEncrypted,
    RemoteError,
    StorageUnreachable,
    TranscriberError,
)
from storage.domain.job_messages import text_of
from storage.domain.records import Job
from storage.domain.settings import Settings, StorageSettings
from storage.media.added_header import with_header
from storage.media.headerless import Headerless

UNREADABLE = (AudioUnreadable, CodecUnknown, HeaderMissing, IndexMissing, RecordingEncrypted, NoAudioTrack, EmptyUpload)
NO_RECORDING = {each.code for each in UNREADABLE}
"""Errors of files that are not recordings; other refusals concern the request."""
STILL_WRITTEN = "it is still being written; repeat the batch when it is complete"
DELETED_BEFORE = "it was transcribed before and deleted; to transcribe it again, repeat the batch with --again"
FAILED_BEFORE = "{reason}; to try it again, repeat the batch with --again"


@dataclass(frozen=True, slots=True, kw_only=True)
class WritersPatience:
    """How long to wait for files that other programs are still writing."""

    at_most_s: float = 60.0
    look_every_s: float = 0.5
    settled_after_s: float = SETTLED_AFTER_S


PATIENCE = WritersPatience()


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFile:
    """A file to upload, and a function that provides it on this machine.

    `path` is the file itself, which another program may be writing; objects in a bucket are always complete.
    """

    name: str
    local: Callable[[], AbstractContextManager[Path]]
    path: Path | None = None

    @property
    def state(self) -> FileState | None:
        try:
            return FileState.of(self.path) if self.path else None
        except OSError:  # sending it says what is wrong with it
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """The options that all recordings of a batch share."""

    owner: str
    model: str
    language: str | None
    actor: str
    token: SecretStr | None = None
    headerless: Headerless | None = None  # what the files are, if they do not say so themselves
    again: bool = False  # retries what failed, and transcribes what was deleted

    @property
    def options(self) -> dict[str, str | None]:
        return {"model": self.model, "language": self.language}


def recordings_in(
    source: str, storage: StorageSettings, *, recursive: bool, within: Path | None = None
) -> list[BatchFile]:
    """Return the files of a folder or an `s3://bucket/prefix`, sorted, without hidden ones.

    A file that a link leads to outside of `within` is refused when it is opened.

    Raises:
        BadRequest: it does not exist, or is empty.
        StorageUnreachable: the bucket's service does not answer.
    """
    in_bucket = source.startswith("s3://")
    if in_bucket:
        files = _objects(source, storage, recursive=recursive)
    else:
        files = _files(source, recursive=recursive, within=within)
    if not files:
        hint = "" if recursive else " (try recursive)"
        raise BadRequest("SOURCE", f"{source} {'does not exist or ' if in_bucket else ''}holds no files{hint}")
    return files


def _files(source: str, *, recursive: bool, within: Path | None) -> list[BatchFile]:
    path = Path(source)
    if not source or not path.exists():
        raise BadRequest("SOURCE", f"{source!r} does not exist; name a folder, a file or s3://bucket/prefix")
    if path.is_file():
        return [BatchFile(name=source, local=partial(_as_it_is, path, within), path=path)]
    found = path.rglob("*") if recursive else path.glob("*")
    files = sorted(each for each in found if each.is_file() and not each.name.startswith("."))
    return [BatchFile(name=str(each), local=partial(_as_it_is, each, within), path=each) for each in files]


def _as_it_is(path: Path, within: Path | None) -> AbstractContextManager[Path]:
    real = path.resolve()
    if within is not None and not real.is_relative_to(within.resolve()):
        raise BadRequest("source", f"{path} is a link to a file outside of {within}")
    return nullcontext(path if within is None else real)


def _objects(source: str, storage: StorageSettings, *, recursive: bool) -> list[BatchFile]:
    """Return the objects below a prefix, and the one named like it.

    A source that ends with a slash means only those below, if there are any.
    """
    url = source.rstrip("/")
    if not url.removeprefix("s3:"):
        raise BadRequest("SOURCE", f"{source} names no bucket")
    try:
        below = list(_below(url, storage, recursive=recursive))
        return below if below and source.endswith("/") else [*_itself(url, storage), *below]
    except StorageUnreachable as error:
        raise StorageUnreachable(source, error.reason) from error


def _below(url: str, storage: StorageSettings, *, recursive: bool) -> Iterator[BatchFile]:
    from storage.files.s3_bucket import Bucket

    bucket = Bucket(url, storage.storage_endpoint_url)
    with suppress(NotStored):
        for name in bucket.list(""):
            if _is_wanted(name, recursive=recursive):
                yield BatchFile(name=f"{url}/{name}", local=partial(bucket.local, name))


def _itself(url: str, storage: StorageSettings) -> Iterator[BatchFile]:
    from storage.files.s3_bucket import Bucket

    parent, _, name = url.rpartition("/")
    if parent != "s3:/":
        bucket = Bucket(parent, storage.storage_endpoint_url)
        if bucket.size(name) is not None:
            yield BatchFile(name=url, local=partial(bucket.local, name))


def _is_wanted(name: str, *, recursive: bool) -> bool:
    last = name.rsplit("/", 1)[-1]
    return bool(last) and not last.startswith(".") and (recursive or "/" not in name)


def idempotency_key(path: Path, options: dict[str, str | None]) -> str:
    """Return a key for a file's bytes and options, so that repeats are recognised."""
    with path.open("rb") as opened:
        content = hashlib.file_digest(opened, "sha256").hexdigest()
    options_json = json.dumps(options, sort_keys=True)
    return hashlib.sha256(f"batch {content} {options_json}".encode()).hexdigest()


def send_all(
    settings: Settings,
    batch_files: Iterable[BatchFile],
    batch_options: BatchOptions,
    *,
    patience: WritersPatience = PATIENCE,
) -> Iterator[Outcome]:
    """Upload one file after the other, and yield the outcome of each.

    Files that are still being written come last. A file that was changed after it was sent is sent again and replaces
    the part; then its second outcome counts.

    Raises:
        LedgerUnreachable: the web process does not answer.
    """
    sent: list[tuple[BatchFile, FileState | None, str | None]] = []
    for file, is_complete in _settled(batch_files, patience):
        state = file.state if is_complete else None
        outcome = _send(settings, file, batch_options) if is_complete else _still_written(file)
        part = outcome.job_id if outcome.became is BatchOutcome.ACCEPTED else None  # earlier recordings are no parts
        sent.append((file, state, part))
        yield outcome
    changed = {file.name: part for file, state, part in sent if state and file.state != state}
    for file, is_complete in _settled([file for file, _, _ in sent if file.name in changed], patience):
        if is_complete:
            yield _send(settings, file, batch_options, replaces=changed[file.name])
        else:
            yield _still_written(file)


def _settled(batch_files: Iterable[BatchFile], patience: WritersPatience) -> Iterator[tuple[BatchFile, bool]]:
    """Yield each file and whether it is complete, those that are complete first."""
    settling = Settling(settled_after_s=patience.settled_after_s)
    left = list(batch_files)
    until_s = time.monotonic() + patience.at_most_s
    while left:
        waiting = []
        for file in left:
            if _is_settled(settling, file):
                yield file, True
            else:
                waiting.append(file)
        left = waiting
        if left and time.monotonic() >= until_s:
            yield from ((file, False) for file in left)
            return
        if left:
            time.sleep(patience.look_every_s)


def _is_settled(settling: Settling, file: BatchFile) -> bool:
    try:
        return file.path is None or settling.is_settled(file.path)
    except OSError:
        return True  # sending it says what is wrong with it


def _still_written(file: BatchFile) -> Outcome:
    return Outcome(name=file.name, became=BatchOutcome.STILL_WRITTEN, reason=STILL_WRITTEN)


def _send(settings: Settings, file: BatchFile, batch_options: BatchOptions, *, replaces: str | None = None) -> Outcome:
    """Send a file, unless the web process knows it; a changed one replaces its part."""
    whose: dict[str, Any] = {"owner": batch_options.owner, "actor": batch_options.actor, "token": batch_options.token}
    try:
        with file.local() as original, with_header(original, batch_options.headerless) as path:
            key, options = idempotency_key(path, batch_options.options), dict(batch_options.options)
            known = known_recording(settings, key=key, again=batch_options.again, **whose)
            if known.outcome and replaces is None:
                return _of_known(file.name, known.outcome, known.job)
            job = send_file(settings, path, options=options, lane="batch", key=key, replaces=replaces, **whose)
        return Outcome(name=file.name, became=BatchOutcome.ACCEPTED, job_id=job.id)
    except LedgerUnreachable:
        raise
    except RemoteError as error:
        became = BatchOutcome.NO_RECORDING if error.code in NO_RECORDING else BatchOutcome.REFUSED
        return Outcome(name=file.name, became=became, reason=str(error))
    except (TranscriberError, OSError) as error:
        return Outcome(name=file.name, became=BatchOutcome.REFUSED, reason=str(error))


def _of_known(name: str, outcome: BatchOutcome, job: Job | None) -> Outcome:
    """Return the outcome of a file that the web process knows."""
    reason = ""
    if outcome is BatchOutcome.DELETED_BEFORE:
        reason = DELETED_BEFORE
    elif outcome is BatchOutcome.FAILED_BEFORE and job:
        reason = FAILED_BEFORE.format(reason=text_of(job.error) or "it was cancelled")
    return Outcome(name=name, became=outcome, job_id=job.id if job else None, reason=reason)


def send_folder(
    source: str,
    *,
    model: str,
    language: str | None,
    owner: str,
    recursive: bool,
    again: bool,
    headerless: Headerless | None = None,
) -> int:
    """Upload every file with a progress bar; return the exit status.

    Raises:
        BadRequest: there is nothing to upload.
        LedgerUnreachable: the web process does not answer; the outcomes so far have been printed.
    """
    settings = Settings()
    batch_files = recordings_in(source, settings.storage, recursive=recursive)
    batch_options = BatchOptions(
        owner=owner, model=model, language=language, actor=operator(), again=again, headerless=headerless
    )
    by_name: dict[str, Outcome] = {}
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns) as bars:
            bar = bars.add_task("sending", total=len(batch_files))
            for outcome in send_all(settings, batch_files, batch_options):
                by_name[outcome.name] = outcome
                bars.update(bar, completed=len(by_name), description=printable(outcome.name).rsplit("/", 1)[-1][:40])
    finally:
        outcomes = list(by_name.values())
        for outcome in outcomes:
            if outcome.became.spec.is_named:
                typer.echo(outcome.line, err=True)
        typer.echo(f"{summary(outcomes, len(batch_files))}; follow them at {settings.web.base_url}")
    return exit_status(outcomes)
