"""How tests are shared between processes."""

from collections import OrderedDict

from tests.spread import PLATFORM, next_scope

OTHER, OWN = "tests/test_wheel.py", "tests/acceptance/test_up.py"


def test_one_process_has_the_platforms_while_there_are_any() -> None:
    left = OrderedDict.fromkeys((OTHER, PLATFORM, OWN), "tests")
    assert (next_scope(left, platforms=True), next_scope(left, platforms=False)) == (PLATFORM, OTHER)
    del left[PLATFORM]
    assert next_scope(left, platforms=True) == OWN


def test_nobody_waits_while_there_is_something_to_do() -> None:
    assert next_scope([OTHER], platforms=True) == OTHER
    assert next_scope([OWN], platforms=False) == OWN
