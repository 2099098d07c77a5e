"""Who sees which pages, and the way in."""

import pytest

from dashboards.main import ADMIN, EVERY_PATH, OWN, SINGLE
from storage import sessions, users
from storage.errors import NotSignedIn
from storage.records import Role, User
from tests.dashboards.desk import PASSWORD, Desk, button, has, labels, words


def titles(at: object) -> list[str]:
    return [one.value for one in at.title]  # type: ignore[attr-defined]


def test_nobody_sees_the_login_alone(desk: Desk) -> None:
    at = desk.page("jobs", None)
    assert titles(at) == ["Log in"]
    assert has(at, "login")
    assert not has(at, "dock")


def test_every_page_has_a_path_of_one_part() -> None:
    assert len(set(EVERY_PATH)) == len(EVERY_PATH)
    assert not [path for path in EVERY_PATH if "/" in path]


def test_a_disabled_account_is_nobody(desk: Desk) -> None:
    desk.user("root", Role.ADMIN)
    ada = desk.user()
    at = desk.page("jobs", ada)
    desk.ledger.run(users.set_disabled, ada.id, disabled=True, actor="system:test")
    assert titles(at.run()) == ["Log in"]


def test_a_user_that_is_gone_is_nobody(desk: Desk) -> None:
    ada = desk.user()
    at = desk.page("jobs", ada)
    at.user = {"uid": "nobody", "sid": "nothing"}
    assert titles(at.run()) == ["Log in"]


@pytest.mark.parametrize("role", [Role.MEMBER, Role.READER])
def test_only_administrators_have_the_pages_of_administration(desk: Desk, role: Role) -> None:
    at = desk.page("jobs", desk.user(role=role))
    for view in ADMIN:
        with pytest.raises(ValueError, match="registered"):
            at.switch_page(view)


@pytest.mark.parametrize("role", list(Role))
def test_every_page_of_a_role_opens(desk: Desk, role: Role) -> None:
    at = desk.page("jobs", desk.user(role=role))
    own = [view for view in OWN if role is not Role.READER or view != "views/upload.py"]
    for view in [*own, *SINGLE, *(ADMIN if role is Role.ADMIN else ())]:
        at.switch_page(view).run()
        assert not at.exception, view
        assert has(at, "dock"), view


def test_a_reader_has_nothing_to_upload_with(desk: Desk) -> None:
    at = desk.page("jobs", desk.user(role=Role.READER))
    assert "Upload" not in labels(at)
    assert "Upload a recording" not in labels(at)
    with pytest.raises(ValueError, match="registered"):
        at.switch_page("views/upload.py")


def change(at: object, old: str, new: str, again: str) -> None:
    for field, value in zip(at.text_input, (old, new, again), strict=True):  # type: ignore[attr-defined]
        field.set_value(value)
    button(at, "Save and go on").click()  # type: ignore[arg-type]
    at.run()  # type: ignore[attr-defined]


def can_log_in(desk: Desk, user: User, password: str) -> bool:
    try:
        with desk.ledger.read() as con:
            users.authenticate(con, name=user.name, password=password, client="elsewhere")
    except NotSignedIn:
        return False
    return True


def test_a_first_password_has_to_be_changed_before_anything_else(desk: Desk) -> None:
    ada = desk.user(must_change=True)
    at = desk.page("jobs", ada)
    assert titles(at) == ["Choose your password"]
    assert not has(at, "dock")
    change(at, PASSWORD, "a password of my own", "a password of my own")
    assert titles(at) == ["Recordings"]
    assert can_log_in(desk, ada, "a password of my own")
    assert not can_log_in(desk, ada, PASSWORD)


@pytest.mark.parametrize(
    ("old", "new", "again", "said"),
    [
        ("wrong", "a password of my own", "a password of my own", "current password is not right"),
        (PASSWORD, "a password of my own", "a password of my won", "two entries differ"),
        (PASSWORD, PASSWORD, PASSWORD, "choose another"),
        (PASSWORD, "short", "short", "8 to 1024"),
    ],
)
def test_a_password_that_will_not_do_is_refused_in_words(desk: Desk, old: str, new: str, again: str, said: str) -> None:
    ada = desk.user(must_change=True)
    at = desk.page("jobs", ada)
    change(at, old, new, again)
    assert said in words(at)
    assert titles(at) == ["Choose your password"]
    assert can_log_in(desk, ada, PASSWORD)


def test_a_changed_password_signs_other_browsers_out(desk: Desk) -> None:
    ada = desk.user(must_change=True)
    desk.session(ada)
    at = desk.page("jobs", ada)
    change(at, PASSWORD, "a password of my own", "a password of my own")
    with desk.ledger.read() as con:
        assert [one.id for one in sessions.list_of(con, ada.id)] == [at.user["sid"]]
