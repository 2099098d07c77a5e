"""The real app in this process, with settings and users of the test."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

os.environ["PREFECT_API_URL"] = "http://127.0.0.1:9/api"  # nobody answers: Prefect is away unless a test starts one

from httpx2 import Response
from pydantic import SecretStr
from starlette.testclient import TestClient
from streamlit import config
from streamlit.components.v2 import manifest_scanner
from streamlit.runtime import Runtime

from dashboards.app import build
from dashboards.http.access_middleware import COOKIE
from dashboards.runtime import context
from dashboards.runtime.limits import Limits
from storage.accounts import api_keys, sessions, users
from storage.domain.clock import utc_now
from storage.domain.rate_classes import RateClass
from storage.domain.records import KeyGrant, Role, User
from storage.domain.settings import EngineSettings, RateLimitSettings, Settings, StorageSettings, WebSettings
from storage.ledger.database import Ledger
from storage.remote.service_tokens import operator_token

FOUND = cache(manifest_scanner.scan_component_manifests)
TOKEN = "the-token-of-the-workers"
PASSWORD = "correct horse battery"
PEOPLE: dict[str, tuple[Role, bool]] = {
    "ada": (Role.MEMBER, False),
    "bob": (Role.MEMBER, False),
    "root": (Role.ADMIN, False),
    "rex": (Role.READER, False),
    "new": (Role.MEMBER, True),
}
UNLIMITED: dict[str, Any] = {f"rate_limit_{kind}": "off" for kind in RateClass}
"""Tests send more from one address than people; `test_rate_limits.py` has the defaults."""
ORIGIN = {"Origin": "http://testserver", "Accept": "application/json"}


def make_settings(folder: Path, **web: Any) -> Settings:
    """Settings that come from nowhere but the arguments."""
    settings = Settings()
    known = {"worker_token": SecretStr(TOKEN), "admin_password": SecretStr("first password")} | web
    settings.__dict__["storage"] = StorageSettings(data_dir=folder / "data", _env_file=None)
    settings.__dict__["web"] = WebSettings(**known, _env_file=None)
    settings.__dict__["rates"] = RateLimitSettings(**UNLIMITED, _env_file=None)
    settings.__dict__["engine"] = EngineSettings(_env_file=None)
    return settings


@dataclass(slots=True, kw_only=True)
class Site:
    """A running app, and ways to be somebody on it."""

    client: TestClient
    settings: Settings
    token: str = TOKEN

    @property
    def worker(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {TOKEN}"}

    @property
    def operator(self) -> dict[str, str]:
        """The header of the command line on this machine."""
        return {"Authorization": f"Bearer {operator_token(self.settings).get_secret_value()}"}

    def user(self, name: str = "ada") -> User:
        """Return one of PEOPLE."""
        with context.ledger().read() as con:
            user = users.by_name(con, name)
        assert user is not None
        return user

    def key_of(self, user: User, **granted: Any) -> dict[str, str]:
        """Make an API key, without limits unless some are given, and return the header that shows it."""
        by: dict[str, Any] = {"name": "test", "actor": "system:test"}
        secret, _ = context.ledger().run(api_keys.create, user_id=user.id, grant=KeyGrant(**granted), **by)
        return {"Authorization": f"Bearer {secret}"}

    def sign_in(self, name: str = "ada") -> str:
        """Give the client the cookie of a new session, and return the session's id."""
        user = self.user(name)
        token, session = context.ledger().run(sessions.start, user, client="test", now=utc_now(), max_days=1)
        self.client.cookies.set(COOKIE, token, domain="testserver.local")
        return session.id

    def log_in(self, name: str, password: str = PASSWORD) -> Response:
        """Send the log-in form as the page does."""
        return self.client.post("/auth/session", data={"name": name, "password": password}, headers=ORIGIN)


def seed(path: Path) -> None:
    """Make a ledger with PEOPLE in it; one hash for all, since hashing takes a while."""
    with Ledger.open(path) as ledger, ledger.write() as con:
        for name, (role, must_change) in PEOPLE.items():
            users.create(con, name=name, password=PASSWORD, role=role, must_change=must_change, actor="system:test")


@contextmanager
def one_runtime() -> Iterator[None]:
    """Let Streamlit start anew: one runtime at a time, and one search of all installed packages for components.

    An AppTest before has read the configuration of another folder; the app looks for its own once more.
    """
    Runtime._instance = None
    config._config_options = None
    with patch.object(manifest_scanner, "scan_component_manifests", FOUND):
        yield
    Runtime._instance = None


@contextmanager
def running(settings: Settings, limits: Limits | None = None, *, peer: str = "testclient") -> Iterator[Site]:
    """Run the app in this process; `peer` is the address that connections come from."""
    with one_runtime(), TestClient(build(settings, limits=limits), client=(peer, 50_000)) as client:
        yield Site(client=client, settings=settings)
