"""The administrator's pages: people, machines, audit log."""

import asyncio

import pytest

from dashboards import audit_log
from storage import audit, keys, sessions, users
from storage.heartbeats import ModelState
from storage.records import Role, User
from tests.dashboards.desk import Desk, button, words


@pytest.fixture
def root(desk: Desk) -> User:
    return desk.user("root", Role.ADMIN)


def by_name(desk: Desk, name: str) -> User:
    with desk.ledger.read() as con:
        user = users.by_name(con, name)
    assert user
    return user


def test_a_person_gets_a_first_password_that_is_shown_once(desk: Desk, root: User) -> None:
    at = desk.page("people", root)
    button(at, "Add a person").click()
    at.run()
    at.text_input[0].set_value("Grace")
    button(at, "Add").click()
    at.run()
    password = at.code[0].value
    grace = by_name(desk, "grace")
    assert (grace.role, grace.must_change_password) == (Role.MEMBER, True)
    with desk.ledger.read() as con:
        assert users.authenticate(con, name="Grace", password=password, client="x") == grace
    button(at, "Done").click()
    at.run()
    assert not at.code


def test_a_name_that_is_taken_is_refused(desk: Desk, root: User) -> None:
    at = desk.page("people", root)
    button(at, "Add a person").click()
    at.run()
    at.text_input[0].set_value("ROOT")
    button(at, "Add").click()
    at.run()
    assert "is taken" in str(at.session_state["person_refusal"])


def test_a_disabled_person_is_out_at_once_and_can_come_back(desk: Desk, root: User) -> None:
    ada = desk.user("ada")
    desk.session(ada)
    at = desk.page("people", root)
    at.button(key=f"disable-{ada.id}").click()
    at.run()
    assert by_name(desk, "ada").disabled
    with desk.ledger.read() as con:
        assert sessions.list_of(con, ada.id) == []
    at.button(key=f"enable-{ada.id}").click()
    at.run()
    assert not by_name(desk, "ada").disabled


def test_a_reset_ends_sessions_and_makes_a_new_first_password(desk: Desk, root: User) -> None:
    ada = desk.user("ada")
    desk.session(ada)
    at = desk.page("people", root)
    at.button(key=f"reset-{ada.id}").click()
    at.run()
    with desk.ledger.read() as con:
        assert users.authenticate(con, name="ada", password=at.code[0].value, client="x").must_change_password
        assert sessions.list_of(con, ada.id) == []


def test_a_role_can_be_changed_but_not_of_the_last_administrator(desk: Desk, root: User) -> None:
    ada = desk.user("ada")
    at = desk.page("people", root)
    at.selectbox(key=f"role-{ada.id}").set_value(Role.READER)
    at.run()
    at.button(key=f"set-role-{ada.id}").click()
    at.run()
    assert by_name(desk, "ada").role is Role.READER
    at.selectbox(key=f"role-{root.id}").set_value(Role.MEMBER)
    at.run()
    at.button(key=f"set-role-{root.id}").click()
    at.run()
    assert "last administrator" in words(at)
    assert by_name(desk, "root").role is Role.ADMIN


def test_one_who_is_no_administrator_any_more_adds_nobody(desk: Desk, root: User) -> None:
    desk.user("boss", Role.ADMIN)
    at = desk.page("people", root)
    button(at, "Add a person").click()
    at.run()
    at.text_input[0].set_value("Grace")
    desk.ledger.run(users.set_role, root.id, role=Role.MEMBER, actor="system:test")
    button(at, "Add").click()
    at.run()
    with desk.ledger.read() as con:
        assert users.by_name(con, "grace") is None


async def test_a_change_of_role_shuts_what_is_open(desk: Desk, root: User) -> None:
    ada = desk.user("ada", Role.ADMIN)
    _, key = desk.ledger.run(keys.create, user_id=ada.id, name="bot", actor="system:test")
    doors = desk.holder.doors
    with doors.passed(desk.session(ada)) as page, doors.passed(key.id) as socket, doors.passed("root's") as other:
        at = await asyncio.to_thread(desk.page, "people", root)
        at.selectbox(key=f"role-{ada.id}").set_value(Role.MEMBER)
        await asyncio.to_thread(at.run)
        at.button(key=f"set-role-{ada.id}").click()
        await asyncio.to_thread(at.run)
        assert page.shut.is_set()
        assert socket.shut.is_set()
        assert not other.shut.is_set()


def test_machines_tell_load_and_models(desk: Desk, root: User) -> None:
    assert "No worker is running" in words(desk.page("machines", root))
    desk.beat(model=ModelState(name="small", fingerprint="f", state="ready"), busy=1)
    at = desk.page("machines", root)
    assert [one.value for one in at.metric] == ["2", "1", "2 of 4"]
    assert "small" in words(at)


def test_a_failed_model_says_why(desk: Desk, root: User) -> None:
    failed = ModelState(name="small", fingerprint=None, state="failed", warning="the hub did not answer")
    desk.beat(model=failed)
    assert "The hub did not answer" in words(desk.page("machines", root))


def test_the_log_is_filtered_by_who_and_what(desk: Desk, root: User) -> None:
    ada = desk.user("ada")
    desk.job(ada)
    at = desk.page("audit", root)
    assert set(at.dataframe[0].value["Who"]) >= {"ada", "the system"}
    at.selectbox[0].set_value(f"user:{ada.id}")
    at.selectbox[1].set_value("job.accept")
    at.run()
    assert list(at.dataframe[0].value["What"]) == ["job.accept: recording taken in"]
    at.selectbox[1].set_value("job.delete")
    at.run()
    assert "Nothing in the log fits" in words(at)


def test_older_rows_are_a_page_away(desk: Desk, root: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_log, "PAGE_ROWS", 2)
    for number in range(3):
        desk.ledger.run(audit.record, actor="system:test", action="user.role", subject=str(number))
    at = desk.page("audit", root)
    newest = list(at.dataframe[0].value["#"])
    button(at, "Older").click()
    at.run()
    assert list(at.dataframe[0].value["#"]) == [newest[0] - 2, newest[0] - 3]


def test_a_sound_chain_is_said_to_be_sound(desk: Desk, root: User) -> None:
    at = desk.page("audit", root)
    button(at, "Verify the chain").click()
    at.run()
    assert "are as they were written" in words(at)


def test_a_row_changed_by_other_hands_is_found(desk: Desk, root: User) -> None:
    at = desk.page("audit", root)
    with desk.ledger.write() as con:
        con.execute("UPDATE audit SET subject = 'nobody' WHERE seq = 1")
    button(at, "Verify the chain").click()
    at.run()
    assert "Row 1 was changed" in words(at)
