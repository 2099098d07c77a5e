"""A human voice with real Whisper models from the package index."""

import re
from pathlib import Path

import pytest

from storage.domain.errors import BadRequest
from storage.domain.job_messages import text_of
from storage.domain.records import Options
from storage.files.file_store import Files
from tasks.asr.engine import Engine
from tasks.pipeline import transcribe_file
from tests.conftest import JFK, JFK_TEXT
from tests.tasks.sounds import tone

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
