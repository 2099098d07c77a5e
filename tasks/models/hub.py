"""Download models from a hub with the Hugging Face HTTP API, or from a mirror.

See https://huggingface.co/docs/hub/api. Files come from one revision, downloads resume after an interruption and are
verified against the hub's SHA-256, and a model appears in the models folder all at once. A file lock lets one download
serve every process of the machine.
"""

import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from storage.domain import retries
from storage.domain.errors import ModelMissing
from tasks.models.catalogue import CATALOGUE, FROM_HUB_BY_DEFAULT, HUB_PATIENCE_S, InstalledModel, find
from tasks.models.downloads import OnDownload, alone, disk_shortage, put_in_place

logger = logging.getLogger(__name__)

WANTED = ("model.bin", "config.json", "tokenizer.json", "preprocessor_config.json", "vocabulary.json", "vocabulary.txt")
READ_PATIENCE_S = 30.0
TRIES = 4
OnBytes = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFile:
    """A file at one revision; `sha256` is set for large files, `git_sha1` for all."""

    name: str
    bytes: int
    sha256: str | None
    git_sha1: str | None


def fetch(name: str, model_dir: Path, hub_url: str, on_download: OnDownload | None = None) -> InstalledModel:
    """Return the catalogue model `name`, downloaded into `model_dir` unless it is there.

    A second caller, in this or another process, waits for the first one's download. An interrupted download is resumed.

    Raises:
        ModelMissing: not in the catalogue, the hub does not answer, or its data is damaged.
    """
    if name not in CATALOGUE:
        raise ModelMissing(name, "not in the catalogue")
    with alone(name, model_dir) as incoming:
        installed = find(name, model_dir)
        if installed is None:
            _download(name, model_dir, incoming, hub_url.rstrip("/"), on_download)
            installed = find(name, model_dir)
    if installed is None:
        raise ModelMissing(name, f"{hub_url} offers it without all of its parts")
    return installed


def probe(hub_url: str, name: str = FROM_HUB_BY_DEFAULT, *, patience_s: float = HUB_PATIENCE_S) -> None:
    """Check that the hub answers for a model, within `patience_s` in total.

    Raises:
        ModelMissing: it does not.
    """
    import threading

    failure: list[str] = []

    def ask() -> None:
        try:
            with _client(patience_s) as client:
                client.head(f"{hub_url.rstrip('/')}/api/models/{CATALOGUE[name].repo}").raise_for_status()
        except _http_errors() as error:
            failure.append(str(error) or type(error).__name__)

    # A client's timeouts do not cover a name server that does not answer, so the wait is bounded here.
    asking = threading.Thread(target=ask, daemon=True, name="hub-probe")
    asking.start()
    asking.join(patience_s)
    if asking.is_alive():
        failure.append(f"no answer within {patience_s:g} s")
    if failure:
        raise ModelMissing(name, f"the hub {hub_url} did not answer: {failure[0]}")


def _download(name: str, model_dir: Path, incoming: Path, hub_url: str, on_download: OnDownload | None) -> None:
    repo = CATALOGUE[name].repo
    try:
        with _client(READ_PATIENCE_S) as client:
            revision, files = _listing(client, hub_url, repo)
            folder = incoming / f"{name}-{revision[:12]}"
            folder.mkdir(exist_ok=True)
            _check_room(name, folder, files)
            total, done = sum(part.bytes for part in files), 0
            for part in files:
                url = f"{hub_url}/{repo}/resolve/{revision}/{part.name}"
                _fetch_file(client, url, part, folder, partial(_say, on_download, name, done, total))
                done += part.bytes
    except _http_errors() as error:
        raise ModelMissing(name, f"the hub {hub_url} broke off: {error or type(error).__name__}") from error
    except _Damaged as error:
        raise ModelMissing(name, f"{error}; nothing of it was kept") from error
    put_in_place(folder, model_dir / name)  # replaces an incomplete one at most, or `find` would have found it
    logger.info("fetched model %s", name, extra={"action": "model.fetch", "bytes": total})


