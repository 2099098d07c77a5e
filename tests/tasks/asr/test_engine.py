"""The engine: timed words, stopping, and stepping down."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from storage.domain.errors import BadRequest, ModelMissing, OutOfDeviceMemory
from storage.domain.job_messages import encode, texts_of
from storage.domain.records import Options, Stretch, Word
from storage.domain.settings import EngineSettings
from storage.domain.transcript_notes import SmallerWeights, SteppedDown
from tasks.asr.base import DecodingStopped
from tasks.asr.engine import ENGINE_VERSION, Engine, with_less
from tasks.asr.word_timing import held_to, sentences
from tasks.audio.vad import find_speech
from tasks.models.catalogue import Resolved
from tasks.models.cgroup_limits import cores
from tasks.models.devices import GIB, DevicePlan, devices, fitted, plan_device
from tests.conftest import Assembly, Clip
from tests.tasks.sounds import read_wav, silence, tone

Assemble = Callable[[Sequence[Clip]], Assembly]
NO_MEMORY = "CUDA failed with error out of memory"


def test_words_have_the_right_times(engine: Engine, speech: list[Clip], assemble: Assemble) -> None:
    sound = read_wav(assemble(speech[:3]).path)
    found = engine.transcribe(sound, options=Options())
    words = [word for segment in found.segments for word in segment.words]
    times = [edge for word in words for edge in (word.start_s, word.end_s)]
    assert words
    assert times == sorted(times)
    assert times[-1] <= len(sound) / 16_000
    assert all(0 <= word.probability <= 1 and word.text.startswith(" ") for word in words)
    assert [segment.text for segment in found.segments] == [
        "".join(word.text for word in segment.words).strip() for segment in found.segments
    ]


def test_a_result_names_its_model_and_engine(engine: Engine, speech: list[Clip]) -> None:
    found = engine.transcribe(read_wav(speech[0].path), options=Options())
    assert (found.model, found.fingerprint) == ("tiny-vocabulary.en", engine.resolved.fingerprint)
    assert (found.engine, found.device, found.compute_type) == (ENGINE_VERSION, "cpu", "int8")
    assert (found.cpu_threads, found.batch_size) == (engine.plan.cpu_threads, engine.plan.batch_size) >= (1, 1)
    assert found.engine_s > 0


@pytest.mark.parametrize("sound", [silence(12.0), tone(12.0), silence(0.0)])
def test_where_nobody_speaks_there_is_no_text(engine: Engine, sound: Any) -> None:
    assert engine.transcribe(sound, options=Options()).segments == ()


def test_words_lie_in_the_speech(engine: Engine, speech: list[Clip], assemble: Assemble) -> None:
    sound = read_wav(assemble(speech[:4]).path)
    stretches = find_speech(sound)
    for segment in engine.transcribe(sound, options=Options(), speech=stretches).segments:
        for word in segment.words:
            assert any(
                word.start_s >= stretch.start_s - 0.5 and word.end_s <= stretch.end_s + 0.5 for stretch in stretches
            )


def test_the_same_sound_gives_the_same_text(engine: Engine, speech: list[Clip]) -> None:
    sound = read_wav(speech[1].path)
    first, second = (engine.transcribe(sound, options=Options()) for _ in range(2))
    assert first.segments == second.segments


def test_it_stops_when_asked(engine: Engine, speech: list[Clip]) -> None:
    with pytest.raises(DecodingStopped):
        engine.transcribe(read_wav(speech[0].path), options=Options(), should_stop=lambda: True)


def test_progress_is_the_seconds_of_speech_done(engine: Engine, speech: list[Clip], assemble: Assemble) -> None:
    sound = read_wav(assemble(speech[:2]).path)
    steps: list[float] = []
    engine.transcribe(sound, options=Options(), on_progress=steps.append)
    spoken_s = sum(stretch.end_s - stretch.start_s for stretch in find_speech(sound))
    assert steps == sorted(steps)
    assert steps[-1] == pytest.approx(spoken_s, abs=0.01)


def test_a_model_of_one_language_transcribes_that_one(engine: Engine, speech: list[Clip]) -> None:
    assert engine.transcribe(read_wav(speech[0].path), options=Options(), language="de").language == "en"


def test_a_folder_that_is_no_model_is_missing(resolved: Resolved, tmp_path: Any) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for part in resolved.path.iterdir():
        if part.is_file():
            (broken / part.name).write_bytes(part.read_bytes()[:100])
    (broken / "vocabulary.json").write_text("[]")
    with pytest.raises(ModelMissing, match="cannot be loaded"):
        Engine.loaded(replace(resolved, path=broken))


GPU = DevicePlan(device="cuda:0", compute_type="float16", num_workers=2, cpu_threads=2, batch_size=4)


def test_the_ladder_goes_from_smaller_batches_over_int8_to_the_cpu() -> None:
    steps, plan = [], with_less(GPU)
    while plan is not None:
        steps.append((plan.device, plan.compute_type, plan.batch_size))
        plan = with_less(plan)
    assert steps[:4] == [
        ("cuda:0", "float16", 2),
        ("cuda:0", "float16", 1),
        ("cuda:0", "int8", 1),
        ("cpu", "int8", 4),
    ]
    assert steps[-1] == ("cpu", "int8", 1)


def test_work_that_lacks_memory_is_done_with_less_and_says_what_it_gave_up(resolved: Resolved) -> None:
    engine = Engine(resolved, replace(GPU, batch_size=8))

    def work() -> int:
        if engine.plan.batch_size > 2:
            raise RuntimeError(NO_MEMORY)
        return engine.plan.batch_size

    assert engine.with_less(work) == 2
    assert tuple(texts_of(engine.given_up)) == (
        "cuda:0 had too little memory: batches of 4 windows instead of 8",
        "cuda:0 had too little memory: batches of 2 windows instead of 4",
    )


def test_when_nothing_is_left_to_give_up_it_says_so(resolved: Resolved) -> None:
    engine = Engine(resolved, GPU)

    def work() -> None:
        raise MemoryError

    with pytest.raises(OutOfDeviceMemory, match="cuda:0 float16 batch 4"):
        engine.with_less(work)


def test_other_errors_are_not_taken_for_want_of_memory(resolved: Resolved) -> None:
    engine = Engine(resolved, GPU)

    def work() -> None:
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        engine.with_less(work)
    assert engine.given_up == ()


def test_an_engine_that_stepped_down_still_transcribes(resolved: Resolved, speech: list[Clip]) -> None:
    with Engine.loaded(resolved, compute_type="float32", batch_size=1) as engine:
        engine.step_down()
        found = engine.transcribe(read_wav(speech[0].path), options=Options())
    assert found.compute_type == "int8"
    assert found.given_up == (encode(SteppedDown(to=SmallerWeights(compute_type="int8", usual="float32"))),)


def test_what_is_set_wins_over_what_is_chosen() -> None:
    plan = plan_device(EngineSettings(device="cpu", num_workers=3, cpu_threads=1, batch_size=5, compute_type="float32"))
    assert plan == DevicePlan(device="cpu", compute_type="float32", num_workers=3, cpu_threads=1, batch_size=5)


def test_on_a_cpu_workers_and_threads_fill_the_cores() -> None:
    plan = plan_device(EngineSettings(device="cpu"))
    assert (plan.device, plan.compute_type, plan.batch_size) == ("cpu", "int8", 8)
    assert plan.num_workers * plan.cpu_threads <= cores()
    assert plan.num_workers >= 1


@pytest.mark.parametrize(("memory_gib", "batch"), [(16, 4), (3, 2), (0.5, 1)])
def test_a_large_model_gets_as_many_windows_as_memory_holds(memory_gib: float, batch: int) -> None:
    plan = DevicePlan(device="cpu", compute_type="int8", num_workers=2, cpu_threads=1, batch_size=4)
    assert fitted(plan, model_bytes=GIB // 2, free_bytes=int(memory_gib * GIB)).batch_size == batch


def test_a_device_that_is_not_here_is_named() -> None:
    with pytest.raises(BadRequest, match="cuda:7 is not on this machine"):
        devices(EngineSettings(device="cuda:7"))


def said(start_s: float, end_s: float, text: str) -> Word:
    return Word(start_s=start_s, end_s=end_s, text=text, probability=1.0)


def test_sentences_end_at_a_full_stop_or_a_pause() -> None:
    words = [said(0, 1, " Yes."), said(1, 2, " No"), said(2, 3, " way"), said(4, 5, " Sir")]
    assert [len(sentence) for sentence in sentences(words)] == [1, 2, 1]


@pytest.mark.parametrize("stop", ["。", "؟", "۔", "।", "։", "።", "။", "។", "།"])
def test_sentences_end_at_the_full_stop_of_every_script(stop: str) -> None:
    words = [said(0, 1, f" a{stop}"), said(1, 2, " b")]
    assert [len(sentence) for sentence in sentences(words)] == [1, 1]


@pytest.mark.parametrize(
    ("word", "language", "is_end"),
    [
        *((word, "en", False) for word in (" Dr.", " Mrs.", " J.", " e.g.")),
        *((word, "en", True) for word in (" I.", " No.", " 10.", " “Yes.”", " «Oui.»", " it.")),
        *((word, "de", False) for word in (" 3.", " z.B.")),
        *((word, "de", True) for word in (" 1990.", " Ja.")),
        *((word, language, True) for word, language in ((" 네.", "ko"), (" Я.", "ru"), (" ن.", "ar"), (" 12.", "es"))),
    ],
)
def test_no_sentence_ends_with_a_title_an_initial_or_an_ordinal(word: str, language: str, is_end: bool) -> None:
    words = [said(0, 1, word), said(1, 2, " Oktober")]
    assert len(list(sentences(words, language))) == 1 + is_end


def test_a_word_is_held_to_the_speech_it_touches() -> None:
    stretches = find_speech(np.zeros(0, dtype=np.float32))
    assert held_to(said(0, 5, " word"), stretches) == said(0, 5, " word")


def test_of_what_may_be_speech_only_sure_words_count(engine: Engine, speech: list[Clip]) -> None:
    clip, rest = read_wav(speech[0].path), np.random.default_rng(1).standard_normal(48_000).astype(np.float32) * 0.001
    sound = np.concatenate([clip, rest])
    spoken, empty = Stretch(start_s=0.0, end_s=len(clip) / 16_000), Stretch(start_s=len(clip) / 16_000 + 0.4, end_s=10)
    found = engine.transcribe(sound, options=Options(), speech=(), maybe=(spoken, empty))
    assert " ".join(segment.text for segment in found.segments).lower().startswith(speech[0].text.lower()[:10])
    assert found.segments[-1].end_s < empty.start_s
    assert engine.transcribe(sound, options=Options(), speech=(), maybe=(empty,)).segments == ()
