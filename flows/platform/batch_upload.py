"""`transcriber batch` and the flow `ingest-batch`: many recordings, sent to the platform as jobs of the batch lane."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from flows.actor import operator
from flows.sending import send_file
from storage.errors import (
    AudioUnreadable,
    BadRequest,
    EmptyUpload,
    LedgerUnreachable,
    NoAudioTrack,
    NotStored,
    RemoteError,
    StorageUnreachable,
    TranscriberError,
)
from storage.settings import Settings, StorageSettings

NO_RECORDING = {each.code for each in (AudioUnreadable, NoAudioTrack, EmptyUpload)}
"""Answers that say that a file is no recording; any other refusal says that something is wrong with what was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A file to send, and the way to have it on this machine for a while."""

    name: str
    local: Callable[[], AbstractContextManager[Path]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked for each of the recordings."""

    owner: str
    model: str
    language: str | None
    actor: str

    @property
    def options(self) -> dict[str, str | None]:
        return {"model": self.model, "language": self.language}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one file: a job, or the reason why it is none."""

    name: str
    job_id: str | None = None
    reason: str = ""
    is_recording: bool = True

    @property
    def refused(self) -> bool:
        return self.job_id is None and self.is_recording


def recordings_in(source: str, storage: StorageSettings, *, recursive: bool) -> list[Found]:
    """Return the files of a folder or of an `s3://bucket/prefix`, by name; hidden ones are left out.

    Raises:
        BadRequest: it does not exist, or there are none.
        StorageUnreachable: the bucket's service does not answer.
    """
    in_bucket = source.startswith("s3://")
    files = _objects(source, storage, recursive=recursive) if in_bucket else _files(source, recursive=recursive)
    if not files:
        hint = "" if recursive else " (try recursive)"
        raise BadRequest("SOURCE", f"{source} {'does not exist or ' if in_bucket else ''}holds no files{hint}")
    return files


def _files(source: str, *, recursive: bool) -> list[Found]:
    path = Path(source)
    if not source or not path.exists():
        raise BadRequest("SOURCE", f"{source!r} does not exist; name a folder, a file or s3://bucket/prefix")
    if path.is_file():
        return [Found(name=source, local=partial(_as_it_is, path))]
    found = path.rglob("*") if recursive else path.glob("*")
    files = sorted(each for each in found if each.is_file() and not each.name.startswith("."))
    return [Found(name=str(each), local=partial(_as_it_is, each)) for each in files]


def _as_it_is(path: Path) -> AbstractContextManager[Path]:
    return nullcontext(path)


def _objects(source: str, storage: StorageSettings, *, recursive: bool) -> list[Found]:
    from storage.bucket import Bucket

    url = source.rstrip("/")
    if not url.removeprefix("s3:"):
        raise BadRequest("SOURCE", f"{source} names no bucket")
    parent, _, last = url.rpartition("/")
    try:
        if parent != "s3:/" and (above := Bucket(parent, storage.storage_endpoint_url)).size(last) is not None:
            return [Found(name=url, local=partial(above.local, last))]
        bucket = Bucket(url, storage.storage_endpoint_url)
        listed = (name for name in bucket.list("") if name != url.removeprefix("s3://"))  # a folder's own marker
        names = [name for name in listed if _is_wanted(name, recursive=recursive)]
    except NotStored:
        return []
    except StorageUnreachable as error:
        raise StorageUnreachable(source, error.reason) from error
    return [Found(name=f"{url}/{name}", local=partial(bucket.local, name)) for name in names]


def _is_wanted(name: str, *, recursive: bool) -> bool:
    last = name.rsplit("/", 1)[-1]
    return bool(last) and not last.startswith(".") and (recursive or "/" not in name)


def idempotency_key(path: Path, options: dict[str, str | None]) -> str:
    """Return a key made from a file's bytes and what is asked, so that the same again makes no second job."""
    with path.open("rb") as opened:
        content = hashlib.file_digest(opened, "sha256").hexdigest()
    asked = json.dumps(options, sort_keys=True)
    return hashlib.sha256(f"batch {content} {asked}".encode()).hexdigest()


def send_all(settings: Settings, found: Iterable[Found], asked: Asked) -> Iterator[Outcome]:
    """Send one file after the other and say what became of each.

    Raises:
        LedgerUnreachable: the web process does not answer.
    """
    for each in found:
        try:
            with each.local() as path:
                key, options = idempotency_key(path, asked.options), dict(asked.options)
                more = {"lane": "batch", "owner": asked.owner, "actor": asked.actor}
                job = send_file(settings, path, options=options, key=key, **more)
            yield Outcome(name=each.name, job_id=job.id)
        except LedgerUnreachable:
            raise
        except RemoteError as error:
            yield Outcome(name=each.name, reason=str(error), is_recording=error.code not in NO_RECORDING)
        except (TranscriberError, OSError) as error:
            yield Outcome(name=each.name, reason=str(error))


def summary(outcomes: Sequence[Outcome], total: int) -> str:
    """Return one line about what became of `total` files, of which some may not have been sent yet."""
    accepted = sum(each.job_id is not None for each in outcomes)
    refused = sum(each.refused for each in outcomes)
    parts = [f"{accepted} of {total} accepted"]
    parts += [f"{len(outcomes) - accepted - refused} skipped, being no recordings"] * (
        accepted + refused < len(outcomes)
    )
    parts += [f"{refused} refused"] * bool(refused)
    parts += [f"{total - len(outcomes)} not sent"] * (len(outcomes) < total)
    return ", ".join(parts)


def send_folder(source: str, *, model: str, language: str | None, owner: str, recursive: bool) -> int:
    """Send every file with a progress bar and return the exit status: 0 only if each recording was accepted.

    Raises:
        BadRequest: there is nothing to send.
        LedgerUnreachable: the web process does not answer; what was done until then has been printed.
    """
    settings = Settings()
    found = recordings_in(source, settings.storage, recursive=recursive)
    asked = Asked(owner=owner, model=model, language=language, actor=operator())
    outcomes: list[Outcome] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns) as bars:
            bar = bars.add_task("sending", total=len(found))
            for outcome in send_all(settings, found, asked):
                outcomes.append(outcome)
                bars.update(bar, advance=1, description=outcome.name.rsplit("/", 1)[-1][:40])
    finally:
        for each in outcomes:
            if each.job_id is None:
                typer.echo(f"{each.name}: {'' if each.refused else 'skipped: '}{each.reason}", err=True)
        typer.echo(f"{summary(outcomes, len(found))}; follow them at {settings.web.base_url}")
    return 1 if any(each.refused for each in outcomes) else 0