def _say(on_download: OnDownload | None, name: str, done: int, total: int, here_bytes: int) -> None:
    if on_download is not None:
        on_download(name, done + here_bytes, total)


def _listing(client: Any, hub_url: str, repo: str) -> tuple[str, list[HubFile]]:
    """Return the newest revision and its files that the engine needs."""
    answer = client.get(f"{hub_url}/api/models/{repo}", params={"blobs": "true"})
    answer.raise_for_status()
    listing = answer.json()
    files = [
        HubFile(
            name=row["rfilename"],
            bytes=int(row.get("size") or 0),
            sha256=(row.get("lfs") or {}).get("sha256"),
            git_sha1=row.get("blobId"),
        )
        for row in listing["siblings"]
        if row["rfilename"] in WANTED
    ]
    return str(listing["sha"]), files


def _fetch_file(client: Any, url: str, part: HubFile, folder: Path, on_bytes: OnBytes) -> None:
    """Download one file, resuming an earlier attempt; reports the bytes so far to `on_bytes`."""
    target = folder / part.name
    if target.exists():
        on_bytes(part.bytes)
        return
    unfinished = folder / f"{part.name}.part"
    retries.call(
        lambda: _append(client, url, part, unfinished, on_bytes),
        may_pass=lambda error: isinstance(error, _http_errors()),
        pauses_s=(0.0,) * (TRIES - 1),
    )
    if not _intact(unfinished, part):
        unfinished.unlink()
        raise _Damaged(part.name)
    unfinished.rename(target)


def _append(client: Any, url: str, part: HubFile, unfinished: Path, on_bytes: OnBytes) -> None:
    here = unfinished.stat().st_size if unfinished.exists() else 0
    if here and here == part.bytes:
        on_bytes(here)
        return
    headers = {"Range": f"bytes={here}-"} if here else {}
    with client.stream("GET", url, headers=headers) as answer:
        if answer.status_code == 416:  # the local part is longer than the file: start again
            unfinished.unlink(missing_ok=True)
        answer.raise_for_status()
        resumed = answer.status_code == 206
        here = here if resumed else 0
        with unfinished.open("ab" if resumed else "wb") as out:
            for (
                chunk
            ) in answer.iter_raw():  # unbuffered: a chunk that is not yet full would be lost with the connection
                out.write(chunk)
                here += len(chunk)
                on_bytes(here)
            out.flush()
            os.fsync(out.fileno())


def _intact(unfinished: Path, part: HubFile) -> bool:
    if part.bytes and unfinished.stat().st_size != part.bytes:
        return False
    with unfinished.open("rb") as opened:
        if part.sha256:
            return hashlib.file_digest(opened, "sha256").hexdigest() == part.sha256
        if part.git_sha1:  # git's name for a blob; no protection against malice, which TLS provides
            content = opened.read()
            return (
                hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest() == part.git_sha1
            )
    return True


def _check_room(name: str, folder: Path, files: list[HubFile]) -> None:
    needed = sum(part.bytes for part in files) - sum(path.stat().st_size for path in folder.iterdir())
    if (shortage := disk_shortage(folder, needed)) is not None:
        raise ModelMissing(name, shortage)


@contextmanager
def _client(patience_s: float) -> Iterator[Any]:
    import httpx

    token = os.environ.get("HF_TOKEN")
    headers = {"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {token}"} if token else {})
    timeout = httpx.Timeout(patience_s, connect=HUB_PATIENCE_S)
    with httpx.Client(timeout=timeout, headers=headers, follow_redirects=True) as client:
        yield client


def _http_errors() -> tuple[type[Exception], ...]:
    import httpx

    return (httpx.HTTPError, OSError, ValueError, KeyError)


class _Damaged(Exception):
    """The downloaded data does not match the hub's checksum."""

    def __str__(self) -> str:
        return f"{self.args[0]} does not have the checksum that the hub names"
