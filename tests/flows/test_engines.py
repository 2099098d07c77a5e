"""Engines that are lent, shared and let go of, with the real demo model."""

from pathlib import Path

import pytest

from flows.engines import Engines
from storage.errors import ModelMissing
from storage.settings import Settings
from tasks import models


@pytest.fixture
def fingerprint() -> str:
    carried = models.demo()
    assert carried is not None
    return carried.fingerprint


@pytest.fixture
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engines:
    monkeypatch.setenv("TRANSCRIBER_DATA_DIR", str(tmp_path))
    return Engines(Settings(), device="cpu")


def test_two_borrowers_share_one_engine(engines: Engines, fingerprint: str) -> None:
    with engines.borrow("demo", fingerprint) as first, engines.borrow("demo", fingerprint) as second:
        assert first is second


def test_another_model_of_the_same_name_is_refused(engines: Engines) -> None:
    with pytest.raises(ModelMissing, match="the job wants 0123"), engines.borrow("demo", "0123"):
        pass


def test_an_idle_engine_is_let_go_and_one_in_use_is_not(engines: Engines, fingerprint: str) -> None:
    with engines.borrow("demo", fingerprint) as first:
        engines.unload_idle(now=float("inf"))
        with engines.borrow("demo", fingerprint) as still:
            assert still is first
    engines.unload_idle(now=float("inf"))
    with engines.borrow("demo", fingerprint) as after:
        assert after is not first


def test_the_default_model_stays(engines: Engines, fingerprint: str) -> None:
    engines.warm("demo")
    with engines.borrow("demo", fingerprint) as first:
        pass
    engines.unload_idle(now=float("inf"))
    with engines.borrow("demo", fingerprint) as after:
        assert after is first


def test_a_run_whose_process_died_is_heard_with_less(engines: Engines, fingerprint: str) -> None:
    with engines.borrow("demo", fingerprint) as engine:
        before = engine.plan.batch_size
    with engines.borrow("demo", fingerprint, deaths=1) as engine:
        assert engine.plan.batch_size == before // 2
        assert len(engine.given_up) == 1
