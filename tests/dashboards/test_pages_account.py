"""One's own account: browsers and keys."""

from storage import keys, sessions
from storage.records import Role
from tests.dashboards.desk import Desk, button, labels, words


def test_a_browser_can_be_logged_out_from_another(desk: Desk) -> None:
    ada = desk.user()
    other = desk.session(ada)
    at = desk.page("account", ada)
    assert "Firefox" in words(at)
    at.button(key=f"end-{other}").click()
    at.run()
    with desk.ledger.read() as con:
        assert [one.id for one in sessions.list_of(con, ada.id)] == [at.user["sid"]]


def test_all_other_browsers_can_be_logged_out_at_once(desk: Desk) -> None:
    ada = desk.user()
    desk.session(ada)
    desk.session(ada)
    at = desk.page("account", ada)
    button(at, "Log out all others").click()
    at.run()
    assert "Log out all others" not in labels(at)


def test_a_key_is_shown_once_and_works_until_it_is_revoked(desk: Desk) -> None:
    ada = desk.user()
    at = desk.page("account", ada)
    at.text_input[-1].set_value("Meeting bot")
    button(at, "Create a key").click()
    at.run()
    secret = next(one.value for one in at.code if one.value.startswith("wt_"))
    with desk.ledger.read() as con:
        (key,) = keys.list_of(con, ada.id)
        assert keys.lookup(con, secret) == (key.id, ada)
    button(at, "I have copied it").click()
    at.run()
    assert not [one for one in at.code if one.value.startswith("wt_")]
    at.button(key=f"revoke-{key.id}").click()
    at.run()
    with desk.ledger.read() as con:
        assert keys.lookup(con, secret) is None
    assert "Revoke for good" not in labels(at)


def test_a_key_needs_a_name(desk: Desk) -> None:
    at = desk.page("account", desk.user())
    button(at, "Create a key").click()
    at.run()
    assert "use 1 to 100 characters" in words(at).replace("\\", "")


def test_a_reader_makes_no_keys(desk: Desk) -> None:
    assert "Create a key" not in labels(desk.page("account", desk.user(role=Role.READER)))
