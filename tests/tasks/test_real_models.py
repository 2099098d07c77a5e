"""A human voice through real Whisper models, as the package index gives them."""

import re
from pathlib import Path

import pytest

from storage.files import Files
from storage.records import Options
from tasks.engine import Engine
from tasks.transcribe import transcribe_file
from tests.conftest import DEMO


def words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


@pytest.mark.parametrize("name", ["base", "tiny.en"])
def test_a_human_voice_is_heard_word_for_word(name: str, request: pytest.FixtureRequest, files: Files) -> None:
    engine: Engine = request.getfixturevalue(f"{name.replace('.', '_')}_engine")

    found = transcribe_file(DEMO / "jfk.flac", engine=engine, files=files, options=Options())

    assert words(found.text) == words(Path(DEMO / "jfk.txt").read_text())
    assert (found.model, found.language) == (name, "en")
