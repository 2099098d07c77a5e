"""What Python hands to the components, and what their JavaScript takes it for."""

from typing import get_type_hints

from dashboards.components.contracts import CueSettings
from storage.domain import records
from tests.dashboards.components.declarations import FILE, declarations


def test_the_declarations_are_those_of_now() -> None:
    again = "run `python -m tests.dashboards.components.declarations` and see what the components make of it"
    assert FILE.read_text(encoding="utf-8") == declarations(), again


def test_the_limits_of_cues_are_those_of_the_records() -> None:
    assert get_type_hints(CueSettings) == get_type_hints(records.CueLimits)
