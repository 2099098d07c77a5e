"""Upload many recordings as jobs of the batch lane (`transcriber batch`, `ingest-batch`)."""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from flows.batch.sent_files import SentFiles
from flows.batch.settled_files import SETTLED_AFTER_S, Settling
from flows.batch.source_files import NOT_READ, BatchFile, denial_of
from flows.platform.api_upload import known_recording, known_states, send_file
from storage.domain.batch_outcomes import BatchOutcome, KnownState, Outcome
from storage.domain.errors import (
    AudioUnreadable,
    CodecUnknown,
    EmptyUpload,
    HeaderMissing,
    IndexMissing,
    LedgerUnreachable,
    NoAudioTrack,
    RecordingEncrypted,
    RemoteError,
    StorageUnreachable,
    TranscriberError,
)
from storage.domain.job_messages import text_of
from storage.domain.settings import Settings
from storage.files.content_index import ContentIndex, KnownContent
from storage.files.keyed_locks import KeyedLocks
from storage.media.added_header import with_header
from storage.media.headerless import Headerless

UNREADABLE = (AudioUnreadable, CodecUnknown, HeaderMissing, IndexMissing, RecordingEncrypted, NoAudioTrack, EmptyUpload)
NO_RECORDING = {each.code for each in UNREADABLE}
"""Errors of files that are not recordings; other refusals concern the request."""
STILL_WRITTEN = "it is still being written; repeat the batch when it is complete"
CHANGED = "it changed while it was read, twice; repeat the batch when it is complete"
DELETED_BEFORE = "it was transcribed before and deleted; to transcribe it again, repeat the batch with --again"
FAILED_BEFORE = "{reason}; to try it again, repeat the batch with --again"
TOGETHER, IN_FLIGHT = 500, 4
"""Files that are looked up together, and those that are sent at a time."""
READS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class WritersPatience:
    """How long to wait for files that other programs are still writing."""

    at_most_s: float = 60.0
    look_every_s: float = 0.5
    settled_after_s: float = SETTLED_AFTER_S


