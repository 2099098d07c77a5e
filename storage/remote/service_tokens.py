"""The secrets that our processes present to the web process and to the Prefect server."""

import hmac
import os
import secrets
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from pydantic import SecretStr

from storage.domain.clock import utc_now
from storage.domain.settings import Settings

PREVIOUS = "previous-"


class ServiceSecret(StrEnum):
    """A secret that we made ourselves; the value is its file's name."""

    WORKER = "worker-token"
    OPERATOR = "operator-token"
    PREFECT = "prefect-auth"

    @property
    def prefix(self) -> str:
        return "transcriber:" if self is ServiceSecret.PREFECT else ""


class RotatingSecret:
    """A secret that may be rotated while this process runs.

    The files are read again when they change. Without `path` the secret is the administrator's own, and fixed.
    """

    def __init__(self, path: Path | None, fixed: SecretStr | None = None, *, prefix: str = "") -> None:
        self._path, self._fixed, self._prefix = path, fixed, prefix
        self._seen: dict[Path, tuple[tuple[int, int], list[str]]] = {}

    def current(self) -> SecretStr:
        """Return the secret to present, creating it if necessary."""
        if self._path is None:
            return self._fixed or SecretStr("")
        if not self._lines(self._path):
            kept(self._path, prefix=self._prefix)
        return SecretStr(self._lines(self._path)[0])

    def holds(self, given: str) -> bool:
        """Return whether this is the secret, or the one before while that still holds."""
        right = hmac.compare_digest(given.encode(), self.current().get_secret_value().encode())
        if self._path is None or right:
            return right and bool(given)
        before = self._lines(self._path.with_name(PREVIOUS + self._path.name))
        return (
            len(before) == 2
            and hmac.compare_digest(given.encode(), before[0].encode())
            and utc_now() < datetime.fromisoformat(before[1])
        )

    def _lines(self, path: Path) -> list[str]:
        try:
            stat = path.stat()
            mark = (stat.st_mtime_ns, stat.st_ino)
            if path not in self._seen or self._seen[path][0] != mark:
                self._seen[path] = (mark, path.read_text(encoding="ascii").split())
            return self._seen[path][1]
        except FileNotFoundError:
            return []


def worker_secret(settings: Settings) -> RotatingSecret:
    """Return the secret of workers, as the web process accepts it."""
    if settings.web.worker_token:
        return RotatingSecret(None, settings.web.worker_token)
    return RotatingSecret(path_of(settings, ServiceSecret.WORKER))


def operator_secret(settings: Settings) -> RotatingSecret:
    """Return the secret of the command line, as the web process accepts it."""
    return RotatingSecret(path_of(settings, ServiceSecret.OPERATOR))


def prefect_secret(settings: Settings) -> RotatingSecret:
    """Return the auth string of our Prefect server, as its door accepts it."""
    secret = ServiceSecret.PREFECT
    return RotatingSecret(path_of(settings, secret), prefix=secret.prefix)


def path_of(settings: Settings, secret: ServiceSecret) -> Path:
    return settings.storage.data_dir / secret.value


def replace(settings: Settings, secret: ServiceSecret, *, until: datetime) -> None:
    """Replace the secret by a new one; the present one holds until then as well.

    The one before that, if it still held, ends now.
    """
    path = path_of(settings, secret)
    present = kept(path, prefix=secret.prefix).get_secret_value()
    _write(path.with_name(PREVIOUS + path.name), f"{present}\n{until.isoformat()}\n")
    _write(path, f"{secret.prefix}{secrets.token_urlsafe(32)}\n")


def worker_token(settings: Settings) -> SecretStr:
    """Return the worker token of the settings or the data dir, creating it if necessary."""
    return worker_secret(settings).current()


def operator_token(settings: Settings) -> SecretStr:
    """Return the administrator's token; unlike the workers', it never leaves the data dir."""
    return operator_secret(settings).current()


def strongest_token(settings: Settings) -> SecretStr:
    """Return the administrator's token on the web process's machine, else the worker token."""
    path = path_of(settings, ServiceSecret.OPERATOR)
    return operator_token(settings) if path.exists() else worker_token(settings)


def prefect_auth(settings: Settings) -> SecretStr:
    """Return the auth string (`user:password`) of our Prefect server, creating it if necessary."""
    return prefect_secret(settings).current()


def kept_prefect_auth(settings: Settings) -> SecretStr | None:
    """Return the auth string of our Prefect server; None if this data dir has none."""
    return prefect_auth(settings) if path_of(settings, ServiceSecret.PREFECT).exists() else None


def kept(path: Path, *, prefix: str = "") -> SecretStr:
    """Return the token in the file, creating it if necessary."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        _make(path, prefix)
    return SecretStr(path.read_text(encoding="ascii").strip())


def _make(path: Path, prefix: str) -> None:
    """Write a new token for this user only; the first of two processes wins."""
    part = _part_of(path, f"{prefix}{secrets.token_urlsafe(32)}\n")
    try:
        os.link(part, path)
    except FileExistsError:
        return
    finally:
        part.unlink()


def _write(path: Path, text: str) -> None:
    """Replace a file at once, for this user only."""
    _part_of(path, text).replace(path)


def _part_of(path: Path, text: str) -> Path:
    part = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return part
