"""The engine contract, checked for faster-whisper and the smallest engine."""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from flows.runs.engine_pool import EngineOn, EnginePool
from storage.domain.errors import BadRequest, ModelCannot, ModelMissing, OutOfDeviceMemory
from storage.domain.job_messages import text_of
from storage.domain.records import Options, SpanResult
from storage.domain.settings import EngineSettings, Settings
from storage.files.file_store import Files
from tasks import pipeline
from tasks.asr.base import AsrEngine, DecodingStopped
from tasks.asr.engine import Engine
from tasks.audio.decode import Samples
from tasks.audio.vad import find_speech
from tasks.exports.writers import export
from tasks.models.catalogue import Resolved
from tests.conftest import Assembly, Clip
from tests.tasks.asr.loudness_engine import LoudnessEngine, write_model
from tests.tasks.sounds import read_wav, silence

KINDS: dict[str, EngineOn] = {"faster-whisper": Engine.from_settings, "loudness": LoudnessEngine.from_settings}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def model(kind: str, resolved: Resolved, tmp_path: Path) -> Resolved:
    return resolved if kind == "faster-whisper" else write_model(tmp_path / "loudness")


@pytest.fixture
def asr(kind: str, model: Resolved) -> Iterator[AsrEngine]:
    """An engine of each kind, of the test's own."""
    made = KINDS[kind](model, EngineSettings(device="cpu", num_workers=2), "cpu")
    yield made
    made.close()


@pytest.fixture
def talk(speech: list[Clip], assemble: Callable[[Sequence[Clip]], Assembly]) -> Path:
    return assemble(speech[:2]).path


@pytest.fixture
def pcm(talk: Path) -> Samples:
    return read_wav(talk)


def test_words_have_times_in_order_and_probabilities(asr: AsrEngine, pcm: Samples) -> None:
    found = asr.transcribe(pcm, options=Options())
    words = [word for segment in found.segments for word in segment.words]
    times = [edge for word in words for edge in (word.start_s, word.end_s)]
    assert words
    assert times == sorted(times)
    assert 0 <= times[0] <= times[-1] <= len(pcm) / 16_000
    assert all(0 <= word.probability <= 1 for word in words)
    for segment in found.segments:
        assert segment.text == "".join(word.text for word in segment.words).strip()
        assert (segment.start_s, segment.end_s) == (segment.words[0].start_s, segment.words[-1].end_s)


def test_a_known_text_gets_times_from_the_sound(asr: AsrEngine, speech: list[Clip]) -> None:
    clip = speech[0]
    sound, _ = soundfile.read(clip.path, dtype="float32")
    found = asr.align(np.asarray(sound, dtype=np.float32), clip.text, language="en")
    assert "".join(word.text for word in found).split() == clip.text.split()
    times = [edge for word in found for edge in (word.start_s, word.end_s)]
    assert times == sorted(times)
    assert 0 <= times[0] <= times[-1] <= len(sound) / 16_000


def test_text_lies_where_the_caller_knows_of_speech(asr: AsrEngine, pcm: Samples) -> None:
    first = find_speech(pcm)[0]
    found = asr.transcribe(pcm, options=Options(), speech=(first,))
    assert found.segments
    assert all(segment.end_s <= first.end_s + 0.5 for segment in found.segments)
    assert asr.transcribe(pcm, options=Options(), speech=()).segments == ()
    assert asr.transcribe(silence(3.0), options=Options()).segments == ()


def test_a_result_says_who_made_it(asr: AsrEngine, pcm: Samples) -> None:
    found = asr.transcribe(pcm, options=Options())
    assert (found.model, found.fingerprint) == (asr.resolved.name, asr.resolved.fingerprint)
    assert (found.engine, found.device, found.given_up) == (asr.version, asr.plan.device, ())


def test_the_same_sound_gives_the_same_text_from_every_thread(asr: AsrEngine, pcm: Samples) -> None:
    with ThreadPoolExecutor(asr.plan.num_workers) as threads:
        found = list(threads.map(lambda _: asr.transcribe(pcm, options=Options()), range(2 * asr.plan.num_workers)))
    assert [one.segments for one in found] == [found[0].segments] * len(found)


