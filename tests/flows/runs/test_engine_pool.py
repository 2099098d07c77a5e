"""Engines that are lent, shared and let go of, with the real tiny model."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from flows.runs.engine_pool import EnginePool
from storage.domain.errors import ModelInUse, ModelMissing
from storage.domain.job_messages import encode
from storage.domain.settings import EngineSettings, Settings
from storage.domain.transcript_notes import SmallerWeights, SteppedDown
from tasks.asr.engine import Engine
from tasks.models import catalogue
from tasks.models.catalogue import Resolved
from tests.conftest import TINY_MODEL
from tests.tasks.asr.loudness_engine import LoudnessEngine, write_model

TINY = str(TINY_MODEL)


@pytest.fixture
def fingerprint() -> str:
    return catalogue.fingerprint(TINY_MODEL)


class Clock:
    """Minutes that pass when a test says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    def pass_minutes(self, minutes: float) -> None:
        self.now_s += 60 * minutes


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> EnginePool:
    monkeypatch.setenv("TRANSCRIBER_DATA_DIR", str(tmp_path))
    return EnginePool(Settings(), device="cpu", clock=clock)


def test_two_borrowers_share_one_engine(engines: EnginePool, fingerprint: str) -> None:
    with engines.borrow(TINY, fingerprint) as first, engines.borrow(TINY, fingerprint) as second:
        assert first is second


def test_another_model_of_the_same_name_is_refused(engines: EnginePool) -> None:
    with pytest.raises(ModelMissing, match="the job wants 0123"), engines.borrow(TINY, "0123"):
        pass


def test_an_idle_engine_is_let_go_and_one_in_use_is_not(engines: EnginePool, fingerprint: str, clock: Clock) -> None:
    with engines.borrow(TINY, fingerprint) as first:
        clock.pass_minutes(60)
        assert not engines.unload_idle()
        with engines.borrow(TINY, fingerprint) as still:
            assert still is first
    clock.pass_minutes(9.9)
    engines.unload_idle()
    with engines.borrow(TINY, fingerprint) as still:
        assert still is first
    clock.pass_minutes(10.1)
    engines.unload_idle()
    with engines.borrow(TINY, fingerprint) as after:
        assert after is not first


def test_the_heap_is_trimmed_once_after_work_and_now_and_then_during_it(
    engines: EnginePool, fingerprint: str, clock: Clock
) -> None:
    assert not engines.trim_heap()
    with engines.borrow(TINY, fingerprint):
        clock.pass_minutes(2)
        assert [engines.trim_heap(), engines.trim_heap()] == [True, False]
        clock.pass_minutes(0.9)
        assert not engines.trim_heap()
        clock.pass_minutes(0.2)
        assert engines.trim_heap()
        clock.pass_minutes(0.1)
    clock.pass_minutes(0.4)
    assert not engines.trim_heap()
    clock.pass_minutes(0.2)
    assert [engines.trim_heap(), engines.trim_heap()] == [True, False]


def test_the_default_model_stays(engines: EnginePool, fingerprint: str, clock: Clock) -> None:
    engines.warm(TINY)
    with engines.borrow(TINY, fingerprint) as first:
        pass
    clock.pass_minutes(60)
    engines.unload_idle()
    with engines.borrow(TINY, fingerprint) as after:
        assert after is first


def test_with_no_minutes_set_nothing_is_let_go(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fingerprint: str, clock: Clock
) -> None:
    monkeypatch.setenv("TRANSCRIBER_MODEL_IDLE_MINUTES", "0")
    engines = EnginePool(Settings(), device="cpu", clock=clock)
    with engines.borrow(TINY, fingerprint) as first:
        pass
    clock.pass_minutes(1e6)
    assert not engines.unload_idle()
    with engines.borrow(TINY, fingerprint) as after:
        assert after is first


def test_a_gpu_is_freed_by_a_new_process_and_not_while_it_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fingerprint: str, clock: Clock
) -> None:
    """The device's name alone is made up: CUDA gives memory back for sure only when the process ends."""
    monkeypatch.setenv("TRANSCRIBER_DATA_DIR", str(tmp_path))

    def on_cpu(resolved: Resolved, settings: EngineSettings, _: str | None) -> Engine:
        return Engine.from_settings(resolved, settings, "cpu")

    engines = EnginePool(Settings(), device="cuda:0", clock=clock, engine_on=on_cpu)
    with engines.borrow(TINY, fingerprint):
        pass
    assert not engines.unload_idle()
    clock.pass_minutes(11)
    assert engines.unload_idle()


