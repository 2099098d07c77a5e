"""A module that a library imports is imported when the library uses it."""

import subprocess
import sys

from tests.conftest import TINY_MODEL
from tests.flows.conftest import ROOT

IMPORTING = """
import sys
from tasks.models.lazy_modules import imported_when_used
with imported_when_used("av"):
    from faster_whisper import audio
print("av" in sys.modules, audio.av.AudioFrame.__name__)
import av
print(audio.av.AudioFrame is av.AudioFrame)
with imported_when_used("av"):
    print(sys.modules["av"] is av)
"""
FROM_A_PART_OF_IT = """
from tasks.models.lazy_modules import imported_when_used
with imported_when_used("av"):
    from av.stream import Disposition
print(Disposition.__module__)
"""


def printed_by(program: str) -> list[str]:
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()


def test_a_module_is_imported_when_something_of_it_is_used() -> None:
    assert printed_by(IMPORTING) == ["False AudioFrame", "True", "True"]


def test_a_part_of_it_finds_the_module() -> None:
    assert printed_by(FROM_A_PART_OF_IT) == ["av.stream"]


def test_an_engine_has_its_model_without_what_decodes_files() -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tasks.asr.engine import Engine\n"
        "from tasks.models.catalogue import Resolved\n"
        f"Engine.loaded(Resolved(name='tiny', path=Path({str(TINY_MODEL)!r}), fingerprint='x'))\n"
        "print([name for name in sys.modules if name.split('.')[0] == 'av'])"
    )
    assert printed_by(program) == ["[]"]