def test_it_stops_when_asked_and_tells_how_far_it_is(asr: AsrEngine, pcm: Samples) -> None:
    speech = find_speech(pcm)
    steps: list[float] = []
    asr.transcribe(pcm, options=Options(), speech=speech, on_progress=steps.append)
    assert steps == sorted(steps)
    assert steps[-1] == pytest.approx(sum(one.end_s - one.start_s for one in speech), abs=0.1)
    with pytest.raises(DecodingStopped):
        asr.transcribe(pcm, options=Options(), should_stop=lambda: True)


def test_a_language_is_obeyed_or_refused(asr: AsrEngine, pcm: Samples) -> None:
    assert "en" in asr.languages()
    for language in sorted(asr.languages())[:2]:
        assert asr.transcribe(pcm, options=Options(), language=language).language == language
    if asr.capabilities.multilingual:
        with pytest.raises(BadRequest, match="the model does not support"):
            asr.transcribe(pcm, options=Options(), language="xx")
    else:
        assert asr.transcribe(pcm, options=Options(), language="xx").language == "en"


def test_what_it_cannot_do_is_refused(asr: AsrEngine, pcm: Samples) -> None:
    able = replace(asr.capabilities, multilingual=False)
    translation = Options(task="translate")
    with pytest.raises(ModelCannot):
        able.check(translation)
    try:
        asr.capabilities.check(translation)
    except ModelCannot:
        with pytest.raises(ModelCannot):
            asr.transcribe(pcm, options=translation)


def test_memory_is_given_up_step_by_step_and_had_again(asr: AsrEngine, pcm: Samples) -> None:
    usual, steps = asr.plan, 0
    while asr.can_step_down():
        asr.step_down(device="gpu0")
        steps += 1
    assert steps > 0
    assert len(asr.given_up) == steps
    assert all(text_of(note).startswith("gpu0 had too little memory: ") for note in asr.given_up)
    with pytest.raises(OutOfDeviceMemory):
        asr.step_down(device="gpu0")
    assert asr.transcribe(pcm, options=Options()).given_up == asr.given_up
    asr.restore(usual)
    assert (asr.plan, asr.given_up) == (usual, ())


def test_a_closed_engine_loads_again(asr: AsrEngine, pcm: Samples) -> None:
    asr.load()
    before = asr.transcribe(pcm, options=Options()).segments
    asr.close()
    asr.load()
    assert asr.transcribe(pcm, options=Options()).segments == before


def test_a_model_that_cannot_be_loaded_is_named(kind: str, model: Resolved, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for part in model.path.iterdir():
        (broken / part.name).write_bytes(part.read_bytes() if part.suffix == ".txt" else b"{}")
    (broken / "vocabulary.json").write_text(json.dumps(["a"]))
    (broken / "loudness.json").write_text("{")

    def load() -> None:
        KINDS[kind](replace(model, path=broken), EngineSettings(device="cpu", num_workers=1), "cpu").load()

    with pytest.raises(ModelMissing, match=str(broken)):
        load()


def test_the_pipeline_works_and_reuses_results(asr: AsrEngine, talk: Path, files: Files) -> None:
    heard: list[bool] = []

    def go() -> bytes:
        found = pipeline.transcribe_file(
            talk, engine=asr, files=files, options=Options(), on_transcribed=lambda one: heard.append(one.reused)
        )
        assert (found.engine, found.model) == (asr.version, asr.resolved.name)
        assert found.text
        return export(found, "srt")

    assert go() == go()
    assert (set(heard[: len(heard) // 2]), set(heard[len(heard) // 2 :])) == ({False}, {True})


def test_a_worker_lends_it_with_less_to_a_run_that_lost_its_process(
    kind: str, model: Resolved, pcm: Samples, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TRANSCRIBER_DATA_DIR", str(tmp_path / "data"))
    engines = EnginePool(Settings(), device="cpu", engine_on=KINDS[kind], find=lambda *_, **__: model)
    engines.warm(model.name)
    with engines.borrow(model.name, model.fingerprint, deaths=1) as lent:
        found: SpanResult = lent.transcribe(pcm, options=Options())
    assert len(found.given_up) == 1
    with engines.borrow(model.name, model.fingerprint) as lent:
        assert lent.given_up == ()
