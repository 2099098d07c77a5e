"""A human voice with real Whisper models from the package index."""

import re
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from storage.domain.errors import BadRequest
from storage.domain.job_messages import text_of
from storage.domain.records import Options
from storage.domain.settings import EngineSettings
from storage.files.file_store import Files
from tasks.asr.engine import Engine
from tasks.asr.whisper_decode import Decoder
from tasks.audio.vad import find_speech
from tasks.pipeline import transcribe_file
from tests.conftest import JFK, JFK_TEXT
from tests.tasks.asr.loudness_engine import LoudnessEngine, write_model
from tests.tasks.sounds import RATE_HZ, decoded, tone

SPANISH = Path(__file__).parents[1] / "speech" / "es.flac"


def words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


@pytest.mark.parametrize("name", ["base", "tiny.en"])
def test_a_human_voice_is_transcribed_word_for_word(name: str, request: pytest.FixtureRequest, files: Files) -> None:
    engine: Engine = request.getfixturevalue(f"{name.replace('.', '_')}_engine")

    found = transcribe_file(JFK, engine=engine, files=files, options=Options())

    assert words(found.text) == words(JFK_TEXT)
    assert (found.model, found.language) == (name, "en")


@pytest.mark.parametrize("language", ["yue", "xx", "transcribe"])
def test_a_language_that_base_was_never_taught_is_refused(language: str, base_engine: Engine) -> None:
    """Cantonese came with large-v3; the last is a token of the model, and no language."""
    with pytest.raises(BadRequest, match=f"the model does not support {language}"):
        base_engine.transcribe(tone(1.0), options=Options(), language=language)


def test_a_language_that_tiny_en_does_not_know_is_told(tiny_en_engine: Engine, files: Files) -> None:
    found = transcribe_file(JFK, engine=tiny_en_engine, files=files, options=Options(language="de"))

    assert found.language == "en"
    assert "German was requested, English was transcribed" in text_of(found.given_up[-1])


def test_another_language_than_the_model_knows_is_doubted_first(tiny_en_engine: Engine, files: Files) -> None:
    found = transcribe_file(SPANISH, engine=tiny_en_engine, files=files, options=Options())
    assert found.findings[0].kind == "doubted throughout"
    assert text_of(found.given_up[0]) == found.findings[0].detail
    assert "it knows English alone" in found.findings[0].detail
    assert found.language == "und"


def test_speech_is_told_from_another_language_without_decoding(base_engine: Engine, tiny_en_engine: Engine) -> None:
    pcm = decoded(JFK)
    speech = tuple(find_speech(pcm))
    assert base_engine.language_mismatches(pcm, speech, "en") == ()
    assert {each.language for each in base_engine.language_mismatches(pcm, speech, "es")} == {"en"}
    assert tiny_en_engine.language_mismatches(pcm, speech, "es") == ()


def test_a_multilingual_model_that_is_here_tells_the_language(
    tiny_en_engine: Engine, base_engine: Engine, files: Files, tmp_path: Path
) -> None:
    """The real one calls the clip English, and another engine calls all sound German."""
    german = LoudnessEngine.from_settings(write_model(tmp_path / "loudness"), EngineSettings(device="cpu"), "cpu")
    told: dict[str, list[str]] = {}
    for other in (base_engine, german):
        found = transcribe_file(
            JFK,
            engine=tiny_en_engine,
            files=Files(str(tmp_path / other.version.replace("/", " "))),
            options=Options(),
            lend_multilingual=lambda other=other: nullcontext(other),  # type: ignore[misc]
        )
        told[found.language] = [text_of(note) for note in found.given_up]
        assert ("another language" in {finding.kind for finding in found.findings}) == (other is german)
    assert told["en"] == []
    assert told["und"] == [
        "it sounds like German, but model tiny.en knows only English: transcribe it again with a multilingual model"
    ]


def test_a_language_is_told_by_half_of_the_states(base_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    from ctranslate2.models import Whisper  # not before the engine has prepared its libraries

    asked: list[tuple[int, ...]] = []
    detect = Whisper.detect_language

    def watched(model: Any, states: Any) -> Any:
        asked.append(tuple(states.shape))
        return detect(model, states)

    monkeypatch.setattr(Whisper, "detect_language", watched)
    decoder = Decoder(model=base_engine.model, options=Options())
    windows = decoder.encoded([decoded(JFK)[: 5 * RATE_HZ], decoded(SPANISH)[: 3 * RATE_HZ]])
    english, spanish = decoder.languages(windows)
    assert english["en"] > 0.9
    assert spanish["es"] > 0.9
    assert asked == [(1, (window.states.shape[1] + 1) // 2, window.states.shape[2]) for window in windows]
