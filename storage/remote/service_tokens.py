"""The secrets that workers, and the command line beside the ledger, show to the web process."""

import os
import secrets
from pathlib import Path

from pydantic import SecretStr

from storage.settings import Settings


def worker_token(settings: Settings) -> SecretStr:
    """Return the token from the settings, else the one in the data dir, which is made when first asked for."""
    if settings.web.worker_token:
        return settings.web.worker_token
    return _kept(settings.storage.data_dir / "worker-token")


def operator_token(settings: Settings) -> SecretStr:
    """Return the token of who administers; it never leaves the data dir, as the workers' does."""
    return _kept(settings.storage.data_dir / "operator-token")


def _kept(path: Path) -> SecretStr:
    """Return the token in the file, which is made when first asked for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        _make(path)
    return SecretStr(path.read_text(encoding="ascii").strip())


def _make(path: Path) -> None:
    """Write a new token that only this user can read; where two processes do so at once, the first one's stays."""
    part = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(part, path)
        except FileExistsError:
            return
    finally:
        part.unlink()
