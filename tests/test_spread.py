"""How tests are shared between processes."""

from collections import OrderedDict

from tests.spread import EVERY_PAGE, PLATFORM, next_scope, scope_of

OTHER, OWN = "tests/test_wheel.py", "tests/acceptance/test_up.py"


def test_one_process_has_the_platforms_while_there_are_any() -> None:
    left = OrderedDict.fromkeys((OTHER, PLATFORM, OWN), "tests")
    assert (next_scope(left, platforms=True), next_scope(left, platforms=False)) == (PLATFORM, OTHER)
    del left[PLATFORM]
    assert next_scope(left, platforms=True) == OWN


def test_nobody_waits_while_there_is_something_to_do() -> None:
    assert next_scope([OTHER], platforms=True) == OTHER
    assert next_scope([OWN], platforms=False) == OWN


def test_every_page_is_looked_at_in_two_halves_and_any_other_file_is_whole() -> None:
    walk = f"{EVERY_PAGE}::test_every_page_can_be_used_by_everybody"
    desk, phone = scope_of(f"{walk}[desk-themes0-light]"), scope_of(f"{walk}[phone-themes2-light]")
    assert desk != phone
    assert scope_of(f"{walk}[desk-themes1-dark]") == desk
    assert scope_of("tests/test_spread.py::test_it[phone-dark]") == "tests/test_spread.py"
