"""A human voice through real Whisper models, as the package index gives them."""

import re
from pathlib import Path

import pytest

from storage.errors import BadRequest
from storage.files import Files
from storage.records import Options
from tasks.engine import Engine, hear
from tasks.transcribe import transcribe_file
from tests.conftest import DEMO
from tests.tasks.sounds import tone


def words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


@pytest.mark.parametrize("name", ["base", "tiny.en"])
def test_a_human_voice_is_heard_word_for_word(name: str, request: pytest.FixtureRequest, files: Files) -> None:
    engine: Engine = request.getfixturevalue(f"{name.replace('.', '_')}_engine")

    found = transcribe_file(DEMO / "jfk.flac", engine=engine, files=files, options=Options())

    assert words(found.text) == words(Path(DEMO / "jfk.txt").read_text())
    assert (found.model, found.language) == (name, "en")


@pytest.mark.parametrize("language", ["yue", "xx", "transcribe"])
def test_a_language_that_base_was_never_taught_is_refused(language: str, base_engine: Engine) -> None:
    """Cantonese came with large-v3; the last is a token of the model, and no language."""
    with pytest.raises(BadRequest, match=f"{language} is no language code that the model knows"):
        hear(base_engine, tone(1.0), options=Options(), language=language)


def test_a_language_that_tiny_en_does_not_know_is_told(tiny_en_engine: Engine, files: Files) -> None:
    found = transcribe_file(DEMO / "jfk.flac", engine=tiny_en_engine, files=files, options=Options(language="de"))

    assert found.language == "en"
    assert "asked for de, heard as en" in found.given_up[-1]
