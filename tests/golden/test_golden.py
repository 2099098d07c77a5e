"""Cached files cannot go stale: the code behind them is recorded with their version."""

import json

import pytest

from storage.domain.export_formats import ExportFormat
from tests.golden.record import (
    COMMAND,
    DECIDED_BY,
    EXPORTS,
    RECORDED,
    VERSIONS,
    exports,
    meaning,
    modules_behind,
)
from tests.golden.transcripts import CASES

STEP = """
@dataclass
class Window:
    {docstring}
    start_s: float = 0.5

    def cut(self, at_s):
        {docstring}
        return self.start_s {operator} at_s
"""


def test_exports_are_written_as_recorded() -> None:
    recorded = {path.name: path.read_bytes() for path in EXPORTS.iterdir()}
    made = exports()
    changed = sorted(name for name in {*made, *recorded} if made.get(name) != recorded.get(name))
    assert not changed, (
        f"{', '.join(changed)}: exporters write this otherwise than before, and files are kept by name: count "
        f"EXPORTER_VERSION up in storage/domain/names.py, then run `{COMMAND}` and read the difference"
    )


def test_every_format_is_recorded_in_every_case() -> None:
    recorded = {path.name.removesuffix(".parts") for path in EXPORTS.iterdir()}
    assert recorded == {f"{case}.{fmt}" for case in CASES for fmt in ExportFormat}


@pytest.mark.parametrize("version", DECIDED_BY)
def test_code_that_decides_a_kept_result_is_as_recorded(version: str) -> None:
    recorded, now = json.loads(RECORDED.read_text())["modules"][version], modules_behind(version)
    new = [name for name, digest in now.items() if digest not in recorded.values()]
    gone = [name for name, digest in recorded.items() if digest not in now.values()]
    assert not new + gone, (
        f"{', '.join(sorted({*new, *gone}))} decide what {version} stands for, and have changed: count {version} up if "
        f"the same recording can give another result, and record again: `{COMMAND}`"
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_a_version_is_as_recorded(version: str) -> None:
    assert json.loads(RECORDED.read_text())[version] == VERSIONS[version], f"record again: `{COMMAND}`"


def test_words_layout_and_imports_may_change_and_what_is_done_may_not() -> None:
    first = STEP.format(docstring='"""Says one thing."""', operator="+")
    again = f"from tasks.audio import windows  # moved\n{first}".replace("one thing", "the same in other words")
    assert meaning(again.replace("start_s: float = 0.5", "start_s: float = (\n        0.5\n    )")) == meaning(first)
    assert meaning(first.replace("0.5", "0.6")) != meaning(first)
    assert meaning(STEP.format(docstring='"""Says one thing."""', operator="-")) != meaning(first)


def test_what_a_hearing_depends_on_is_found_by_imports() -> None:
    behind = {name.rpartition(".")[2] for name in modules_behind("DECODING_VERSION")}
    assert behind >= {"transcribe_windows", "whisper_decode", "windows", "word_timing"}
    assert "decode" not in behind
