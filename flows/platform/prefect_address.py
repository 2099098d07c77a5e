"""The Prefect server's address and secret, for our processes and for `doctor`."""

import os
import secrets
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from storage.domain.settings import Settings
from storage.remote.service_tokens import ServiceSecret, kept_prefect_auth, prefect_auth

SERVER_AUTH, CLIENT_AUTH = "PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING"
AUTHORITIES = "PREFECT_API_SSL_CERT_FILE"
NO_AUTHORITY = Path(__file__).with_name("signs_nothing.pem")
NO_QUESTIONS = {"PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED": "false"}
"""For clients that start while their server may still be starting."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")
EVERYWHERE = {"0.0.0.0", "::", ""}  # noqa: S104 - these are recognised, not listened on


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefectAddress:
    """The address of the Prefect server, and whether we start it."""

    host: str
    port: int
    api_url: str
    ours: bool

    @classmethod
    def from_environment(cls) -> "PrefectAddress":
        """Read Prefect's own settings: a PREFECT_API_URL names a server run by somebody else."""
        host = os.environ.get("PREFECT_SERVER_API_HOST", "127.0.0.1")
        port = int(os.environ.get("PREFECT_SERVER_API_PORT", "4200"))
        given = os.environ.get("PREFECT_API_URL")
        reached = "127.0.0.1" if host in EVERYWHERE else host
        return cls(host=host, port=port, api_url=given or f"http://{reached}:{port}/api", ours=given is None)

    @property
    def local(self) -> bool:
        """Whether the server is on this machine, as far as its address tells."""
        return self.ours or urlsplit(self.api_url).hostname in LOOPBACK

    @property
    def origins(self) -> list[str]:
        """The origins under which a browser on this machine reaches our server."""
        names = [name if ":" not in name else f"[{name}]" for name in LOOPBACK]
        names += [self.host] * (self.host not in {*LOOPBACK, *EVERYWHERE})
        return [f"http://{name}:{self.port}" for name in names]


def lean_tls(prefect: PrefectAddress) -> dict[str, str]:
    """Return the variable that gives Prefect's clients one certificate that vouches for nobody.

    On this machine, over plain HTTP, no certificate is checked, yet each client reads all authorities first: 20 ms,
    twice for each span. A server elsewhere may redirect to HTTPS.
    """
    plain = prefect.local and urlsplit(prefect.api_url).scheme == "http"
    return {AUTHORITIES: str(NO_AUTHORITY)} if plain else {}


def secrets_of(settings: Settings, prefect: PrefectAddress) -> dict[str, str]:
    """Return the variables with our server's secret. A given secret is kept.

    Prefect reads a secret once, when a process starts. So the processes of one `up` share one that is nowhere else and
    ends with them; everybody else presents that of the data dir, which can be rotated meanwhile.
    """
    if not prefect.ours:
        return {}
    prefect_auth(settings)  # made now, so that others on this machine find it
    secret = _given() or _secret_of_this_start()
    return {SERVER_AUTH: secret, CLIENT_AUTH: secret}


def secret_for_others(settings: Settings, prefect: PrefectAddress) -> str | None:
    """Return what processes that `up` does not start have to present to the server."""
    if not prefect.ours:
        return os.environ.get(CLIENT_AUTH)
    return _given() or prefect_auth(settings).get_secret_value()


def keeps_secret(prefect: PrefectAddress) -> bool:
    """Return whether our server's secret is in the data dir, where it can be rotated."""
    return prefect.ours and _given() is None


def _given() -> str | None:
    return os.environ.get(SERVER_AUTH) or os.environ.get(CLIENT_AUTH) or None


@cache
def _secret_of_this_start() -> str:
    return f"{ServiceSecret.PREFECT.prefix}{secrets.token_urlsafe(32)}"


def know_secret(settings: Settings) -> None:
    """Give this process the secret of the `up` on this machine, unless it has one.

    Call it before Prefect is imported. A server elsewhere is not sent our secret.
    """
    prefect, kept = PrefectAddress.from_environment(), kept_prefect_auth(settings)
    if kept and not os.environ.get(CLIENT_AUTH) and prefect.local:
        os.environ[CLIENT_AUTH] = kept.get_secret_value()
    for name, value in lean_tls(prefect).items():
        os.environ.setdefault(name, value)
