"""The tokens: from the settings, or made once with care."""

import threading
from pathlib import Path

import pytest

from storage.settings import Settings
from storage.tokens import operator_token, worker_token


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
