"""Service tokens: from the settings, or created safely."""

import shutil
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from storage.domain.clock import utc_now
from storage.domain.errors import BadRequest
from storage.domain.settings import Settings
from storage.files import privacy
from storage.ledger import audit
from storage.ledger.database import Ledger
from storage.remote import secret_rotation
from storage.remote.service_tokens import (
    RotatingSecret,
    ServiceSecret,
    operator_token,
    path_of,
    replace,
    worker_token,
)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("TRANSCRIBER_DATA_DIR", str(tmp_path / "data"))
    return Settings()


def test_the_token_is_made_once_and_for_this_user_alone(settings: Settings) -> None:
    token = worker_token(settings).get_secret_value()
    assert len(token) > 30
    assert worker_token(settings).get_secret_value() == token
    (kept,) = settings.storage.data_dir.iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600


def test_who_administers_has_another_token_kept_as_well(settings: Settings) -> None:
    token = operator_token(settings).get_secret_value()
    assert token not in {worker_token(settings).get_secret_value(), ""}
    assert operator_token(settings).get_secret_value() == token
    assert (settings.storage.data_dir / "operator-token").stat().st_mode & 0o777 == 0o600


def test_a_token_from_the_settings_comes_first(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSCRIBER_WORKER_TOKEN", "mine")
    assert worker_token(settings).get_secret_value() == "mine"


def test_two_that_ask_at_once_get_the_same(settings: Settings) -> None:
    tokens: list[str] = []
    threads = [
        threading.Thread(target=lambda: tokens.append(worker_token(settings).get_secret_value())) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tokens) == 5
    assert len(set(tokens)) == 1


@pytest.fixture
def ledger(tmp_path: Path, empty_ledger: Path) -> Iterator[Ledger]:
    shutil.copyfile(empty_ledger, tmp_path / "ledger.duckdb")
    with Ledger.open(tmp_path / "ledger.duckdb") as opened:
        yield opened


@pytest.mark.parametrize("secret", ServiceSecret)
def test_after_a_rotation_both_secrets_hold_for_the_overlap(
    settings: Settings, ledger: Ledger, secret: ServiceSecret
) -> None:
    accepted = RotatingSecret(path_of(settings, secret), prefix=secret.prefix)
    before = accepted.current().get_secret_value()
    done = ledger.run(secret_rotation.rotate, settings, secret.value, overlap_hours=2, actor="cli:me")
    now = accepted.current().get_secret_value()
    assert now != before
    assert now.startswith(secret.prefix)
    assert [accepted.holds(each) for each in (before, now, "", "x", now + "x")] == [True, True, False, False, False]
    assert timedelta(hours=1.9) < done.until - utc_now() <= timedelta(hours=2)
    replace(settings, secret, until=utc_now())
    assert [accepted.holds(each) for each in (before, now)] == [False, False]
    assert {path.stat().st_mode & 0o777 for path in settings.storage.data_dir.iterdir()} == {0o600}
    assert set(privacy.OURS) & {"*-token", "*prefect-auth"} == {"*-token", "*prefect-auth"}
    with ledger.read() as con:
        (row,) = audit.page(con)
    assert (row.action, row.subject, row.actor) == ("secret.rotate", secret.value, "cli:me")
    assert now not in str(row)


@pytest.mark.parametrize(
    ("name", "overlap_hours", "told"),
    [
        ("oidc-client-secret", 1, "TRANSCRIBER_OIDC_CLIENT_SECRET"),
        ("smtp-password", 1, "TRANSCRIBER_SMTP_PASSWORD"),
        ("no-such-secret", 1, "worker-token, operator-token, prefect-auth"),
        ("prefect-auth", 1, "does not exist"),
        ("worker-token", -1, "hours"),
        ("worker-token", float("nan"), "hours"),
    ],
)
def test_what_cannot_be_rotated_is_refused_with_the_next_step(
    settings: Settings, ledger: Ledger, name: str, overlap_hours: float, told: str
) -> None:
    token = worker_token(settings)
    with pytest.raises(BadRequest, match=told):
        ledger.run(secret_rotation.rotate, settings, name, overlap_hours=overlap_hours, actor="cli:me")
    assert worker_token(settings) == token
    with ledger.read() as con:
        assert audit.page(con) == []


def test_a_token_of_the_settings_is_the_administrators(
    settings: Settings, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSCRIBER_WORKER_TOKEN", "mine")
    with pytest.raises(BadRequest, match="Machines"):
        ledger.run(secret_rotation.rotate, settings, "worker-token", actor="cli:me")
