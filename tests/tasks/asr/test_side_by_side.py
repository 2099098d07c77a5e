"""All workers of an engine serve one span, with the result of a single one."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from storage.domain.records import Options
from tasks.asr.engine import Engine
from tasks.asr.side_by_side import side_by_side
from tasks.asr.whisper_decode import Decoder
from tests.conftest import Assembly, Clip
from tests.tasks.sounds import read_wav
from tests.waiting import PATIENCE_S


def test_items_are_worked_on_together_and_stay_in_their_order() -> None:
    both_are_here = threading.Barrier(2)

    def work(item: int) -> int:
        both_are_here.wait(PATIENCE_S)
        return item * item

    assert side_by_side(work, [3, 2], workers=2) == [9, 4]


@pytest.mark.parametrize(("items", "workers"), [([1, 2], 1), ([1], 2)])
def test_without_another_worker_or_item_there_is_no_thread(items: list[int], workers: int) -> None:
    here = threading.get_ident()
    assert side_by_side(lambda _: threading.get_ident(), items, workers=workers) == [here] * len(items)


def test_windows_of_a_span_are_encoded_side_by_side(
    engine: Engine, speech: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ctranslate2.models import Whisper  # not before the engine has prepared its libraries

    encode, both_are_here = Whisper.encode, threading.Barrier(2)

    def together(model: Any, features: Any, **told: Any) -> Any:
        both_are_here.wait(PATIENCE_S)
        return encode(model, features, **told)

    sounds = [read_wav(clip.path) for clip in speech[:2]]
    alone = Decoder(model=engine.model, options=Options()).encoded(sounds)
    monkeypatch.setattr(Whisper, "encode", together)
    beside = Decoder(model=engine.model, options=Options(), workers=2).encoded(sounds)
    assert [(each.length_s, each.states.tobytes()) for each in beside] == [
        (each.length_s, each.states.tobytes()) for each in alone
    ]


@pytest.mark.parametrize("language", [None, "en"])
def test_a_span_has_the_same_result_with_one_worker_and_with_two(
    engine: Engine, speech: list[Clip], assemble: Callable[..., Assembly], language: str | None
) -> None:
    pcm = read_wav(assemble(speech[:4], pause_s=1.0).path)
    with Engine(engine.resolved, replace(engine.plan, num_workers=1)) as single:
        one, two = (each.transcribe(pcm, options=Options(), language=language) for each in (single, engine))
    assert len(one.segments) > 1
    assert replace(one, engine_s=0.0, cpu_threads=0) == replace(two, engine_s=0.0, cpu_threads=0)


def test_languages_are_detected_while_a_text_in_a_given_language_is_decoded(
    base_engine: Engine, speech: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, detected = Decoder.texts, threading.Event()
    languages = Decoder.languages

    def detect(self: Decoder, windows: Any) -> Any:
        found = languages(self, windows)
        detected.set()
        return found

    def decode(self: Decoder, *told: Any) -> Any:
        assert detected.wait(PATIENCE_S), "languages are detected after the text"
        return texts(self, *told)

    monkeypatch.setattr(Decoder, "languages", detect)
    monkeypatch.setattr(Decoder, "texts", decode)
    result = base_engine.transcribe(read_wav(speech[0].path), options=Options(language="en"), language="en")
    assert result.languages[0].language == "en"
