"""Page access by role, and login."""

import pytest

from dashboards.pages.navigation import EVERY_PATH
from dashboards.pages.registry import PAGES
from storage.accounts import api_keys, sessions, users
from storage.domain.errors import NotSignedIn
from storage.domain.records import Role, User
from tests.dashboards.desk import PASSWORD, Desk, button, go_to, has, labels, words


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


def test_every_page_shows_the_login_alone_to_a_disabled_account(desk: Desk) -> None:
    root = desk.user("root", Role.ADMIN)
    desk.user("other", Role.ADMIN)
    at = desk.page("jobs", root)
    desk.ledger.run(users.set_disabled, root.id, disabled=True, actor="system:test")
    for key, spec in PAGES.items():
        if spec.role is not None:
            go_to(at, key)
            assert titles(at.run()) == ["Log in"], key
            assert not has(at, "dock"), key


@pytest.mark.parametrize("role", [Role.MEMBER, Role.READER])
def test_only_administrators_have_the_pages_of_administration(desk: Desk, role: Role) -> None:
    at = desk.page("jobs", desk.user(role=role))
    for key, spec in PAGES.items():
        if spec.role is Role.ADMIN:
            with pytest.raises(ValueError, match="registered"):
                go_to(at, key)


@pytest.mark.parametrize("role", list(Role))
def test_every_page_of_a_role_opens(desk: Desk, role: Role) -> None:
    at = desk.page("jobs", desk.user(role=role))
    for key, spec in PAGES.items():
        if spec.role is not None and spec.is_for(role):
            go_to(at, key)
            at.run()
            assert not at.exception, key
            assert has(at, "dock"), key


def test_a_reader_has_nothing_to_upload_with(desk: Desk) -> None:
    at = desk.page("jobs", desk.user(role=Role.READER))
    assert "Upload" not in labels(at)
    assert "Upload a recording" not in labels(at)
    with pytest.raises(ValueError, match="registered"):
        go_to(at, "upload")


def change(at: object, old: str, new: str, again: str) -> None:
    for field, value in zip(at.text_input, (old, new, again), strict=True):  # type: ignore[attr-defined]
        field.set_value(value)
    button(at, "Save and continue").click()  # type: ignore[arg-type]
    at.run()  # type: ignore[attr-defined]


def can_log_in(desk: Desk, user: User, password: str) -> bool:
    try:
        users.authenticate(desk.ledger, name=user.name, password=password, client="elsewhere")
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
        ("wrong", "a password of my own", "a password of my own", "current password is wrong"),
        (PASSWORD, "a password of my own", "a password of my won", "two entries differ"),
        (PASSWORD, PASSWORD, PASSWORD, "choose another"),
        (PASSWORD, "short", "short", "10 to 1024"),
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


def test_a_changed_password_revokes_keys_if_wanted(desk: Desk) -> None:
    ada = desk.user(must_change=True)
    secret, _ = desk.ledger.run(api_keys.create, user_id=ada.id, name="program", actor=ada.actor)
    at = desk.page("jobs", ada)
    at.checkbox[0].check()
    change(at, PASSWORD, "a password of my own", "a password of my own")
    assert api_keys.lookup(desk.ledger, secret) is None
