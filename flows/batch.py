"""`transcriber batch`: a folder of recordings, sent to the running platform as jobs of the batch lane."""

import hashlib
import json
from pathlib import Path

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from flows.sending import send_file
from storage.errors import BadRequest, RemoteError
from storage.settings import Settings

PART_BYTES = 1 << 20


def recordings_in(source: Path, *, recursive: bool) -> list[Path]:
    """Return the files to send, in the order of their names; hidden ones are left out.

    Raises:
        BadRequest: there are none.
    """
    if source.is_file():
        return [source]
    found = source.rglob("*") if recursive else source.glob("*")
    files = sorted(path for path in found if path.is_file() and not path.name.startswith("."))
    if not files:
        raise BadRequest("SOURCE", f"{source} holds no files{'' if recursive else ' (try --recursive)'}")
    return files


def idempotency_key(path: Path, options: dict[str, str | None]) -> str:
    """Return a key made from a file's bytes and what is asked, so that the same again makes no second job."""
    with path.open("rb") as opened:
        content = hashlib.file_digest(opened, "sha256").hexdigest()
    asked = json.dumps(options, sort_keys=True)
    return hashlib.sha256(f"batch {content} {asked}".encode()).hexdigest()


def send_folder(source: Path, *, model: str, language: str | None, owner: str, recursive: bool) -> int:
    """Send every file and return the exit status: 0 only if each was accepted.

    Raises:
        LedgerUnreachable: the web process does not answer.
    """
    settings = Settings()
    files = recordings_in(source, recursive=recursive)
    options = {"model": model, "language": language}
    refused: list[tuple[Path, str]] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as bars:
        bar = bars.add_task("sending", total=len(files))
        for path in files:
            bars.update(bar, description=path.name[:40])
            try:
                key = idempotency_key(path, options)
                send_file(settings, path, options=dict(options), lane="batch", owner=owner, key=key)
            except RemoteError as error:
                refused.append((path, str(error)))
            bars.advance(bar)
    for path, reason in refused:
        typer.echo(f"{path}: {reason}", err=True)
    accepted = len(files) - len(refused)
    typer.echo(f"{accepted} of {len(files)} accepted; follow them at {settings.web.base_url}")
    return 1 if refused else 0