def test_a_model_that_is_loaded_is_not_removed(
    engines: EnginePool, fingerprint: str, tmp_path: Path, clock: Clock
) -> None:
    folder = shutil.copytree(TINY_MODEL, tmp_path / "models" / "mine")
    with engines.borrow("mine", fingerprint), pytest.raises(ModelInUse, match="stop the workers that have it loaded"):
        catalogue.remove("mine", folder.parent)
    clock.pass_minutes(11)
    engines.unload_idle()
    catalogue.remove("mine", folder.parent)
    assert not folder.exists()


def test_a_run_whose_process_died_is_heard_with_less(engines: EnginePool, fingerprint: str) -> None:
    with engines.borrow(TINY, fingerprint) as engine:
        before = engine.plan.batch_size
    with engines.borrow(TINY, fingerprint, deaths=1) as engine:
        assert engine.plan.batch_size == before // 2
        assert len(engine.given_up) == 1
        with engines.borrow(TINY, fingerprint) as beside:
            assert beside is engine
    with engines.borrow(TINY, fingerprint) as engine:
        assert (engine.plan.batch_size, engine.given_up) == (before, ())


def test_the_model_is_loaded_anew_where_less_means_another_type(
    engines: EnginePool, fingerprint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSCRIBER_COMPUTE_TYPE", "float32")
    monkeypatch.setenv("TRANSCRIBER_BATCH_SIZE", "1")
    with engines.borrow(TINY, fingerprint) as engine:
        assert isinstance(engine, Engine)
        usual = engine.model
    with engines.borrow(TINY, fingerprint, deaths=1) as engine:
        assert engine.plan.compute_type == "int8"
        assert isinstance(engine, Engine)
        assert engine.model is not usual
        assert engine.given_up == (encode(SteppedDown(to=SmallerWeights(compute_type="int8", usual="float32"))),)
    with engines.borrow(TINY, fingerprint) as engine:
        assert engine.plan.compute_type == "float32"


def test_what_memory_made_it_give_up_stays_given_up(engines: EnginePool, fingerprint: str) -> None:
    with engines.borrow(TINY, fingerprint, deaths=1) as engine:
        engine.step_down(device="cpu")
        less = engine.plan
    with engines.borrow(TINY, fingerprint) as engine:
        assert engine.plan == less


class SmallDevice:
    """A device on which some engines fit; they say when they are loaded and released."""

    def __init__(self, total_bytes: int) -> None:
        self.total_bytes = total_bytes
        self.loaded: list[str] = []

    def engine_on(self, resolved: Resolved, settings: EngineSettings, device: str | None) -> LoudnessEngine:
        return CountedEngine.on(self, resolved, settings, device)

    def free_bytes(self, _: str) -> int:
        return self.total_bytes - sum((Path(path) / "weights").stat().st_size for path in self.loaded)


class CountedEngine(LoudnessEngine):
    """The smallest engine, whose model takes memory of a small device."""

    device: SmallDevice

    @classmethod
    def on(cls, device: SmallDevice, resolved: Resolved, settings: EngineSettings, name: str | None) -> "CountedEngine":
        made = cls(resolved, cls.from_settings(resolved, settings, name).plan)
        made.device = device
        device.loaded.append(str(resolved.path))
        return made

    def close(self) -> None:
        super().close()
        self.device.loaded.remove(str(self.resolved.path))


def test_the_model_least_recently_used_goes_when_another_does_not_fit_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setenv("TRANSCRIBER_DATA_DIR", str(tmp_path))
    made = {name: tmp_path / name for name in ("a", "b", "c", "d")}
    for folder in made.values():
        write_model(folder)
        (folder / "weights").write_bytes(b"x" * 1000)
    device = SmallDevice(total_bytes=2600)  # two models, and room to work

    def find(name: str, **_: object) -> Resolved:
        return Resolved(name=name, path=made[name], fingerprint=name)

    fakes: dict[str, Any] = {"engine_on": device.engine_on, "free_bytes": device.free_bytes, "find": find}
    engines = EnginePool(Settings(), device="cpu", clock=clock, **fakes)

    def use(name: str) -> list[str]:
        clock.pass_minutes(1)
        with engines.borrow(name, name):
            return [Path(path).name for path in device.loaded]

    assert use("a") == ["a"]
    assert use("b") == ["a", "b"]
    assert use("a") == ["a", "b"]
    assert use("c") == ["a", "c"]
    with engines.borrow("a", "a"):  # in use: it stays, however long ago it was taken
        assert use("c") == ["a", "c"]
        assert use("d") == ["a", "d"]
    engines.warm("b")
    assert use("c")[-1] == "c"
    assert "b" in use("c")  # the default model goes last
