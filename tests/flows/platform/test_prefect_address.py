"""Who knows the Prefect server's secret."""

import os
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.platform.prefect_address import (
    AUTHORITIES,
    CLIENT_AUTH,
    SERVER_AUTH,
    PrefectAddress,
    keeps_secret,
    know_secret,
    secret_for_others,
)
from flows.platform.supervisor import environment
from storage.domain.settings import Settings
from storage.remote.service_tokens import prefect_auth


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    for name in (AUTHORITIES, CLIENT_AUTH, SERVER_AUTH, "PREFECT_API_URL", "PREFECT_SERVER_CORS_ALLOWED_ORIGINS"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("TRANSCRIBER_DATA_DIR", str(tmp_path))
    yield Settings()
    os.environ.pop(CLIENT_AUTH, None)


def test_our_server_and_its_clients_share_a_secret_of_this_start(settings: Settings, tmp_path: Path) -> None:
    prefect = PrefectAddress.from_environment()
    env = environment(settings, prefect)

    kept = prefect_auth(settings).get_secret_value()
    assert env[SERVER_AUTH] == env[CLIENT_AUTH] == environment(settings, prefect)[CLIENT_AUTH] != kept
    for secret in (env[SERVER_AUTH], kept):
        assert secret.startswith("transcriber:")
        assert len(secret) > 40
    assert (tmp_path / "prefect-auth").stat().st_mode & 0o777 == 0o600
    assert keeps_secret(prefect)
    assert secret_for_others(settings, prefect) == kept
    assert env["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"].split(",")[0] == "http://127.0.0.1:4200"


@pytest.mark.parametrize("name", [SERVER_AUTH, CLIENT_AUTH])
def test_a_secret_that_is_set_is_used(settings: Settings, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "me:mine")

    env = environment(settings, PrefectAddress.from_environment())

    assert (env[SERVER_AUTH], env[CLIENT_AUTH]) == ("me:mine", "me:mine")
    assert not keeps_secret(PrefectAddress.from_environment())
    assert secret_for_others(settings, PrefectAddress.from_environment()) == "me:mine"


def test_a_server_elsewhere_keeps_its_own_secret(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    prefect_auth(settings)
    monkeypatch.setenv("PREFECT_API_URL", "https://prefect.example/api")
    know_secret(settings)
    assert CLIENT_AUTH not in os.environ

    monkeypatch.setenv(CLIENT_AUTH, "me:mine")
    env = environment(settings, PrefectAddress.from_environment())

    assert env[CLIENT_AUTH] == "me:mine"
    assert SERVER_AUTH not in env


@pytest.mark.parametrize("url", [None, "http://127.0.0.1:4200/api", "http://localhost:4200/api"])
def test_a_worker_on_this_machine_finds_the_secret(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, url: str | None
) -> None:
    if url:
        monkeypatch.setenv("PREFECT_API_URL", url)
    know_secret(settings)
    assert CLIENT_AUTH not in os.environ  # no `up` has made one

    made = prefect_auth(settings).get_secret_value()
    know_secret(settings)

    assert os.environ[CLIENT_AUTH] == made


@pytest.mark.parametrize(
    ("url", "lean"),
    [
        (None, True),
        ("http://localhost:4200/api", True),
        ("https://localhost:4200/api", False),
        ("http://prefect.example.org:4200/api", False),  # it may redirect to HTTPS
    ],
)
def test_clients_read_no_authorities_where_none_is_asked(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, url: str | None, lean: bool
) -> None:
    if url:
        monkeypatch.setenv("PREFECT_API_URL", url)
    know_secret(settings)
    env = environment(settings, PrefectAddress.from_environment())

    assert (AUTHORITIES in env) == (AUTHORITIES in os.environ) == lean
    if lean:
        known = ssl.create_default_context(cafile=env[AUTHORITIES]).get_ca_certs()
        assert len(known) == 1
        assert "signs nothing" in str(known)


def test_authorities_of_the_users_own_stay(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(AUTHORITIES, "/etc/company.pem")
    know_secret(settings)

    assert os.environ[AUTHORITIES] == "/etc/company.pem"
    assert environment(settings, PrefectAddress.from_environment())[AUTHORITIES] == "/etc/company.pem"


def test_prefect_is_imported_with_the_place_of_its_pages_where_its_package_is_read_only(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PREFECT_HOME", raising=False)
    monkeypatch.delenv("PREFECT_SERVER_UI_STATIC_DIRECTORY", raising=False)
    monkeypatch.setattr("os.access", lambda *_: False)
    env = environment(settings, PrefectAddress.from_environment())
    assert env["PREFECT_SERVER_UI_STATIC_DIRECTORY"] == str(tmp_path / "prefect" / "ui")