PATIENCE = WritersPatience()


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """The options that all recordings of a batch share.

    `more` are job options beside model and language.
    """

    owner: str
    model: str
    language: str | None
    actor: str
    token: SecretStr | None = None
    headerless: Headerless | None = None  # what the files are, if they do not say so themselves
    again: bool = False  # retries what failed, and transcribes what was deleted
    more: dict[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()

    @property
    def options(self) -> dict[str, Any]:
        return {"model": self.model, "language": self.language} | self.more

    def of(self, file: BatchFile) -> dict[str, Any]:
        """Return the options of one file."""
        return self.options | file.notes.options


def content_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def idempotency_key(content_sha256: str, options: dict[str, Any]) -> str:
    """Return a key for a file's content and options, so that repeats are recognised."""
    options_json = json.dumps(options, sort_keys=True)
    return hashlib.sha256(f"batch {content_sha256} {options_json}".encode()).hexdigest()


def send_all(
    settings: Settings,
    batch_files: Iterable[BatchFile],
    batch_options: BatchOptions,
    *,
    patience: WritersPatience = PATIENCE,
    index: ContentIndex | None = None,
    stop: Callable[[], bool] = lambda: False,
    together: int = TOGETHER,
) -> Iterator[Outcome]:
    """Upload some files at a time, and yield the outcome of each.

    Content that is known by a file's version is not read again.

    Files that are still being written come last. A file that was changed after it was sent is sent again and replaces
    the part; then its second outcome counts.

    Raises:
        LedgerUnreachable: the web process does not answer.
    """
    settling = Settling(settled_after_s=patience.settled_after_s)
    waiting: list[BatchFile] = []
    files = iter(batch_files)
    with Sender(settings, batch_options, index) as sender:
        while (some := list(islice(files, together))) and not stop():
            ready: list[BatchFile] = []
            for file in some:
                (ready if _is_settled(settling, file) else waiting).append(file)
            yield from sender.send(ready)
        yield from _send_settled(sender, waiting, settling, patience, {}, stop)
        changed = list(sender.sent.changed())
        parts = {file.name: part for file, part in changed}
        yield from _send_settled(sender, [file for file, _ in changed], settling, patience, parts, stop)


def _send_settled(  # noqa: PLR0917 - as one calls it
    sender: "Sender",
    left: list[BatchFile],
    settling: Settling,
    patience: WritersPatience,
    parts: dict[str, str | None],
    stop: Callable[[], bool],
) -> Iterator[Outcome]:
    """Send each file once it is complete; late ones are named."""
    until_s = time.monotonic() + patience.at_most_s
    while left and not stop():
        waiting = []
        for file in left:
            if _is_settled(settling, file):
                yield sender.send_one(file, replaces=parts.get(file.name))
            else:
                waiting.append(file)
        left = waiting
        if left and time.monotonic() >= until_s:
            yield from map(_still_written, left)
            return
        if left:
            time.sleep(patience.look_every_s)


def _is_settled(settling: Settling, file: BatchFile) -> bool:
    try:
        return file.path is None or settling.is_settled(file.path)
    except OSError:
        return True  # sending it says what is wrong with it


def _still_written(file: BatchFile, reason: str = STILL_WRITTEN) -> Outcome:
    return Outcome(name=file.name, became=BatchOutcome.STILL_WRITTEN, reason=reason)


class FileChanged(Exception):
    """A file is another one after it was read."""


class Sender:
    """Sends files, a few at a time.

    `sent` are those whose bytes another program may change later.
    """

    def __init__(self, settings: Settings, batch_options: BatchOptions, index: ContentIndex | None) -> None:
        self._settings, self._options, self._index = settings, batch_options, index
        self._pool = ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="batch")
        self._key_locks = KeyedLocks()
        self.sent = SentFiles()

    def __enter__(self) -> "Sender":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        self.sent.close()

    def send(self, files: Sequence[BatchFile]) -> Iterator[Outcome]:
        """Yield the outcomes of files, first of those that are known by their versions."""
        versions = dict(zip([file.name for file in files], self._pool.map(self._version, files), strict=True))
        known = self._index.contents([(n, v) for n, v in versions.items() if v]) if self._index else {}
        unread, read = [], []
        for file in files:
            content = known.get(file.name)
            if content is None or (content.unreadable and self._options.again):
                unread.append(file)
            elif content.unreadable:
                yield Outcome(name=file.name, became=BatchOutcome.NO_RECORDING, reason=content.unreadable)
            else:
                read.append((file, idempotency_key(content.sha256 or "", self._options.of(file))))
        for (file, key), state in zip(read, self._states([key for _, key in read]), strict=True):
            if state.outcome is None or (self._options.again and state.outcome is not BatchOutcome.KNOWN):
                unread.append(file)
            else:
                yield _of_state(file, key, state, state.outcome)
        yield from self._pool.map(self.send_one, unread)

    def _states(self, keys: list[str]) -> list[KnownState]:
        if not keys:
            return []
        return known_states(self._settings, owner=self._options.owner, keys=keys, token=self._options.token)

    def _version(self, file: BatchFile) -> str | None:
        found = file.version if self._index else None
        return f"{found} {self._options.headerless or ''}" if found else None

    def send_one(self, file: BatchFile, *, replaces: str | None = None) -> Outcome:
        """Read and send a file, unless it is known; a changed one replaces its part."""
        if file.problem:
            return Outcome(name=file.name, became=BatchOutcome.REFUSED, reason=file.problem)
        version = file.listed_version
        for _ in range(READS):
            state = file.state
            with suppress(FileChanged):
                outcome = self._send(file, version, replaces=replaces)
                if file.path and replaces is None:
                    part = outcome.job_id if outcome.became is BatchOutcome.ACCEPTED else None
                    self.sent.add(file, state, part)  # earlier recordings are no parts
                return outcome
            version = None
        return _still_written(file, CHANGED)

    def _send(self, file: BatchFile, version: str | None, *, replaces: str | None) -> Outcome:
        try:
            return self._read_and_sent(file, version or self._looked(file), replaces=replaces)
        except LedgerUnreachable:
            raise
        except RemoteError as error:
            became = BatchOutcome.NO_RECORDING if error.code in NO_RECORDING else BatchOutcome.REFUSED
            return Outcome(name=file.name, became=became, reason=str(error))
        except TranscriberError as error:
            denied = denial_of(error) if isinstance(error, StorageUnreachable) else None
            reason = NOT_READ.format(denied=denied) if denied else str(error)
            return Outcome(name=file.name, became=BatchOutcome.REFUSED, reason=reason)
        except OSError as error:
            reason = f"it cannot be read ({error.strerror or error}); mend that, and repeat the batch"
            return Outcome(name=file.name, became=BatchOutcome.REFUSED, reason=reason)

    def _read_and_sent(self, file: BatchFile, version: str | None, *, replaces: str | None) -> Outcome:
        with self._local(file, version) as original, with_header(original, self._options.headerless) as path:
            content, after = content_of(path), self._looked(file)
            if version and file.path is None and after != version:
                raise FileChanged
            same = version if version == after else None
            try:
                outcome = self._offered(file, path, content, replaces=replaces)
            except RemoteError as error:
                if error.code in NO_RECORDING:
                    self._keep(file, same, unreadable=str(error))
                raise
        self._keep(file, same, sha256=content)
        return outcome

    @contextmanager
    def _local(self, file: BatchFile, version: str | None) -> Iterator[Path]:
        """Provide a file on this machine.

        An object that cannot be read to its end may be another one by now.

        Raises:
            FileChanged: it is.
        """
        with ExitStack() as stack:
            try:
                path = stack.enter_context(file.local())
            except StorageUnreachable as error:
                if version and file.path is None and self._looked(file) != version:
                    raise FileChanged from error
                raise
            yield path

    def _looked(self, file: BatchFile) -> str | None:
        """Return a file's version now; objects are looked at again after they were read."""
        return file.look() if self._index or file.path is None else None

    def _keep(self, file: BatchFile, version: str | None, **found: str) -> None:
        if self._index and version:
            kept = f"{version} {self._options.headerless or ''}"
            self._index.keep([KnownContent(name=file.name, version=kept, **found)])

    def _offered(self, file: BatchFile, path: Path, content: str, *, replaces: str | None) -> Outcome:
        """Send a recording, unless it is known; equal ones wait for each other."""
        given, options = self._options, self._options.of(file)
        whose: dict[str, Any] = {"owner": given.owner, "actor": given.actor, "token": given.token}
        key = idempotency_key(content, options)
        with self._key_locks.of(key):
            known = known_recording(self._settings, key=key, again=given.again, **whose)
            if known.outcome and replaces is None:
                return _of_known(file, key, known.outcome, known.job)
            send = partial(send_file, self._settings, path, options=options, lane="batch", key=key, **whose)
            notes = file.notes
            tags = (*given.tags, *notes.tags)
            sent = send(replaces=replaces, name=notes.title, tags=tags, metadata=notes.metadata)
        if not sent.is_new:  # another batch was quicker
            return _of_known(file, key, BatchOutcome.KNOWN, sent.job)
        return Outcome(name=file.name, became=BatchOutcome.ACCEPTED, job_id=sent.job.id, key=key, state="queued")


def _of_state(file: BatchFile, key: str, known: KnownState, outcome: BatchOutcome) -> Outcome:
    """Return the outcome of a file whose content is known."""
    reason, state = _reason(outcome, known.error), known.state or ""
    return Outcome(name=file.name, became=outcome, job_id=known.job_id, key=key, state=state, reason=reason)


def _of_known(file: BatchFile, key: str, outcome: BatchOutcome, job: Any) -> Outcome:
    """Return the outcome of a file that the web process knows."""
    reason = _reason(outcome, text_of(job.error) if job and outcome is BatchOutcome.FAILED_BEFORE else None)
    state = str(job.state) if hasattr(job, "state") else ""
    return Outcome(name=file.name, became=outcome, job_id=job.id if job else None, key=key, state=state, reason=reason)


def _reason(outcome: BatchOutcome, error: str | None) -> str:
    if outcome is BatchOutcome.DELETED_BEFORE:
        return DELETED_BEFORE
    if outcome is BatchOutcome.FAILED_BEFORE:
        return FAILED_BEFORE.format(reason=error or "it was cancelled")
    return ""
